"""From a problem and an algorithm that goes step by step to an outcome: the start, the scorer, the loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

from ..errors import RunError, SourceError, ZenError
from ..metrics import Metric, find
from ..metrics.evenness import network_evenness
from ..metrics.settings import ScoreSettings
from ..net.counting import Cost
from ..net.layers import Chain
from ..net.spec import ArchSpec
from .algorithms.proposer import Member, Proposer, Rating
from .band import SHARE, STARTS, make_band, wander
from .budget import Budget
from .limits import Limits
from .loop import Loop
from .options import CLOSED_FORM_LINEAGES, DEFAULT_EVALUATIONS, DEFAULT_POPULATION
from .outcome import Callbacks, Candidate, Outcome
from .rundir import RunDirectory
from .scorers import BatchScorer, ClosedFormScorer, Ledger, Scorer, find_start
from .settings import SearchSettings
from .shapes import different_first, shape_of
from .space import Space

if TYPE_CHECKING:
    from ..metrics.monte_carlo.executors import Executor

Make = Callable[[Space, tuple[Any, Rating], SearchSettings], Proposer]


def drive(make: Make, settings: SearchSettings, run: RunDirectory | None, callbacks: Callbacks) -> Outcome:
    """Searches by an algorithm that proposes and is told; arguments and errors as for `Algorithm.search`.

    Args:
        make: makes the algorithm from the space, a first network with its rating, and the settings.
        settings: what defines the search.
        run: where checkpoints and history go.
        callbacks: what is called on the way.
    """
    began = time.monotonic()  # the first network counts as well
    space, seed = settings.space, settings.seed_network()
    ledger = Ledger(space, seed, settings.score.convention)
    sign, scorer = make_scorer(settings, ledger, callbacks.executor)
    walk = Random(settings.score.seed)
    start = find_start(ledger, settings.limits, lambda genome: space.neighbour(genome, walk))
    ledger.spec(start)  # a map too small for the strides of the space is an error now, not after the search
    spent = 0
    if settings.evenness is not None:
        start, spent, run = _enter_band(make, settings, ledger, start, began, run, callbacks)
    budget = settings.budget
    if budget.evaluations is not None:
        budget = budget._replace(evaluations=max(1, budget.evaluations - spent))
    rest = settings.model_copy(update={"budget": budget})
    proposer, loop, stopped = _climb(make, rest, ledger, sign, scorer, start, began, run, callbacks, spent)
    candidates = _candidates(proposer.population, ledger, sign, settings)
    evaluations = max(1, spent + proposer.proposals)
    return Outcome(candidates, stopped, evaluations, loop.elapsed_s, error=loop.error, band=ledger.band)


def _climb(
    make: Make,
    settings: SearchSettings,
    ledger: Ledger,
    sign: int,
    scorer: Scorer,
    start: Any,
    began: float,
    run: RunDirectory | None,
    callbacks: Callbacks,
    spent: int = 0,
) -> tuple[Proposer, Loop, str]:
    """One search from a member on, after `spent` evaluations: the algorithm at its end, the loop, why it ended."""
    space = ledger.space
    (rating,), _ = scorer.rate([start], lambda: False)
    if rating is None:
        raise RunError("the first network of the search has no score; use another estimator or proxy")
    proposer = make(space, (start, rating), settings)
    loop = Loop(
        proposer,
        scorer,
        decode=space.decode,
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
    stopped = loop.run(lambda snapshot: callbacks.on_generation(snapshot, ledger), callbacks.should_stop)
    return proposer, loop, stopped


def _enter_band(
    make: Make,
    settings: SearchSettings,
    ledger: Ledger,
    start: Any,
    began: float,
    run: RunDirectory | None,
    callbacks: Callbacks,
) -> tuple[Any, int, RunDirectory | None]:
    """Gives the ledger its band; the evenest member found, the evaluations that it took, and where checkpoints go.

    A resumed run keeps its band. One that is interrupted before it has a band writes no checkpoint: it begins anew.
    """
    space, seed, width = ledger.space, ledger.seed, settings.evenness
    assert width is not None
    kept = run.read_band() if run is not None else None
    if run is not None and kept is not None:
        try:
            best, spent = space.decode(kept["best"]), int(kept["spent"])
        except (ZenError, ValueError, TypeError, LookupError) as error:
            raise SourceError(f"{run.path}/band.json: is damaged ({error}); start a new run") from None
    else:
        best, spent, is_whole = _find_evenest(make, settings, ledger, start, began, callbacks)
        if run is not None and is_whole:
            run.write_band({"best": best, "spent": spent})
        elif not is_whole:
            run = None
    found = network_evenness(space.genes(best, seed), seed.in_channels, seed.resolution)
    ledger.band = make_band(found, width, settings.limits)
    return best, spent, run


def _find_evenest(
    make: Make, settings: SearchSettings, ledger: Ledger, start: Any, began: float, callbacks: Callbacks
) -> tuple[Any, int, bool]:
    """The evenest member found, the evaluations that it took, and whether nobody interrupted that."""
    space, limits, budget = ledger.space, settings.limits, settings.budget
    most = min(budget.evaluations or DEFAULT_EVALUATIONS, DEFAULT_EVALUATIONS) // SHARE
    share = Budget(
        max(most, CLOSED_FORM_LINEAGES),
        *(None if limit is None else limit / STARTS for limit in (budget.seconds, budget.device_seconds)),
    )
    stage = settings.model_copy(
        update={"proxy": "even", "evenness": None, "budget": share, "lineages": CLOSED_FORM_LINEAGES}
    )
    sign, scorer = make_scorer(stage, ledger)
    members: list[Member] = []
    spent, stopped = 0, ""
    for index in range(STARTS):
        score = settings.score.model_copy(update={"seed": (settings.score.seed + index) % 2**63})
        begin = start if index == 0 else wander(start, space.neighbour, partial(_admits, ledger, limits), score.seed)
        one = stage.model_copy(update={"score": score})
        proposer, loop, stopped = _climb(
            make, one, ledger, sign, scorer, begin, began, None, callbacks._replace(on_generation=lambda *_: None)
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


def _admits(ledger: Ledger, limits: Limits, genome: Any) -> bool:
    return ledger.terms(genome, limits) is not None


def named(spec: ArchSpec, space: str) -> ArchSpec:
    """A found network under the name of its space and the beginning of its id."""
    return spec.model_copy(update={"name": f"{space}-{spec.id[:8]}"})


def _devices(settings: SearchSettings, scorer: Scorer, executor: Executor | None) -> Callable[[], int]:
    """How many devices a search keeps busy now: one where nothing is measured."""
    if not scorer.is_slow:
        return lambda: 1
    from ..metrics.monte_carlo.executors import chosen

    used = chosen(executor, settings.score.device)
    return lambda: used.devices


def make_scorer(settings: SearchSettings, ledger: Ledger, executor: Executor | None = None) -> tuple[int, Scorer]:
    """(sign of the metric that is searched for, its scorer); raises UsageError for an unknown metric."""
    limits, score = settings.limits, settings.score
    if settings.proxy is None and score.estimator == "mean-field":
        norm, alpha = score.norm, score.alpha
        return 1, ClosedFormScorer(ledger, limits, lambda terms: terms.zen(norm, alpha), stages=False)
    if settings.proxy is None:
        return 1, BatchScorer(ledger, limits, lambda specs: _measured(find("zen"), specs, score, executor))
    metric = find(settings.proxy, "proxy")
    sign, closed_form = metric.sign, metric.closed_form
    if closed_form is not None:
        form = closed_form
        return sign, ClosedFormScorer(ledger, limits, lambda terms: sign * form(terms, score))
    return sign, BatchScorer(ledger, limits, lambda specs: _measured(metric, specs, score, executor))


def _measured(
    metric: Metric, specs: Sequence[ArchSpec], settings: ScoreSettings, executor: Executor | None
) -> Iterator[float | RunError]:
    for row in metric.evaluate_all(specs, settings, executor=executor):
        yield row if isinstance(row, RunError) else metric.sign * row.value


def _candidates(population: list[Member], ledger: Ledger, sign: int, settings: SearchSettings) -> tuple[Candidate, ...]:
    """The best of a population, best first; of different shapes unless the settings say otherwise."""
    count = max(settings.top, settings.verify)
    if not settings.similar:
        shapes = [shape_of(ledger.space.genes(member.genome, ledger.seed)) for member in population]
        places = different_first([member.score for member in population], shapes, count)
        population = [population[place] for place in places]
    found: dict[tuple[Chain, Cost], Candidate] = {}
    for member in population:
        spec = ledger.spec(member.genome)
        # the same layers in other blocks, such as 2 + 4 sub-layers for 4 + 2, are no second network
        found.setdefault((spec.chain, spec.cost), Candidate(named(spec, ledger.space.name), sign * member.score))
        if len(found) >= count:
            break
    return tuple(sorted(found.values(), key=lambda row: -sign * row.score))
