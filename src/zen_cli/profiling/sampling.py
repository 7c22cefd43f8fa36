"""Times of a network on this machine: first runs are discarded, and what other programs take is left out.

Where one thread computes, the time that it spent on a core counts, not the clock: in undisturbed runs both agree to
0.1%, and on a busy machine the clock goes on while the thread waits. What a busy machine does to caches remains, so of
the runs of a visit the fastest tenth decides. With more threads, and on a GPU, it is the median by the clock. A run
counts as disturbed where its thread was off the core for more than 3% of it; their share is said with the result.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import NamedTuple

from ..net.spec import ArchSpec
from ..target.graph import named_operations
from .backends import Conditions, Session
from .fitting import assign, quantile

WARM_UPS = 3
LEAST_RUNS, MOST_RUNS = 9, 60
SECONDS = 0.1  # of runs in one visit, by the clock or on a core
PROFILED_RUNS = 12
IDLE = 0.03
FASTEST = 0.1
CONFIRMED = 0.03


class Timing(NamedTuple):
    """Milliseconds of a run, half the distance of the quartiles over the median, the share of runs that were
    disturbed, and how many there were.
    """

    ms: float
    spread: float
    disturbed: float
    runs: int


def time_runs(
    run: Callable[[], object], conditions: Conditions, seconds: float = SECONDS, warm_ups: int = WARM_UPS
) -> Timing:
    """The time of a run."""
    for _ in range(warm_ups):
        run()
    walls: list[float] = []
    cores: list[float] = []
    while len(walls) < LEAST_RUNS or (len(walls) < MOST_RUNS and sum(cores) < 1e3 * seconds):
        first, used = time.perf_counter(), time.thread_time()
        run()
        walls.append(1e3 * (time.perf_counter() - first))
        cores.append(1e3 * (time.thread_time() - used))
    if not conditions.one_core:
        return Timing(median(walls), _spread(walls), 0.0, len(walls))
    disturbed = sum(wall - core > IDLE * wall for wall, core in zip(walls, cores, strict=True))
    return Timing(quantile(cores, FASTEST), _spread(cores), disturbed / len(walls), len(walls))


def confirmed_ms(times: Sequence[float]) -> float:
    """The time of a network from those of its visits: the fastest one that another visit confirms.

    Other programs only ever make a network slower, but one visit may be faster than all others by a fifth: in PyTorch
    it depends on where memory is.
    """
    return sorted(times)[:2][-1]


def is_confirmed(times: Sequence[float]) -> bool:
    """Whether two visits of a network agree that it is as fast as the fastest one says."""
    rows = sorted(times)
    return len(rows) > 1 and rows[1] <= (1 + CONFIRMED) * rows[0]


def time_layers(session: Session, spec: ArchSpec, runs: int = PROFILED_RUNS) -> list[float]:
    """Milliseconds of each operation of a network, in order; 0 where it was not seen while the network ran.

    Of the runs of an operation the faster half counts, on the average: operations are so short that few are disturbed.
    """
    names = [name for name, _ in named_operations(spec)]
    found = assign(session.times(WARM_UPS + runs), names)
    return [sum(map(_fast_mean, found[name])) if name in found else 0.0 for name in names]


def _fast_mean(times: Sequence[float]) -> float:
    rows = sorted(times[WARM_UPS:])
    rows = rows[: max(1, (len(rows) + 1) // 2)]
    return sum(rows) / len(rows)


def _spread(values: Sequence[float]) -> float:
    rows = sorted(values)
    return (rows[(3 * len(rows) - 1) // 4] - rows[len(rows) // 4]) / 2 / median(rows)
