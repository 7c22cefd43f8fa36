"""The limits of a front in bands of evenness, opened one by one by the exact search before an evolution begins.

At most limits it proves the best evenness and the best score in the band within seconds; there nothing is left to do.
The evolution goes on at the others.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

from ..errors import SourceError, ZenError
from .band import Band
from .limits import Limits
from .opening import Opening, band_of_opening, read_opening
from .outcome import Callbacks
from .rundir import OPENING, RunDirectory
from .scorers import Evaluator
from .settings import SearchSettings

PART = 0.5  # of the work for the best networks below one limit, as there are many; E* gets all of its work
TIME_SHARE = 0.7  # of a budget of time, for all limits; each gets what is left of it in equal parts


class Rung(NamedTuple):
    """A limit of a front, what is known below it, and the band there."""

    limits: Limits
    opening: Opening
    band: Band


def can_open_front(settings: SearchSettings) -> bool:
    """Whether the default algorithm opens the limits of this front, which is in bands, by the exact search."""
    from .algorithms.exact.support import unsupported_settings

    is_default = settings.algorithm == "auto" and bool(settings.front) and settings.evenness is not None
    return is_default and not unsupported_settings(settings)


def open_front(
    settings: SearchSettings,
    ladder: Sequence[Limits],
    evaluator: Evaluator,
    run: RunDirectory | None,
    callbacks: Callbacks,
) -> tuple[list[Rung], bool]:
    """What is known below each limit of a ladder, in its order; and whether nobody interrupted that.

    Limits below which no network was found are left out. A run keeps each limit as soon as it is opened, and its first
    ladder; one where no network was found below any keeps the opening of its evolution.

    Raises:
        SourceError: what a run kept is damaged.
    """
    began, rows = time.monotonic(), _Rows(settings, evaluator, run)
    if rows.has_none:
        return [], True
    for index, limits in enumerate(ladder := rows.ladder or ladder):
        if index < len(rows.found):
            continue
        opening = _open(settings, limits, callbacks, began, len(ladder) - index)
        if callbacks.should_stop():
            last = [] if opening is None else [Rung(limits, opening, rows.band(limits, opening))]
            return rows.rungs() + last, False
        rows.add(ladder, opening)
    return rows.rungs(), True


def _open(settings: SearchSettings, limits: Limits, callbacks: Callbacks, began: float, left: int) -> Opening | None:
    """One limit of those that are left; None where no network was found."""
    from .algorithms.auto import open_exactly

    budget, elapsed = settings.budget, time.monotonic() - began
    times = (budget.seconds, budget.device_seconds)
    # twice, as of a time the exact search takes one half
    shares = [None if most is None else max(1e-6, 2 * (TIME_SHARE * most - elapsed) / left) for most in times]
    own = budget._replace(seconds=shares[0], device_seconds=shares[1])
    one = settings.model_copy(
        update={"limits": exact_limits(settings, limits), "front": (), "top": 1, "verify": 0, "budget": own}
    )
    name = " ".join(f"{cost} {limits[cost]:,.0f}" for cost in settings.front)

    def tell(line: str) -> None:
        callbacks.on_progress(f"{name}: {line}")

    return open_exactly(one, callbacks._replace(on_progress=tell), time.monotonic(), PART)


def exact_limits(settings: SearchSettings, limits: Limits) -> Limits:
    """A limit of a front for the exact search, which lowers a latency by the error of predictions.

    As a cost of a front it is what is predicted; the lowered limit of the problem remains.
    """
    if "latency" not in settings.front:
        return limits
    raised = limits["latency"] ** 2 / limits.lowered("latency")
    return limits.replace(latency=min(raised, settings.limits["latency"]))


class _Rows:
    """The limits that are opened, in memory and in a run.

    Raises:
        SourceError: what the run kept is damaged.
    """

    def __init__(self, settings: SearchSettings, evaluator: Evaluator, run: RunDirectory | None) -> None:
        self._settings, self._evaluator, self._run = settings, evaluator, run
        self.ladder: list[Limits] = []
        self.found: list[Opening | None] = []
        kept = run.read_opening() if run is not None else None
        self.has_none = kept is not None and "best" in kept
        if run is None or kept is None or self.has_none:
            return
        try:
            self.ladder = [settings.limits.replace(**row) for row in kept["ladder"]]
            self.found = [None if row is None else read_opening(row, evaluator) for row in kept["found"]]
        except (ZenError, ValueError, TypeError, LookupError) as error:
            raise SourceError(f"{run.path}/{OPENING}: is damaged ({error}); start a new run") from None

    def add(self, ladder: Sequence[Limits], opening: Opening | None) -> None:
        """Keeps what was found below the next limit of a ladder."""
        self.ladder = list(ladder)
        self.found.append(opening)
        if self._run is not None and any(row is not None for row in self.found):
            rows = [None if row is None else row._asdict() for row in self.found]
            self._run.write_opening({"ladder": [dict(limits) for limits in ladder], "found": rows})

    def band(self, limits: Limits, opening: Opening) -> Band:
        """The band below a limit."""
        return band_of_opening(self._settings.model_copy(update={"limits": limits}), self._evaluator, opening)

    def rungs(self) -> list[Rung]:
        """The limits below which there is a network."""
        rows = zip(self.ladder, self.found, strict=False)
        return [Rung(limits, row, self.band(limits, row)) for limits, row in rows if row is not None]
