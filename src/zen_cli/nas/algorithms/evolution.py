"""The evolution: a few lineages that cool down, and the population of the best networks they met. No I/O.

In a step every lineage proposes a neighbour (`propose`) and learns its rating (`tell`). A worse neighbour is accepted
with probability exp(-loss / T): Metropolis' rule. The temperature T falls through a round of proposals; the next round
is twice as long and hot again, half of its lineages at the best network so far and half at the beginning. So a short
search has an answer and a long one a better answer, and a search of n proposals is always the beginning of one of 2n. A
lineage may also continue from another one with a better score.

Why not keep the best 512 and mutate those, as published: at the edge of a limit four in five neighbours break it, and a
population that only climbs ends on the first ridge it meets (`benchmarks/search.py` has both).

In a band of evenness one neighbour in fifty keeps the limits. There a local search carries each proposal to where no
change of one or two blocks makes it better, after a few moves at random (`descent`).

Sources: Kirkpatrick et al., *Optimization by simulated annealing* (1983); Martin, Otto and Felten, *Large-step Markov
chains for the traveling salesman problem* (1991), for local searches as the steps of one.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence
from random import Random
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ..shapes import shape_of
from .descent import Descent, make_descent
from .proposer import Member, Rating

if TYPE_CHECKING:
    from ..band import Band
    from ..outcome import Callbacks, Outcome
    from ..rundir import RunDirectory
    from ..settings import SearchSettings
    from ..space import Space

FIRST_ROUND = 15_480
HOT, COLD = 2.5e-3, 1e-4  # temperatures at both ends of a round, as shares of the best score
FOLLOW = 0.03
SHAPES = 64  # shapes of which the best network is remembered, beside the population
KICK = 4  # at most so many moves before a descent

Word = Annotated[int, Field(ge=0, lt=2**32)]
Count = Annotated[int, Field(ge=0, lt=2**63)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Negative = Annotated[int, Field(le=0, gt=-(2**63))]
MemberRow = tuple[Finite, Negative, Negative, Any]
RandomState = tuple[Literal[3], Annotated[tuple[Word, ...], Field(min_length=625, max_length=625)], Finite | None]

_WORST = Member(-math.inf, 0, 0, None)


class EvolutionState(BaseModel):
    """What a checkpoint holds of an evolution."""

    model_config = ConfigDict(extra="forbid")

    random: RandomState
    lineages: Annotated[list[MemberRow], Field(min_length=1)]
    population: Annotated[list[MemberRow], Field(min_length=1)]
    shapes: Annotated[list[MemberRow], Field(max_length=2 * SHAPES)]
    best: MemberRow
    proposals: Count
    round: Annotated[int, Field(ge=0, lt=64)]
    idle_rounds: Count
    round_began: Count
    best_before: Finite | None


class Evolution:
    """The state of a search; everything random follows from its seed.

    Args:
        neighbour: a random move of the space, (genome, generator) -> genome.
        start: a member within the limits, with its rating.
        seed: of the generator.
        population: how many networks are remembered.
        lineages: how many change side by side: the proposals of one step.
        identity: equal for genomes that are the same network.
        shape: of a genome; the best network of each shape is remembered too. By default all are of one shape.
        descent: a local search that carries each proposal on, where there is one.
    """

    def __init__(
        self,
        neighbour: Callable[[Any, Random], Any],
        start: tuple[Any, Rating],
        *,
        seed: int,
        population: int,
        lineages: int,
        identity: Callable[[Any], Any] = lambda genome: genome,
        shape: Callable[[Any], Any] = lambda _: None,
        descent: Descent | None = None,
    ) -> None:
        self._neighbour = neighbour
        self._descent = descent
        self._shape = shape
        self._identity = identity
        self._capacity = population
        self._start = first = Member.of(*start)
        self._random = Random(seed)
        self._lineages = [first] * lineages
        self._proposals: list[tuple[int | None, Any]] = []
        self._spent = lineages
        self._heap = [first]
        self._known = {identity(first.genome)}
        self._shapes = {shape(first.genome): (first, identity(first.genome))}  # the best network of each
        self.best = first
        self.proposals = 0
        self.round = 0
        self.idle_rounds = 0
        self._round_began = 0
        self._best_before = -math.inf

    @property
    def population(self) -> list[Member]:
        """The best networks so far, and the best one of each shape, best first, no two alike."""
        # None of those below the worst of a full heap is in it; to look for an identity takes much longer.
        worst = self._heap[0].score if len(self._heap) == self._capacity else -math.inf
        others = (row for row, key in self._shapes.values() if row.score < worst or key not in self._known)
        return sorted([*self._heap, *others], reverse=True)

    @property
    def step(self) -> int:
        """Proposals of one step; the most that it may be where a local search counts them."""
        return len(self._lineages) if self._carries is None else self._carries.most

    @property
    def _carries(self) -> Descent | None:
        """The local search, once it is time for it."""
        return self._descent if self._descent is not None and self.proposals >= self._descent.after else None

    @property
    def round_size(self) -> int:
        """Proposals of the present round; with a local search, which is at its best soon, no longer than the second."""
        return FIRST_ROUND << (self.round if self._descent is None else min(self.round, 1))

    @property
    def temperature(self) -> float:
        """How large a loss is accepted by about one in three."""
        if self._carries is not None:
            return self._carries.temperature
        progress = (self.proposals - self._round_began) / self.round_size
        hot = max(abs(self.best.score), 1e-9) * HOT
        return hot * math.pow(COLD / HOT, progress)

    def propose(self) -> list[Any]:
        """A neighbour of each lineage, without those where the move led back to where it began.

        With a local search, of one lineage, and the best networks of other shapes that it met.
        """
        random, parents, descent = self._random, list(self._lineages), self._carries
        self._proposals, self._spent = [], len(parents)
        some = range(len(parents)) if descent is None else [int(random.random() * len(parents))]
        for index in some:
            member = parents[index]
            if random.random() < FOLLOW:
                other = parents[int(random.random() * len(parents))]
                member = other if other.score > member.score else member
            genome = self._neighbour(member.genome, random)
            if descent is not None:
                for _ in range(int(random.random() * KICK)):
                    genome = self._neighbour(genome, random)
                genome, self._spent, others = descent(genome)
                self._proposals += [(None, other) for other in others]
            if genome == member.genome:
                self._lineages[index] = member
            else:
                self._proposals.append((index, genome))
        return [genome for _, genome in self._proposals]

    def tell(self, ratings: Sequence[Rating | None]) -> None:
        """The ratings of what `propose` gave, in order; None for what cannot be had."""
        temperature = self.temperature
        for (index, genome), rating in zip(self._proposals, ratings, strict=True):
            if rating is None:
                continue
            if index is None:  # met on the way of a descent
                self._remember_shape(Member.of(genome, rating), self._identity(genome))
                continue
            loss = self._lineages[index].score - rating.score
            if loss > 0 and self._random.random() >= math.exp(-loss / temperature):
                continue
            member = Member.of(genome, rating)
            self._lineages[index] = member
            self._remember(member)
        self.proposals += self._spent
        if self.proposals - self._round_began >= self.round_size:
            self._next_round()

    def _remember(self, member: Member) -> None:
        identity = self._identity(member.genome)
        if identity in self._known:
            return
        self._remember_shape(member, identity)
        if len(self._heap) < self._capacity:
            heapq.heappush(self._heap, member)
        elif member > self._heap[0]:
            self._known.remove(self._identity(heapq.heappushpop(self._heap, member).genome))
        else:
            return
        self._known.add(identity)
        self.best = max(self.best, member)

    def _remember_shape(self, member: Member, identity: Any) -> None:
        shape = self._shape(member.genome)
        if member.score <= self._shapes.get(shape, (_WORST, None))[0].score:
            return
        self._shapes[shape] = member, identity
        if len(self._shapes) > 2 * SHAPES:
            self._shapes = dict(sorted(self._shapes.items(), key=lambda item: item[1][0], reverse=True)[:SHAPES])

    def _next_round(self) -> None:
        self.idle_rounds = 0 if self.best.score > self._best_before else self.idle_rounds + 1
        self._best_before = self.best.score
        self.round += 1
        self._round_began = self.proposals
        count = len(self._lineages)
        half = count // 2
        self._lineages = [self._start] * (count - half) + [self.best] * half

    def state(self) -> dict[str, Any]:
        """All of it as JSON types; see `EvolutionState`."""
        version, numbers, gauss = self._random.getstate()
        return {
            "random": [version, list(numbers), gauss],
            "lineages": [list(member) for member in self._lineages],
            "population": [list(member) for member in self._heap],
            "shapes": [list(member) for member, _ in self._shapes.values()],
            "best": list(self.best),
            "proposals": self.proposals,
            "round": self.round,
            "idle_rounds": self.idle_rounds,
            "round_began": self._round_began,
            "best_before": None if math.isinf(self._best_before) else self._best_before,
        }

    def restore(self, state: Any, decode: Callable[[Any], Any]) -> None:
        """Goes on from what `state` gave; `decode` makes a genome of its JSON form.

        Raises:
            ValueError: this is not a state of an evolution with these lineages and this population.
        """
        known = EvolutionState.model_validate(state)
        if len(known.lineages) != len(self._lineages) or len(known.population) > self._capacity:
            raise ValueError("lineages or population: not those of the settings")

        def member(row: MemberRow) -> Member:
            score, params, macs, genome = row
            return Member(score, params, macs, decode(genome))

        version, numbers, gauss = known.random
        self._random.setstate((version, numbers, gauss))
        self._lineages = [member(row) for row in known.lineages]
        self._heap = [member(row) for row in known.population]
        heapq.heapify(self._heap)
        self._shapes = {self._shape(one.genome): (one, self._identity(one.genome)) for one in map(member, known.shapes)}
        self._known = {self._identity(row.genome) for row in self._heap}
        self.best = member(known.best)
        self.proposals, self.round = known.proposals, known.round
        self.idle_rounds, self._round_began = known.idle_rounds, known.round_began
        self._best_before = -math.inf if known.best_before is None else known.best_before


class _EvolutionAlgorithm:
    """The evolution as an entry of the table of algorithms."""

    summary = "lineages that cool down; any space, any metric"
    unit = "evaluations"
    uses = frozenset({"population", "lineages", "patience", "evenness"})

    def supports(self, settings: SearchSettings) -> str:
        return ""

    def search(self, settings: SearchSettings, run: RunDirectory | None, callbacks: Callbacks) -> Outcome:
        from ..drive import drive

        return drive(make, settings, run, callbacks)


def make(space: Space, start: tuple[Any, Rating], settings: SearchSettings, band: Band | None) -> Evolution:
    """An evolution from a first network, by the settings of a search, in a band of evenness if there is one."""
    seed = settings.seed_network()
    return Evolution(
        space.neighbour,
        start,
        seed=settings.score.seed,
        population=settings.population,
        lineages=settings.lineages,
        identity=space.identity,
        shape=lambda genome: shape_of(space.genes(genome, seed)),
        descent=make_descent(settings, band),
    )


ALGORITHM = _EvolutionAlgorithm()
