"""What ends a search by the closed form before its time is up: proof that little is left to find.

A budget of time is a ceiling. Where the exact search takes the problem, the evolution ends after a round that found
nothing better; the exact search goes on from its networks until the gap to what no network exceeds is small.
"""

from __future__ import annotations

import time

from .algorithms import find_algorithm
from .choosing import choose
from .outcome import Callbacks, Outcome
from .settings import SearchSettings

MOST_EVALUATIONS = 1_920_000  # of an evolution whose budget is only a time
_CONVERGED = ("patience", "evaluations")


def no_proof(settings: SearchSettings) -> str:
    """Why the exact search cannot take the problem, as `field: fault; fix`; empty if it can."""
    no_evaluations = settings.model_copy(update={"budget": settings.budget._replace(evaluations=None)})
    return find_algorithm("exact").supports(no_evaluations)


def is_ceiling(settings: SearchSettings) -> bool:
    """Whether a budget is only a time that the search may end before, because what it has can be proven."""
    only_time = settings.budget.evaluations is None and any(_times(settings))
    return (
        only_time
        and not settings.front
        and settings.algorithm == "evolution"
        and settings.evenness is None
        and not no_proof(settings)
    )


def prove(settings: SearchSettings, outcome: Outcome, callbacks: Callbacks) -> Outcome:
    """An outcome with its bound and what the exact search found beyond it, within the time that is left.

    As it is where the evolution did not end before its time, or nothing can be proven.
    """
    left = min((limit for limit in _times(settings) if limit is not None), default=0.0) - outcome.elapsed_s
    most = settings.budget.evaluations
    converged = outcome.stopped in _CONVERGED and most == MOST_EVALUATIONS and settings.evenness is None
    if left <= 0 or not converged or not outcome.candidates or no_proof(settings):
        return outcome
    from .algorithms.exact.algorithm import search_from

    began = time.monotonic()
    budget = settings.budget._replace(evaluations=None, seconds=left, device_seconds=None)
    rest = settings.model_copy(update={"budget": budget})
    found = search_from(rest, callbacks, [candidate.spec for candidate in outcome.candidates])
    return outcome._replace(
        candidates=choose([*outcome.candidates, *found.candidates], settings),
        stopped=found.stopped,
        elapsed_s=outcome.elapsed_s + time.monotonic() - began,
        bound=found.bound,
    )


def _times(settings: SearchSettings) -> tuple[float | None, float | None]:
    return settings.budget.seconds, settings.budget.device_seconds
