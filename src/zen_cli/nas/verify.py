"""Monte-Carlo scores of the finalists of a search, as a race: draws go to those that may still be the best.

A finalist's draws are those that `zen score` makes with the same seed, from number 0 on. So its score depends on the
network, the settings and how many draws it got, not on the others.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

from ..errors import RunError, ZenError
from ..metrics.records import CostRow, RaceRow, ScoreRecord
from ..metrics.scoring import score_all, zen_of
from ..metrics.settings import ScoreSettings
from ..net.spec import ArchSpec
from .budget import Budget
from .outcome import Callbacks
from .race import Ending, Race, Standing
from .settings import SearchSettings

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


class Verified(NamedTuple):
    """Networks with Monte-Carlo scores, in their order: records, or errors; how the race of them ended and who won it,
    None where there was none.
    """

    records: Sequence[ScoreRecord | ZenError]
    race: RaceRow | None = None
    first: int | None = None


def verify(
    specs: Sequence[ArchSpec],
    settings: SearchSettings,
    score: ScoreSettings,
    elapsed_s: float,
    callbacks: Callbacks,
) -> Verified:
    """Monte-Carlo scores of what a search found.

    They race, unless the search was for another metric or a front, or a precision says how many draws each gets.

    Args:
        specs: best first.
        settings: of the search.
        score: of the scores.
        elapsed_s: what the search took of its budget.
        callbacks: what is told, and where draws are computed.

    Raises:
        UsageError: the device does not exist, or does not have the precision mode.
    """
    if not specs:
        return Verified([])
    executor = callbacks.executor
    if settings.proxy is not None or settings.front or score.precision is not None:
        return Verified(list(score_all(specs, score, on_progress=callbacks.on_draws, executor=executor)))
    devices = 1 if executor is None else executor.devices
    limits = limits_of(settings.budget, elapsed_s, len(specs) * score.draws, devices)
    raced = race(specs, score, tolerance=settings.tolerance, limits=limits, callbacks=callbacks)
    if raced.standing is None or raced.ending is None:
        return Verified(raced.records)
    first, rivals, below = raced.standing
    row = RaceRow(
        ending=raced.ending, tolerance=settings.tolerance, below=max(0.0, below), rivals=rivals, draws=raced.draws
    )
    return Verified(raced.records, row, first)


def race(
    specs: Sequence[ArchSpec],
    settings: ScoreSettings,
    *,
    tolerance: float,
    limits: RaceLimits,
    callbacks: Callbacks | None = None,
) -> Raced:
    """Scores the finalists of a search until the best is known, or the limits or Ctrl-C end that.

    Args:
        specs: the finalists, at least one.
        settings: of their scores; `draws` are made of each before the first look.
        tolerance: how far the first may be below the best in nats.
        limits: when to end anyway. Draws that the time or Ctrl-C cut off are left out of all finalists.
        callbacks: what is told, and where draws are computed.

    Raises:
        UsageError: the device does not exist, or does not have the precision mode.
        KeyboardInterrupt: before the first look at the race.
    """
    from ..metrics.proxies.zen import measurement

    state = Race(len(specs), tolerance=tolerance, first_draws=settings.draws)
    errors: dict[int, RunError] = {}
    callbacks = callbacks or Callbacks()
    try:
        ending = _run(state, specs, settings, limits, callbacks, errors)
    except KeyboardInterrupt:
        if state.standing is None:
            raise
        ending = "interrupted"
    records: list[ScoreRecord | RunError] = []
    for index, spec in enumerate(specs):
        if index in errors:
            records.append(errors[index])
        else:
            zen = zen_of(measurement(state.draws[index], settings, callbacks.executor))
            records.append(ScoreRecord.of(spec, zen=zen, cost=CostRow.of(spec, spec.cost, settings.dtype)))
    return Raced(records, ending, state.standing, state.total)


def _run(
    state: Race,
    specs: Sequence[ArchSpec],
    settings: ScoreSettings,
    limits: RaceLimits,
    callbacks: Callbacks,
    errors: dict[int, RunError],
) -> Ending | None:
    """What ended the race; None where no finalist is left. Takes out those with errors, and notes these."""
    while state.decided is None and state.running:
        first, count = state.wanted
        if first and limits.is_over():
            return "time"
        if first and limits.draws is not None:
            count = min(count, (limits.draws - state.total) // len(state.running))
            if count < 1:
                return "draws"
        fresh = _draw(specs, state, first, settings.model_copy(update={"draws": count}), limits, callbacks)
        if fresh is None:
            return "time"
        for index, draws in fresh.items():
            if isinstance(draws, RunError):
                errors[index] = draws
                state.drop(index)
        state.tell({index: draws for index, draws in fresh.items() if not isinstance(draws, RunError)})
        if state.standing is not None:
            callbacks.on_look(state.standing)
    return state.decided


def _draw(
    specs: Sequence[ArchSpec],
    state: Race,
    first: int,
    settings: ScoreSettings,
    limits: RaceLimits,
    callbacks: Callbacks,
) -> dict[int, tuple[float, ...] | RunError] | None:
    """The next draws of each finalist that is running; None where the time ended that, after the first look."""
    from ..metrics.proxies.zen import draw_all

    made = state.total

    def count(draws: int) -> None:
        nonlocal made
        made += draws
        callbacks.on_draws(made, limits.draws)

    found: dict[int, tuple[float, ...] | RunError] = {}
    running = [specs[index] for index in state.running]
    results = draw_all(running, settings, first=first, on_draw=count, executor=callbacks.executor)
    for index, result in zip(state.running, results, strict=True):
        found[index] = result
        if first and len(found) < len(state.running) and limits.is_over():
            return None
    return found
