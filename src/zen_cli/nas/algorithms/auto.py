"""The default: exact where that is possible, then the evolution from there, for more networks and what is left.

The exact search finds the best evenness, a network of the best score in its band, and a bound. The evolution begins
with that network: it finds others that are nearly as good, and better ones where the bound is still far away. Problems
that the exact search does not take are the evolution's alone.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ...errors import UsageError
from . import find_algorithm

if TYPE_CHECKING:
    from ..band import Band
    from ..opening import Opening
    from ..outcome import Callbacks, Outcome
    from ..rundir import RunDirectory
    from ..settings import SearchSettings
    from .exact.result import ExactResult

EVENNESS_WORK, WORK = 5e8, 8e8  # of both solutions, so that they end soon and alike everywhere
SHARE = 0.5  # of a budget of time
LISTED_FROM = 100_000  # evaluations of a budget with which a space is listed, which is all or nothing


class _AutoAlgorithm:
    """Exact, then evolution."""

    summary = "exact where it can be, then the evolution from its networks (default)"
    unit = "evaluations"
    uses = frozenset({"population", "lineages", "patience", "evenness", "gap"})

    def supports(self, settings: SearchSettings) -> str:
        return find_algorithm("evolution").supports(settings)

    def search(self, settings: SearchSettings, run: RunDirectory | None, callbacks: Callbacks) -> Outcome:
        from ..drive import drive
        from .evolution import make

        return drive(make, settings, run, callbacks, open_exactly)


def open_exactly(settings: SearchSettings, callbacks: Callbacks, began: float, part: float = 1.0) -> Opening | None:
    """What the exact search finds and proves within its share; None where it cannot, or finds no network.

    `began` is when the search began, on the monotonic clock; `part` is of the work for the best networks.
    """
    from .exact.support import unsupported_settings

    if unsupported_settings(settings):
        return None
    try:
        return _solve(settings, callbacks, began, part)
    except UsageError:  # no network was found within the limits; the evolution says what they should be
        return None


def _solve(settings: SearchSettings, callbacks: Callbacks, began: float, part: float) -> Opening | None:
    """The best evenness where it counts, then the best networks, with their bounds; None where there are none yet."""
    from ..opening import Opening
    from ..options import DEFAULT_EVALUATIONS
    from ..space import RegNetSpace
    from .exact.algorithm import NO_BOUND, Solver, band_of, wanted_gap
    from .timed import can_open, open_timed

    times = [limit for limit in (settings.budget.seconds, settings.budget.device_seconds) if limit is not None]
    end = began + SHARE * min(times, default=0.0)
    interrupted = False

    def is_over() -> bool:
        nonlocal interrupted
        interrupted = interrupted or callbacks.should_stop()
        return interrupted or (bool(times) and time.monotonic() >= end)

    evaluations = settings.budget.evaluations or DEFAULT_EVALUATIONS
    share = min(1.0, evaluations / DEFAULT_EVALUATIONS)  # a small budget is one for all of the search
    if isinstance(settings.space, RegNetSpace) and evaluations < LISTED_FROM:
        return None
    solver = Solver(settings, callbacks, is_over, share * EVENNESS_WORK)
    if can_open(settings):
        return open_timed(settings, solver._replace(most_work=part * share * WORK))
    band: Band | None = None
    evenest: ExactResult | None = None
    if settings.evenness is not None:
        evenest = solver.evenest()
        band = band_of(settings, evenest)
        if band is None:
            return None
    work = part * share * WORK if settings.evenness is not None or settings.proxy else WORK  # others mostly need less
    known = () if evenest is None else evenest.networks
    result = solver._replace(most_work=work).best(band, known, max(settings.top, settings.verify))
    if not result.networks and evenest is None:
        return None
    is_proven = result.gap <= wanted_gap(settings)
    start, *others = result.genomes or (evenest or result).genomes
    if evenest is not None and not is_proven:  # elsewhere there may be better ones; from here only others like it
        start, *others = evenest.genomes[0], *result.genomes
    return Opening(
        start,
        others,
        None if evenest is None else evenest.genomes[0],
        even_bound=None if band is None else band.bound,
        bound=result.bound if result.gap < NO_BOUND else None,
        is_exact=bool(result.networks),
        is_proven=is_proven,
        is_whole=not interrupted,
    )


ALGORITHM = _AutoAlgorithm()
