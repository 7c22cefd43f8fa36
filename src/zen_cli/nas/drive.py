"""From a problem and an algorithm that goes step by step to an outcome: the start, the scorer, the loop."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from ..net.counting import Cost
from ..net.layers import Chain
from ..net.spec import ArchSpec
from .algorithms.proposer import Member
from .climb import Make, climb, make_scorer
from .opening import Opener, Opening, band_of_opening, kept_opening, open_alone
from .outcome import Callbacks, Candidate, Outcome
from .rundir import RunDirectory
from .scorers import Evaluator, Scorer
from .settings import SearchSettings
from .shapes import different_first, shape_of

# Rounds without a better network, after an exact search that proved its network and one that did not.
AFTER_PROOF, AFTER_EXACT = 1, 3


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
        make: makes the algorithm from the space, a first network with its rating, the settings and the band.
        settings: what defines the search.
        run: where checkpoints and history go.
        callbacks: what is called on the way.
        opener: finds an opening from the settings, the callbacks and when the search began; None if it cannot.
    """
    began = time.monotonic()  # the opening counts as well
    evaluator = Evaluator(settings.space, settings.seed_network(), settings.score.convention)
    sign, scorer = make_scorer(settings, evaluator, callbacks.executor)
    opening = kept_opening(run, evaluator)
    if opening is None:
        opening = opener(settings, callbacks, began) or open_alone(make, settings, evaluator, began, callbacks)
        if run is not None and opening.is_whole:
            run.write_opening(opening._asdict())
        elif not opening.is_whole:
            run = None
    if settings.evenness is not None:
        evaluator.band = band_of_opening(settings, evaluator, opening)
    spent, budget = opening.spent, settings.budget
    if budget.evaluations is not None:
        budget = budget._replace(evaluations=max(1, budget.evaluations - spent))
    patience = settings.patience or _patience_after(opening)
    rest = settings.model_copy(update={"budget": budget, "patience": patience})
    proposer, loop, stopped = climb(make, rest, evaluator, sign, scorer, opening.start, began, run, callbacks, spent)
    members = [*proposer.population, *_rated(scorer, opening.others)]
    candidates = _candidates(sorted(members, reverse=True), evaluator, sign, settings)
    candidates = tuple(row._replace(measured=scorer.measured.get(row.spec.id)) for row in candidates)
    if opening.is_proven and stopped in ("evaluations", "patience"):
        stopped = "gap"
    evaluations = max(1, spent + proposer.proposals)
    return Outcome(
        candidates, stopped, evaluations, loop.elapsed_s, opening.bound, error=loop.error, band=evaluator.band
    )


def _patience_after(opening: Opening) -> int | None:
    """The rounds without a better network after which an evolution from an opening ends, where nothing else is said."""
    if opening.is_proven:
        return AFTER_PROOF
    return AFTER_EXACT if opening.is_exact else None


def named(spec: ArchSpec, space: str) -> ArchSpec:
    """A found network under the name of its space and the beginning of its id."""
    return spec.model_copy(update={"name": f"{space}-{spec.id[:8]}"})


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
