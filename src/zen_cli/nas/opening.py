"""What is known before an evolution begins: a first network, and the evenest one where a band is wanted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import Any, NamedTuple

from ..errors import SourceError, ZenError
from ..metrics.evenness import network_evenness
from .algorithms.proposer import Member
from .band import SHARE, STARTS, Band, make_band, wander
from .budget import Budget
from .climb import Make, climb, make_scorer
from .limits import Limits
from .options import CLOSED_FORM_LINEAGES, DEFAULT_EVALUATIONS
from .outcome import Callbacks
from .rundir import OPENING, RunDirectory
from .scorers import Evaluator
from .settings import SearchSettings
from .start import find_start


class Opening(NamedTuple):
    """What is known before an evolution begins.

    Attributes:
        start: a member to begin with.
        others: more members that were found.
        evenest: the evenest member that was found; None where no band is wanted.
        spent: evaluations that this took.
        even_bound: what no member's evenness exceeds, if that is known.
        bound: what no member within the limits, and in the band, exceeds, if that is known.
        is_exact: whether the exact search found it, so that only other networks nearly as good are left to find.
        is_proven: whether `bound` is within the gap that was asked for.
        is_whole: whether nobody interrupted it, so that a resumed run may keep it.
    """

    start: Any
    others: Sequence[Any] = ()
    evenest: Any | None = None
    spent: int = 0
    even_bound: float | None = None
    bound: float | None = None
    is_exact: bool = False
    is_proven: bool = False
    is_whole: bool = True


Opener = Callable[[SearchSettings, Callbacks, float], Opening | None]


def open_alone(
    make: Make,
    settings: SearchSettings,
    evaluator: Evaluator,
    began: float,
    callbacks: Callbacks,
) -> Opening:
    """The opening without an exact search: a member within the limits, or the evenest that several searches find."""
    walk = Random(settings.score.seed)
    start = find_start(evaluator, settings.limits, lambda genome: evaluator.space.neighbour(genome, walk))
    evaluator.spec(start)  # a map too small for the strides of the space is an error now, not after the search
    if settings.evenness is None:
        return Opening(start)
    best, spent, is_whole = _find_evenest(make, settings, evaluator, start, began, callbacks)
    return Opening(best, evenest=best, spent=spent, is_whole=is_whole)


def kept_opening(run: RunDirectory | None, evaluator: Evaluator) -> Opening | None:
    """The opening of a run that goes on; None where there is none.

    Raises:
        SourceError: it is damaged.
    """
    kept = run.read_opening() if run is not None else None
    if run is None or kept is None:
        return None
    try:
        return read_opening(kept, evaluator)
    except (ZenError, ValueError, TypeError, LookupError) as error:
        raise SourceError(f"{run.path}/{OPENING}: is damaged ({error}); start a new run") from None


def read_opening(row: dict[str, Any], evaluator: Evaluator) -> Opening:
    """An opening from its JSON form.

    Raises:
        ZenError, ValueError, TypeError, LookupError: it is damaged.
    """
    opening = Opening(**row)
    evenest = None if opening.evenest is None else evaluator.space.decode(opening.evenest)
    start, *others = (evaluator.space.decode(rows) for rows in (opening.start, *opening.others))
    return opening._replace(start=start, others=others, evenest=evenest, spent=int(opening.spent))


def band_of_opening(settings: SearchSettings, evaluator: Evaluator, opening: Opening) -> Band:
    """The band below the evenest network of an opening.

    Raises:
        SourceError: it is a kept one, and damaged.
    """
    seed, width = evaluator.seed, settings.evenness
    assert width is not None
    try:
        found = network_evenness(evaluator.space.genes(opening.evenest, seed), seed.in_channels, seed.side)
    except (ZenError, ValueError, TypeError, LookupError) as error:
        raise SourceError(f"{OPENING}: is damaged ({error}); start a new run") from None
    return make_band(found, width, settings.limits, opening.even_bound)


def _find_evenest(
    make: Make,
    settings: SearchSettings,
    evaluator: Evaluator,
    start: Any,
    began: float,
    callbacks: Callbacks,
) -> tuple[Any, int, bool]:
    """The evenest member found, the evaluations that it took, and whether nobody interrupted that."""
    space, limits, budget = evaluator.space, settings.limits, settings.budget
    most = min(budget.evaluations or DEFAULT_EVALUATIONS, DEFAULT_EVALUATIONS) // SHARE
    part = Budget(
        max(most, CLOSED_FORM_LINEAGES),
        *(None if limit is None else limit / STARTS for limit in (budget.seconds, budget.device_seconds)),
    )
    stage = settings.model_copy(
        update={"proxy": "even", "evenness": None, "budget": part, "lineages": CLOSED_FORM_LINEAGES}
    )
    sign, scorer = make_scorer(stage, evaluator)
    members: list[Member] = []
    spent, stopped = 0, ""
    for index in range(STARTS):
        score = settings.score.model_copy(update={"seed": (settings.score.seed + index) % 2**63})
        begin = start if index == 0 else wander(start, space.neighbour, partial(_admits, evaluator, limits), score.seed)
        one = stage.model_copy(update={"score": score})
        proposer, loop, stopped = climb(
            make, one, evaluator, sign, scorer, begin, began, None, callbacks._replace(on_generation=lambda *_: None)
        )
        if loop.error is not None:
            raise loop.error
        spent += proposer.proposals
        members.append(proposer.population[0])
        callbacks.on_progress(f"evenness {max(member.score for member in members):.3f} after {spent:,} evaluations")
        if stopped in ("interrupted", "time"):
            break
    best = max(members, key=lambda member: member.score)
    return best.genome, spent, stopped != "interrupted"


def _admits(evaluator: Evaluator, limits: Limits, genome: Any) -> bool:
    return evaluator.terms(genome, limits) is not None
