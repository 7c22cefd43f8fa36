"""From a problem and an algorithm that goes step by step to an outcome: the start, the scorer, the loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import RunError, SourceError, ZenError
from ..metrics import Metric, find
from ..metrics.evenness import network_evenness
from ..metrics.settings import ScoreSettings
from ..net.counting import Cost
from ..net.layers import Chain
from ..net.spec import ArchSpec
from .algorithms.proposer import Member, Proposer, Rating
from .band import SHARE, STARTS, Band, make_band, wander
from .budget import Budget
from .limits import Limits
from .loop import Loop
from .options import CLOSED_FORM_LINEAGES, DEFAULT_EVALUATIONS, DEFAULT_POPULATION
from .outcome import Callbacks, Candidate, Outcome
from .rundir import OPENING, RunDirectory
from .scorers import BatchScorer, ClosedFormScorer, Evaluator, Scorer
from .settings import SearchSettings
from .shapes import different_first, shape_of
from .space import Space
from .start import find_start

if TYPE_CHECKING:
    from ..metrics.monte_carlo.executors import Executor

AFTER_EXACT = 1  # rounds without a better network, after an exact search, where nothing else is said

Make = Callable[[Space, tuple[Any, Rating], SearchSettings], Proposer]


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


def drive(
    make: Make,
    settings: SearchSettings,
    run: RunDirectory | None,
    callbacks: Callbacks,
    opener: Opener = lambda *_: None,
) -> Outcome:
    """Searches by an algorithm that proposes and is told; arguments and errors as for `Algorithm.search`.

    A resumed run keeps its opening. One that is interrupted before that is whole writes no checkpoint: it begins anew.

    Args:
        make: makes the algorithm from the space, a first network with its rating, and the settings.
        settings: what defines the search.
        run: where checkpoints and history go.
        callbacks: what is called on the way.
        opener: finds an opening from the settings, the callbacks and when the search began; None if it cannot.
    """
    began = time.monotonic()  # the opening counts as well
    evaluator = Evaluator(settings.space, settings.seed_network(), settings.score.convention)
    sign, scorer = make_scorer(settings, evaluator, callbacks.executor)
    opening = _kept_opening(run, evaluator)
    if opening is None:
        opening = opener(settings, callbacks, began) or _open(make, settings, evaluator, began, callbacks)
        if run is not None and opening.is_whole:
            run.write_opening(opening._asdict())
        elif not opening.is_whole:
            run = None
    if settings.evenness is not None:
        evaluator.band = _band(settings, evaluator, opening)
    spent, budget = opening.spent, settings.budget
    if budget.evaluations is not None:
        budget = budget._replace(evaluations=max(1, budget.evaluations - spent))
    patience = settings.patience or (AFTER_EXACT if opening.is_exact else None)
    rest = settings.model_copy(update={"budget": budget, "patience": patience})
    proposer, loop, stopped = _climb(make, rest, evaluator, sign, scorer, opening.start, began, run, callbacks, spent)
    members = [*proposer.population, *_rated(scorer, opening.others)]
    candidates = _candidates(sorted(members, reverse=True), evaluator, sign, settings)
    if opening.is_proven and stopped in ("evaluations", "patience"):
        stopped = "gap"
    evaluations = max(1, spent + proposer.proposals)
    return Outcome(
        candidates, stopped, evaluations, loop.elapsed_s, opening.bound, error=loop.error, band=evaluator.band
    )


def _open(make: Make, settings: SearchSettings, evaluator: Evaluator, began: float, callbacks: Callbacks) -> Opening:
    """The opening without an exact search: a member within the limits, or the evenest that several searches find."""
    walk = Random(settings.score.seed)
    start = find_start(evaluator, settings.limits, lambda genome: evaluator.space.neighbour(genome, walk))
    evaluator.spec(start)  # a map too small for the strides of the space is an error now, not after the search
    if settings.evenness is None:
        return Opening(start)
    best, spent, is_whole = _find_evenest(make, settings, evaluator, start, began, callbacks)
    return Opening(best, evenest=best, spent=spent, is_whole=is_whole)


def _kept_opening(run: RunDirectory | None, evaluator: Evaluator) -> Opening | None:
    """The opening of a run that goes on."""
    kept = run.read_opening() if run is not None else None
    if run is None or kept is None:
        return None
    try:
        opening = Opening(**kept)
        evenest = None if opening.evenest is None else evaluator.space.decode(opening.evenest)
        start, *others = (evaluator.space.decode(rows) for rows in (opening.start, *opening.others))
        return opening._replace(start=start, others=others, evenest=evenest, spent=int(opening.spent))
    except (ZenError, ValueError, TypeError, LookupError) as error:
        raise SourceError(f"{run.path}/{OPENING}: is damaged ({error}); start a new run") from None


def _band(settings: SearchSettings, evaluator: Evaluator, opening: Opening) -> Band:
    seed, width = evaluator.seed, settings.evenness
    assert width is not None
    try:
        found = network_evenness(evaluator.space.genes(opening.evenest, seed), seed.in_channels, seed.side)
    except (ZenError, ValueError, TypeError, LookupError) as error:
        raise SourceError(f"{OPENING}: is damaged ({error}); start a new run") from None
    return make_band(found, width, settings.limits, opening.even_bound)


def _climb(
    make: Make,
    settings: SearchSettings,
    evaluator: Evaluator,
    sign: int,
    scorer: Scorer,
    start: Any,
    began: float,
    run: RunDirectory | None,
    callbacks: Callbacks,
    spent: int = 0,
) -> tuple[Proposer, Loop, str]:
    """One search from a member on, after `spent` evaluations: the algorithm at its end, the loop, why it ended."""
    space = evaluator.space
    (rating,), _ = scorer.rate([start], lambda: False)
    if rating is None:
        raise RunError("the first network of the search has no score; use another estimator or proxy")
    proposer = make(space, (start, rating), settings)
    loop = make_loop(proposer, scorer, settings, callbacks, sign=sign, run=run, spent=spent, began=began)
    stopped = loop.run(lambda snapshot: callbacks.on_generation(snapshot, evaluator), callbacks.should_stop)
    return proposer, loop, stopped


def _find_evenest(
    make: Make, settings: SearchSettings, evaluator: Evaluator, start: Any, began: float, callbacks: Callbacks
) -> tuple[Any, int, bool]:
    """The evenest member found, the evaluations that it took, and whether nobody interrupted that."""
    space, limits, budget = evaluator.space, settings.limits, settings.budget
    most = min(budget.evaluations or DEFAULT_EVALUATIONS, DEFAULT_EVALUATIONS) // SHARE
    share = Budget(
        max(most, CLOSED_FORM_LINEAGES),
        *(None if limit is None else limit / STARTS for limit in (budget.seconds, budget.device_seconds)),
    )
    stage = settings.model_copy(
        update={"proxy": "even", "evenness": None, "budget": share, "lineages": CLOSED_FORM_LINEAGES}
    )
    sign, scorer = make_scorer(stage, evaluator)
    members: list[Member] = []
    spent, stopped = 0, ""
    for index in range(STARTS):
        score = settings.score.model_copy(update={"seed": (settings.score.seed + index) % 2**63})
        begin = start if index == 0 else wander(start, space.neighbour, partial(_admits, evaluator, limits), score.seed)
        one = stage.model_copy(update={"score": score})
        proposer, loop, stopped = _climb(
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


def named(spec: ArchSpec, space: str) -> ArchSpec:
    """A found network under the name of its space and the beginning of its id."""
    return spec.model_copy(update={"name": f"{space}-{spec.id[:8]}"})


def make_loop(
    proposer: Proposer,
    scorer: Scorer,
    settings: SearchSettings,
    callbacks: Callbacks,
    *,
    sign: int,
    run: RunDirectory | None,
    spent: int,
    began: float,
) -> Loop:
    """The loop that drives an algorithm by the settings of a search; other arguments as for `Loop`."""
    return Loop(
        proposer,
        scorer,
        decode=settings.space.decode,
        budget=settings.budget,
        patience=settings.patience,
        generation=max(settings.lineages, DEFAULT_POPULATION),
        sign=sign,
        run=run,
        warn=callbacks.warn,
        spent=spent,
        began=began,
        devices=_devices(settings, scorer, callbacks.executor),
    )


def _devices(settings: SearchSettings, scorer: Scorer, executor: Executor | None) -> Callable[[], int]:
    """How many devices a search keeps busy now: one where nothing is measured."""
    if not scorer.is_slow:
        return lambda: 1
    from ..metrics.monte_carlo.executors import chosen

    used = chosen(executor, settings.score.device)
    return lambda: used.devices


def make_scorer(settings: SearchSettings, evaluator: Evaluator, executor: Executor | None = None) -> tuple[int, Scorer]:
    """(sign of the metric that is searched for, its scorer); raises UsageError for an unknown metric."""
    limits, score = settings.limits, settings.score
    if settings.proxy is None and score.estimator == "mean-field":
        norm, alpha = score.norm, score.alpha
        return 1, ClosedFormScorer(evaluator, limits, lambda terms: terms.zen(norm, alpha), stages=False)
    if settings.proxy is None:
        return 1, BatchScorer(evaluator, limits, lambda specs: _measured(find("zen"), specs, score, executor))
    metric = find(settings.proxy, "proxy")
    sign, closed_form = metric.sign, metric.closed_form
    if closed_form is not None:
        form = closed_form
        return sign, ClosedFormScorer(evaluator, limits, lambda terms: sign * form(terms, score))
    return sign, BatchScorer(evaluator, limits, lambda specs: _measured(metric, specs, score, executor))


def _measured(
    metric: Metric, specs: Sequence[ArchSpec], settings: ScoreSettings, executor: Executor | None
) -> Iterator[float | RunError]:
    for row in metric.evaluate_all(specs, settings, executor=executor):
        yield row if isinstance(row, RunError) else metric.sign * row.value


def _rated(scorer: Scorer, genomes: Sequence[Any]) -> Iterator[Member]:
    """Those members that keep the limits, with their ratings."""
    ratings, _ = scorer.rate(genomes, lambda: False)
    for genome, rating in zip(genomes, ratings, strict=True):
        if rating is not None:
            yield Member.of(genome, rating)


def _candidates(
    population: list[Member], evaluator: Evaluator, sign: int, settings: SearchSettings
) -> tuple[Candidate, ...]:
    """The best of a population, best first; of different shapes unless the settings say otherwise."""
    count = max(settings.top, settings.verify)
    if not settings.similar:
        shapes = [shape_of(evaluator.space.genes(member.genome, evaluator.seed)) for member in population]
        places = different_first([member.score for member in population], shapes, count)
        population = [population[place] for place in places]
    found: dict[tuple[Chain, Cost], Candidate] = {}
    for member in population:
        spec = evaluator.spec(member.genome)
        # the same layers in other blocks, such as 2 + 4 sub-layers for 4 + 2, are no second network
        found.setdefault((spec.chain, spec.cost), Candidate(named(spec, evaluator.space.name), sign * member.score))
        if len(found) >= count:
            break
    return tuple(sorted(found.values(), key=lambda row: -sign * row.score))
