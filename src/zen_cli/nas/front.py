"""Fronts: the best score below each limit of a ladder over the costs, in one search.

The exact search solves one limit after the other, so that each network has its bound; the evolution has lineages below
all limits at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import zip_longest
from random import Random
from typing import TYPE_CHECKING, Any

from ..errors import RunError, SourceError, SpecError, ZenError
from ..metrics import find
from ..metrics.block_terms import Terms
from ..metrics.evenness import network_evenness
from ..metrics.settings import ScoreSettings
from .algorithms.descent import make_descents
from .algorithms.proposer import Member, Rating
from .band import SHARE, STARTS, Band, make_band
from .climb import make_loop, make_scorer
from .drive import named
from .front_opening import Rung, can_open_front, open_front
from .limits import Limits
from .loop import Loop
from .options import DEFAULT_EVALUATIONS
from .outcome import Callbacks, Candidate, Outcome
from .rundir import RunDirectory
from .scorers import Evaluator, Scorer
from .settings import SearchSettings
from .start import find_start

if TYPE_CHECKING:
    from .algorithms.front import FrontEvolution

TRIES = 2000  # moves to look for a member below each limit
SPAN = 10  # a front goes down to this part of its limits


def front_limits(settings: SearchSettings, count: int) -> list[Limits]:
    """The limits of a problem with those of its front's costs spread over their range, the lowest first."""
    from .pareto import ladder

    limits, costs = settings.limits, settings.front
    high = [limits[name] for name in costs]
    low = [min(most, max(most / SPAN, least)) for most, least in zip(high, _least_costs(settings), strict=True)]
    rows = ladder(low, high, count).tolist()
    return [
        limits.replace(**{name: _bound(name, value) for name, value in zip(costs, row, strict=True)}) for row in rows
    ]


def _least_costs(settings: SearchSettings) -> list[float]:
    """The lowest of each cost of the front among the smallest members of the space."""
    space, seed = settings.space, settings.seed_network()
    evaluator = Evaluator(space, seed, settings.score.convention)
    found = [evaluator.terms(genome) for genome in (space.start(seed), *space.smallest(seed))]
    metrics = [find(name) for name in settings.front]
    return [min(metric.value_of(terms, settings.score) for terms in found if terms is not None) for metric in metrics]


def _bound(name: str, value: float) -> float:
    return max(1, int(value)) if name in Terms._fields else value


def evolve_front(settings: SearchSettings, run: RunDirectory | None, callbacks: Callbacks) -> Outcome:
    """The front by an evolution; arguments and errors as for `Algorithm.search`."""
    return _Evolving(settings, run, callbacks).search()


class _Evolving:
    """One search for a front: its problem, and what its stages share."""

    def __init__(self, settings: SearchSettings, run: RunDirectory | None, callbacks: Callbacks) -> None:
        self.settings, self.run, self.callbacks = settings, run, callbacks
        self.began = time.monotonic()
        self.evaluator = Evaluator(settings.space, settings.seed_network(), settings.score.convention)
        self.cost_of = make_cost(self.evaluator, settings.front, settings.score)
        self.rungs, self.starts = self._starts()
        self.bands: list[Band] = []
        self.opened: list[Rung] = []

    def _starts(self) -> tuple[list[Limits], list[Any]]:
        """The limits that some member keeps, and a member below each.

        Raises:
            SpecError: no member keeps even the highest.
        """
        evaluator, walk = self.evaluator, Random(self.settings.score.seed)

        def neighbour(genome: Any) -> Any:
            return evaluator.space.neighbour(genome, walk)

        *rest, highest = front_limits(self.settings, self.settings.lineages)
        rows = [(highest, find_start(evaluator, highest, neighbour))]
        evaluator.spec(rows[0][1])  # a map too small for the strides of the space is an error now, not after the search
        for limits in reversed(rest):
            with suppress(SpecError):
                rows.append((limits, find_start(evaluator, limits, neighbour, tries=TRIES)))
        rungs, starts = zip(*reversed(rows), strict=True)
        return list(rungs), list(starts)

    def search(self) -> Outcome:
        """The front."""
        settings, spent = self.settings, 0
        if can_open_front(settings):
            ladder = front_limits(settings, settings.top)
            self.opened, is_whole = open_front(settings, ladder, self.evaluator, self.run, self.callbacks)
            self.run = self.run if is_whole else None  # it would keep a state without the other limits
            if self.opened:
                return self._go_on(is_interrupted=not is_whole)
        if settings.evenness is not None:
            spent = self._enter_bands()
        budget = settings.budget
        if budget.evaluations is not None:
            budget = budget._replace(evaluations=max(1, budget.evaluations - spent))
        rest = settings.model_copy(update={"budget": budget})
        sign, proposer, loop, stopped = self._climb(rest, self.run, spent)
        candidates = self._candidates(proposer.population, sign)
        return Outcome(candidates, stopped, max(1, spent + proposer.proposals), loop.elapsed_s, error=loop.error)

    def _go_on(self, *, is_interrupted: bool) -> Outcome:
        """The front from what the exact search knows of each limit; an evolution where it proved nothing."""
        settings, opened = self.settings, self.opened
        sign, scorer = make_scorer(settings, self.evaluator)
        known = [genome for rung in opened for genome in (rung.opening.start, *rung.opening.others)]
        members = [Member.of(*row) for row in zip(known, _rate(scorer, known), strict=True)]
        left = [rung for rung in opened if not rung.opening.is_proven]
        error, proposals, stopped, elapsed = None, 0, "gap", time.monotonic() - self.began
        if is_interrupted:
            stopped, left = "interrupted", []
        if left:
            budget = settings.budget
            if budget.evaluations is not None:
                budget = budget._replace(evaluations=max(1, budget.evaluations * len(left) // len(opened)))
            self.rungs, self.bands = [rung.limits for rung in left], [rung.band for rung in left]
            self.starts = [rung.opening.start for rung in left]
            rest = settings.model_copy(update={"budget": budget})
            sign, proposer, loop, stopped = self._climb(rest, self.run, known=members)
            members += proposer.population
            error, proposals, elapsed = loop.error, proposer.proposals, loop.elapsed_s
        self.rungs, self.bands = [rung.limits for rung in opened], [rung.band for rung in opened]
        members.sort(reverse=True)
        bound = opened[-1].opening.bound if opened[-1].limits == settings.limits else None
        return Outcome(self._candidates(members, sign), stopped, max(1, proposals), elapsed, bound, error=error)

    def _climb(
        self,
        settings: SearchSettings,
        run: RunDirectory | None,
        spent: int = 0,
        known: Sequence[Member] = (),
    ) -> tuple[int, FrontEvolution, Loop, str]:
        """One evolution after `spent` evaluations: the sign of its score, it and its loop at the end, why it ended.

        `known` are more members to go on from.
        """
        from .algorithms.front import FrontEvolution

        space, callbacks = self.evaluator.space, self.callbacks
        sign, scorer = make_scorer(settings, self.evaluator, callbacks.executor)
        proposer = FrontEvolution(
            space.neighbour,
            list(zip(self.starts, _rate(scorer, self.starts), strict=True)),
            [tuple(limits[name] for name in settings.front) for limits in self.rungs],
            self.cost_of,
            seed=settings.score.seed,
            population=settings.population,
            admits=self._admits if self.bands else None,
            descents=make_descents(settings, list(zip_longest(self.rungs, self.bands))),
            known=known,
        )
        began = self.began
        loop = make_loop(proposer, scorer, settings, callbacks, sign=sign, run=run, spent=spent, began=began)
        evaluator = self.evaluator
        stopped = loop.run(lambda snapshot: callbacks.on_generation(snapshot, evaluator), callbacks.should_stop)
        return sign, proposer, loop, stopped

    def _enter_bands(self) -> int:
        """Finds the evenest network below each limit, from which the search goes on; the evaluations that it took.

        A resumed run keeps them. One that is interrupted before writes no checkpoint: it begins anew.
        """
        settings, space = self.settings, self.evaluator.space
        kept = self.run.read_opening() if self.run is not None else None
        if self.run is not None and kept is not None:
            try:
                self.starts, spent = [space.decode(row) for row in kept["best"]], int(kept["spent"])
            except (ZenError, ValueError, TypeError, LookupError) as error:
                raise SourceError(f"{self.run.path}/opening.json: is damaged ({error}); start a new run") from None
        else:
            spent, is_whole = self._find_evenest()
            if self.run is not None and is_whole:
                self.run.write_opening({"best": self.starts, "spent": spent})
            elif not is_whole:
                self.run = None
        seed, width = self.evaluator.seed, settings.evenness
        assert width is not None
        for limits, start in zip(self.rungs, self.starts, strict=True):
            found = network_evenness(space.genes(start, seed), seed.in_channels, seed.side)
            self.bands.append(make_band(found, width, limits))
        return spent

    def _find_evenest(self) -> tuple[int, bool]:
        """Makes the evenest member below each limit its start; the evaluations, and whether nobody interrupted that."""
        settings, budget = self.settings, self.settings.budget
        most = min(budget.evaluations or DEFAULT_EVALUATIONS, DEFAULT_EVALUATIONS) * STARTS // SHARE
        share = budget._replace(
            evaluations=max(most, settings.lineages),
            seconds=None if budget.seconds is None else budget.seconds / STARTS,
            device_seconds=None if budget.device_seconds is None else budget.device_seconds / STARTS,
        )
        stage = settings.model_copy(update={"proxy": "even", "evenness": None, "budget": share})
        _, proposer, loop, stopped = self._climb(stage, None)
        if loop.error is not None:
            raise loop.error
        members = proposer.population
        for index, limits in enumerate(self.rungs):
            below = [limits[name] for name in settings.front]
            best = next((row for row in members if _is_below(self.cost_of(row), below)), None)
            self.starts[index] = self.starts[index] if best is None else best.genome
        return proposer.proposals, stopped != "interrupted"

    def _admits(self, index: int, genome: Any) -> bool:
        seed = self.evaluator.seed
        genes = self.evaluator.space.genes(genome, seed)
        return self.bands[index].admits(genes, (seed.in_channels, seed.side))

    def _candidates(self, members: Sequence[Member], sign: int) -> tuple[Candidate, ...]:
        """Networks spread over the range, the highest score first."""
        from .pareto import spread

        settings, evaluator = self.settings, self.evaluator
        rungs = front_limits(settings, settings.top)
        below = [[limits[name] for name in settings.front] for limits in rungs]
        rows = spread([self.cost_of(member) for member in members], [member.score for member in members], below)
        found = []
        for index, rung in sorted(rows):  # members are sorted, the best first
            member = members[index]
            places = reversed(range(len(self.bands))) if self.opened else range(len(self.bands))
            place = next((place for place in places if self._holds(place, member)), None)
            band = None if place is None else self.bands[place]
            spec = named(evaluator.spec(member.genome), evaluator.space.name)
            candidate = Candidate(spec, sign * member.score, limits=rungs[rung], band=band)
            found.append(candidate if place is None or not self.opened else self._bounded(candidate, place))
        return tuple(found)

    def _bounded(self, candidate: Candidate, place: int) -> Candidate:
        """A network with the limits of its band, and what none there exceeds, where that says something."""
        bound = self.opened[place].opening.bound
        if bound is not None:
            bound = max(bound, candidate.score) if bound < 2 * candidate.score else None
        return candidate._replace(limits=self.opened[place].limits, bound=bound)

    def _holds(self, place: int, member: Member) -> bool:
        """Whether a member is below the limit of a lineage and in its band."""
        limits = [self.rungs[place][name] for name in self.settings.front]
        return _is_below(self.cost_of(member), limits) and self._admits(place, member.genome)


def make_cost(
    evaluator: Evaluator, names: Sequence[str], score: ScoreSettings
) -> Callable[[Member], tuple[float, ...]]:
    """A function from members to their costs, by the names of metrics; `score` says on which target they are."""
    if set(names) <= {"params", "macs"}:
        return lambda member: tuple(float(-getattr(member, name)) for name in names)
    metrics = [find(name) for name in names]

    @lru_cache(maxsize=8192)
    def costs(genome: Any) -> tuple[float, ...]:
        terms = evaluator.terms(genome)
        assert terms is not None  # without limits there always are some
        return tuple(float(metric.value_of(terms, score)) for metric in metrics)

    return lambda member: costs(member.genome)


def _rate(scorer: Scorer, genomes: Sequence[Any]) -> list[Rating]:
    ratings, _ = scorer.rate(list(genomes), lambda: False)
    found = [rating for rating in ratings if rating is not None]
    if len(found) < len(genomes):
        raise RunError("the first networks of the search have no score; use another estimator or proxy")
    return found


def _is_below(costs: Sequence[float], limits: Sequence[float]) -> bool:
    return all(cost <= limit for cost, limit in zip(costs, limits, strict=True))
