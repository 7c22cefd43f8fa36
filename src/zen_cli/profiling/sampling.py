"""Times of a network on this machine: first runs are discarded, and runs in which the machine did something else.

A run on one core counts as disturbed where this process was off it for more than 3% of the run: the clock then went on
and its own time did not. Where fewer than three runs of a visit are undisturbed, the process's own time is taken, which
leaves waiting out; how many runs were disturbed is said with the result.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import NamedTuple

from ..net.spec import ArchSpec
from ..target.graph import Operation, network_operations
from .backends import Conditions, Session
from .fitting import assign

WARM_UPS = 3
LEAST_RUNS, MOST_RUNS = 9, 60
SECONDS = 0.15  # of runs in one visit
PROFILED_RUNS = 12
IDLE = 0.03


class Timing(NamedTuple):
    """Milliseconds of a run: the median of the undisturbed ones, half the distance of their quartiles over it, the
    share of runs that were disturbed, and how many there were.
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
    rows: list[tuple[float, float]] = []
    began = time.perf_counter()
    while len(rows) < LEAST_RUNS or (len(rows) < MOST_RUNS and time.perf_counter() - began < seconds):
        first, used = time.perf_counter(), time.process_time()
        run()
        wall, used = time.perf_counter() - first, time.process_time() - used
        rows.append((1e3 * wall, 1e3 * (min(used, wall) if conditions.one_core else wall)))
    calm = [wall for wall, used in rows if wall - used <= IDLE * wall]
    disturbed = 1 - len(calm) / len(rows)
    if len(calm) < 3:
        calm = [used for _, used in rows]
    return Timing(median(calm), _spread(calm), disturbed, len(rows))


def time_layers(session: Session, spec: ArchSpec, runs: int = PROFILED_RUNS) -> list[tuple[Operation, float]]:
    """(operation, milliseconds) of each operation of a network that was seen while it ran.

    Of the runs of an operation the faster half counts, on the average: operations are so short that few are disturbed.
    """
    rows = list(network_operations(spec.genes, spec.in_channels, spec.resolution, spec.classifier))
    found = assign(session.times(WARM_UPS + runs), [name for name, _ in rows])
    return [(one, sum(map(_fast_mean, found[name])) if name in found else 0.0) for name, one in rows]


def _fast_mean(times: Sequence[float]) -> float:
    rows = sorted(times[WARM_UPS:])
    rows = rows[: max(1, (len(rows) + 1) // 2)]
    return sum(rows) / len(rows)


def _spread(values: Sequence[float]) -> float:
    rows = sorted(values)
    return (rows[(3 * len(rows) - 1) // 4] - rows[len(rows) // 4]) / 2 / median(rows)
