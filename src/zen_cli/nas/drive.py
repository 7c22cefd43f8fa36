"""From a problem and an algorithm that goes step by step to an outcome: the start, the scorer, the loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

from ..errors import RunError
from ..metrics import Metric, find
from ..metrics.settings import ScoreSettings
from ..net.counting import Cost
from ..net.layers import Chain
from ..net.spec import ArchSpec
from .algorithms.proposer import Member, Proposer, Rating
from .loop import Loop
from .options import DEFAULT_POPULATION
from .outcome import Callbacks, Candidate, Outcome
from .rundir import RunDirectory
from .scorers import BatchScorer, ClosedFormScorer, Ledger, Scorer, find_start
from .settings import SearchSettings
from .space import Space

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
    sign, scorer = make_scorer(settings, ledger)
    walk = Random(settings.score.seed)
    start = find_start(ledger, settings.limits, lambda genome: space.neighbour(genome, walk))
    ledger.spec(start)  # a map too small for the strides of the space is an error now, not after the search
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
        began=began,
    )
    stopped = loop.run(lambda snapshot: callbacks.on_generation(snapshot, ledger), callbacks.should_stop)
    candidates = _candidates(proposer.population, ledger, sign, max(settings.top, settings.verify))
    return Outcome(candidates, stopped, max(1, proposer.proposals), loop.elapsed_s, error=loop.error)


def named(spec: ArchSpec, space: str) -> ArchSpec:
    """A found network under the name of its space and the beginning of its id."""
    return spec.model_copy(update={"name": f"{space}-{spec.id[:8]}"})


def make_scorer(settings: SearchSettings, ledger: Ledger) -> tuple[int, Scorer]:
    """(sign of the metric that is searched for, its scorer); raises UsageError for an unknown metric."""
    limits, score = settings.limits, settings.score
    if settings.proxy is None and score.estimator == "mean-field":
        norm, alpha = score.norm, score.alpha
        return 1, ClosedFormScorer(ledger, limits, lambda terms: terms.zen(norm, alpha), stages=False)
    if settings.proxy is None:
        return 1, BatchScorer(ledger, limits, lambda specs: _measured(find("zen"), specs, score))
    metric = find(settings.proxy, "proxy")
    sign, closed_form = metric.sign, metric.closed_form
    if closed_form is not None:
        form = closed_form
        return sign, ClosedFormScorer(ledger, limits, lambda terms: sign * form(terms, score))
    return sign, BatchScorer(ledger, limits, lambda specs: _measured(metric, specs, score))


def _measured(metric: Metric, specs: Sequence[ArchSpec], settings: ScoreSettings) -> Iterator[float | RunError]:
    for row in metric.evaluate_all(specs, settings):
        yield row if isinstance(row, RunError) else metric.sign * row.value


def _candidates(population: list[Member], ledger: Ledger, sign: int, count: int) -> tuple[Candidate, ...]:
    found: dict[tuple[Chain, Cost], Candidate] = {}
    for member in population:
        spec = ledger.spec(member.genome)
        # the same layers in other blocks, such as 2 + 4 sub-layers for 4 + 2, are no second network
        found.setdefault((spec.chain, spec.cost), Candidate(named(spec, ledger.space.name), sign * member.score))
        if len(found) >= count:
            break
    return tuple(found.values())
