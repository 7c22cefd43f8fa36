"""Monte-Carlo scores of the finalists of a search, as a race: draws go to those that may still be the best.

A finalist's draws are those that `zen score` makes with the same seed, from number 0 on. So its score depends on the
network, the settings and how many draws it got, not on the others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..errors import RunError
from ..metrics.records import CostRow, ScoreRecord
from ..metrics.scoring import OnProgress, zen_of
from ..metrics.settings import ScoreSettings
from ..net.spec import ArchSpec
from .budget import Budget
from .race import Ending, Race, Standing

if TYPE_CHECKING:
    from ..metrics.monte_carlo.executors import Executor

SHARE = 2  # without a budget of time, a race has so many times the draws of its first look


class RaceLimits(NamedTuple):
    """When a race ends that is not decided: after so many draws, or at a time of `time.monotonic`."""

    draws: int | None
    deadline: float | None = None

    def is_over(self) -> bool:
        """Whether the time is up."""
        return self.deadline is not None and time.monotonic() >= self.deadline


def limits_of(budget: Budget, elapsed_s: float, draws: int, devices: int = 1) -> RaceLimits:
    """When a race ends: with what is left of a budget of time, or else after `SHARE` times the first draws.

    Args:
        budget: of the search.
        elapsed_s: what the search took of it.
        draws: before the first look, of all finalists together.
        devices: how many the budget of gpu-days counts.
    """
    device_seconds = None if budget.device_seconds is None else budget.device_seconds / devices
    times = [limit for limit in (budget.seconds, device_seconds) if limit is not None]
    if not times:
        return RaceLimits(SHARE * draws)
    return RaceLimits(None, time.monotonic() + min(times) - elapsed_s)


class Raced(NamedTuple):
    """What a race ends with.

    Attributes:
        records: one a finalist, in their order; an error where it has no score.
        ending: what ended it; None where nobody has a score.
        standing: who is in front; None where nobody has a score.
        draws: how many were made.
    """

    records: list[ScoreRecord | RunError]
    ending: Ending | None
    standing: Standing | None
    draws: int


def race(
    specs: Sequence[ArchSpec],
    settings: ScoreSettings,
    *,
    tolerance: float,
    limits: RaceLimits,
    on_progress: OnProgress | None = None,
    executor: Executor | None = None,
) -> Raced:
    """Scores the finalists of a search until the best is known, or the limits end that.

    Args:
        specs: the finalists, at least one.
        settings: of their scores; `draws` are made of each before the first look.
        tolerance: how far the first may be below the best in nats.
        limits: when to end anyway. Draws that the time cuts off are left out of all finalists.
        on_progress: called with the draws made, and how many there may be, None where the clock decides.
        executor: where draws are computed; by default on the devices of this machine that the settings name.

    Raises:
        UsageError: the device does not exist, or does not have the precision mode.
    """
    from ..metrics.proxies.zen import measurement

    state = Race(len(specs), tolerance=tolerance, first_draws=settings.draws)
    errors: dict[int, RunError] = {}
    tell = on_progress or (lambda *_: None)
    ending = state.decided
    while ending is None and state.running:
        first, count = state.wanted
        if first and limits.draws is not None:
            count = min(count, (limits.draws - state.total) // len(state.running))
            if count < 1:
                ending = "draws"
                break
        fresh = _draw(specs, state, first, settings.model_copy(update={"draws": count}), limits, tell, executor)
        if fresh is None:
            ending = "time"
            break
        for index, draws in fresh.items():
            if isinstance(draws, RunError):
                errors[index] = draws
                state.drop(index)
        state.tell({index: draws for index, draws in fresh.items() if not isinstance(draws, RunError)})
        ending = state.decided
    records: list[ScoreRecord | RunError] = []
    for index, spec in enumerate(specs):
        if index in errors:
            records.append(errors[index])
        else:
            zen = zen_of(measurement(state.draws[index], settings, executor))
            records.append(ScoreRecord.of(spec, zen=zen, cost=CostRow.of(spec, spec.cost, settings.dtype)))
    return Raced(records, ending, state.standing, state.total)


def _draw(
    specs: Sequence[ArchSpec],
    state: Race,
    first: int,
    settings: ScoreSettings,
    limits: RaceLimits,
    tell: Callable[[int, int | None], None],
    executor: Executor | None,
) -> dict[int, tuple[float, ...] | RunError] | None:
    """The next draws of each finalist that is running; None where the time ended that, after the first look."""
    from ..metrics.proxies.zen import draw_all

    made = state.total

    def count(draws: int) -> None:
        nonlocal made
        made += draws
        tell(made, limits.draws)

    found: dict[int, tuple[float, ...] | RunError] = {}
    running = [specs[index] for index in state.running]
    results = draw_all(running, settings, first=first, on_draw=count, executor=executor)
    for index, result in zip(state.running, results, strict=True):
        found[index] = result
        if first and len(found) < len(state.running) and limits.is_over():
            return None
    return found
