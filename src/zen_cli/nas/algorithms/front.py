"""The evolution of a front: lineages side by side, each below its own limit of cost, and an archive of what none beats.

A lineage is that of `evolution`: it proposes neighbours and accepts a loss by Metropolis' rule while its temperature
falls. Its limit is one of a ladder from low to high cost. What a lineage meets goes into the archive, which keeps the
networks that no other one beats in score and all costs; a lineage may go on from another one or from the archive where
that is better below its own limit, so that a good shape spreads over the front. Each round is twice as long as the one
before; then half of the lineages begin again from the archive and half from where they began.

Where evenness counts, a local search carries each proposal on, below the limit of its lineage (`descent`). The lineages
take turns, and one local search in three begins at a lineage with a limit beside.

Source: the limits are the epsilon-constraint method (Haimes et al., 1971).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from random import Random
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from ..pareto import Floats, non_dominated
from .descent import Descent
from .evolution import COLD, FIRST_ROUND, HOT, KICK, Count, Finite, MemberRow, RandomState
from .proposer import Member, Rating

FOLLOW = 0.03
FROM_ARCHIVE = 0.01
BESIDE = 0.3  # of the local searches begin at a lineage with a limit beside
LONGEST = 2  # no round is longer than the first one doubled so often, where there are local searches
PENDING = 512  # networks that wait to be compared with the archive

Costs = tuple[float, ...]


class FrontState(BaseModel):
    """What a checkpoint holds of a front."""

    model_config = ConfigDict(extra="forbid")

    random: RandomState
    lineages: Annotated[list[MemberRow], Field(min_length=1)]
    archive: Annotated[list[MemberRow], Field(min_length=1)]
    pending: list[MemberRow]
    proposals: Count
    carried: Count
    round: Annotated[int, Field(ge=0, lt=64)]
    idle_rounds: Count
    round_began: Count
    area: Finite


class FrontEvolution:
    """The state of a search for a front; everything random follows from its seed.

    Args:
        neighbour: a random move of the space, (genome, generator) -> genome.
        starts: a member below each limit, with its rating.
        limits: of the costs, [L, C]; one lineage each.
        cost_of: the costs of a member.
        seed: of the generator.
        population: the most networks of the archive.
        admits: whether a lineage may have a member, by the number of the lineage; by default every one below its limit.
        descents: local searches, one below each limit, that carry the proposals on where there are some.
        known: more members, which go into the archive.
    """

    def __init__(
        self,
        neighbour: Callable[[Any, Random], Any],
        starts: Sequence[tuple[Any, Rating]],
        limits: Sequence[Costs],
        cost_of: Callable[[Member], Costs],
        *,
        seed: int,
        population: int,
        admits: Callable[[int, Any], bool] | None = None,
        descents: Sequence[Descent] = (),
        known: Sequence[Member] = (),
    ) -> None:
        self._neighbour, self._cost_of, self._admits = neighbour, cost_of, admits
        self._descents = descents
        self._limits, self._capacity = [tuple(map(float, limit)) for limit in limits], population
        self._random = Random(seed)
        self._starts = [Member.of(*start) for start in starts]
        self._lineages = list(self._starts)
        self._proposals: list[tuple[int, Any]] = []
        self._archive: list[Member] = []
        self._pending = [*self._starts, *known]
        self.proposals = self.carried = self.round = self.idle_rounds = self._round_began = 0
        self._spent = len(starts)
        self._area = 0.0
        self._merge()

    @property
    def population(self) -> list[Member]:
        """The networks that none beats, the highest score first."""
        return self._merged()

    @property
    def step(self) -> int:
        """Proposals of one step; the most that it may be where a local search counts them."""
        return self._descents[0].most if self._carries else len(self._lineages)

    @property
    def temperature(self) -> float:
        """The loss that about one in three may have, for the lineage of the highest score."""
        if self._carries:
            return self._descents[0].temperature
        return self._share * max(abs(member.score) for member in self._lineages)

    @property
    def _share(self) -> float:
        progress = (self.proposals - self._round_began) / self._round_size
        return HOT * math.pow(COLD / HOT, progress)

    @property
    def _round_size(self) -> int:
        """Proposals of the present round; with local searches, which are at their best soon, no longer than a few."""
        return FIRST_ROUND << (min(self.round, LONGEST) if self._descents else self.round)

    @property
    def _carries(self) -> bool:
        """Whether it is time for the local searches."""
        return bool(self._descents) and self.proposals >= self._descents[0].after

    def propose(self) -> list[Any]:
        """A neighbour of each lineage, without those where the move led back to where it began.

        With local searches, of one lineage; they take turns.
        """
        return self._carry(self.carried % len(self._lineages)) if self._carries else self._change()

    def _change(self) -> list[Any]:
        """A neighbour of each lineage, or of a better one."""
        random, count = self._random, len(self._lineages)
        self._proposals, self._spent = [], count
        for index, member in enumerate(self._lineages):
            chance = random.random()
            if chance < FOLLOW + FROM_ARCHIVE:
                other = self._lineages[int(random.random() * count)] if chance < FOLLOW else self._best_below(index)
                if other is not None and other.score > member.score and self._may_have(index, other):
                    member = self._lineages[index] = other
            genome = self._neighbour(member.genome, random)
            if genome != member.genome:
                self._proposals.append((index, genome))
        return [genome for _, genome in self._proposals]

    def _carry(self, index: int) -> list[Any]:
        """Where a local search ends that begins near a lineage, or near one with a limit beside its own."""
        random, member = self._random, self._lineages[index]
        if random.random() < BESIDE:
            member = self._lineages[max(0, min(len(self._lineages) - 1, index + random.choice((-1, 1))))]
        genome = member.genome
        for _ in range(int(random.random() * (KICK + 1))):
            genome = self._neighbour(genome, random)
        self.carried += 1
        genome, self._spent, _ = self._descents[index](genome)
        self._proposals = [(index, genome)]
        return [genome]

    def tell(self, ratings: Sequence[Rating | None]) -> None:
        """The ratings of what `propose` gave, in order; None for what cannot be had."""
        share, heat = self._share, self._descents[0].temperature if self._carries else 0.0
        for (index, genome), rating in zip(self._proposals, ratings, strict=True):
            if rating is None:
                continue
            now, member = self._lineages[index].score, Member.of(genome, rating)
            is_free = self._admits is None
            if is_free:
                self._pending.append(member)
            loss = now - member.score
            if loss > 0 and self._random.random() >= math.exp(-loss / (heat or max(share * abs(now), 1e-12))):
                continue
            if self._may_have(index, member):
                self._lineages[index] = member
                if not is_free:
                    self._pending.append(member)
        self.proposals += self._spent
        if len(self._pending) >= PENDING:
            self._merge()
        if self.proposals - self._round_began >= self._round_size:
            self._next_round()

    def _may_have(self, index: int, member: Member) -> bool:
        """Whether a lineage may have a member."""
        below = all(cost <= limit for cost, limit in zip(self._cost_of(member), self._limits[index], strict=True))
        return below and (self._admits is None or self._admits(index, member.genome))

    def _best_below(self, index: int) -> Member | None:
        """The network of the archive with the highest score that a lineage may have."""
        return next((member for member in self._archive if self._may_have(index, member)), None)

    def _next_round(self) -> None:
        self._merge()
        area = math.fsum(member.score for member in filter(None, map(self._best_below, range(len(self._lineages)))))
        self.idle_rounds = 0 if area > self._area or not self.round else self.idle_rounds + 1
        self._area = area
        self.round += 1
        self._round_began = self.proposals
        for index, start in enumerate(self._starts):
            self._lineages[index] = self._best_below(index) or start if (index + self.round) % 2 else start

    def _merge(self) -> None:
        self._archive, self._pending = self._merged(), []

    def _merged(self) -> list[Member]:
        """The archive with what is pending, the highest score first; of each cell of the range the best only."""
        members = [*self._archive, *self._pending]
        costs = np.array([self._cost_of(member) for member in members])
        scores = np.array([member.score for member in members])
        kept = np.flatnonzero(non_dominated(np.column_stack([-scores, costs])))
        kept = kept[np.argsort(-scores[kept], kind="stable")]
        if len(kept) > self._capacity:
            kept = kept[_first_of_each_cell(costs[kept], self._capacity)]
        return [members[index] for index in kept.tolist()]

    def state(self) -> dict[str, Any]:
        """All of it as JSON types; see `FrontState`."""
        version, numbers, gauss = self._random.getstate()
        return {
            "random": [version, list(numbers), gauss],
            "lineages": [list(member) for member in self._lineages],
            "archive": [list(member) for member in self._archive],
            "pending": [list(member) for member in self._pending],
            "proposals": self.proposals,
            "carried": self.carried,
            "round": self.round,
            "idle_rounds": self.idle_rounds,
            "round_began": self._round_began,
            "area": self._area,
        }

    def restore(self, state: Any, decode: Callable[[Any], Any]) -> None:
        """Goes on from what `state` gave; `decode` makes a genome of its JSON form.

        Raises:
            ValueError: this is not a state of a front with these limits and this population.
        """
        known = FrontState.model_validate(state)
        if len(known.lineages) != len(self._lineages) or len(known.archive) > self._capacity:
            raise ValueError("lineages or archive: not those of the settings")

        def member(row: MemberRow) -> Member:
            score, params, macs, genome = row
            return Member(score, params, macs, decode(genome))

        version, numbers, gauss = known.random
        self._random.setstate((version, numbers, gauss))
        self._lineages, self._archive, self._pending = (
            [member(row) for row in rows] for rows in (known.lineages, known.archive, known.pending)
        )
        if not all(self._may_have(index, member) for index, member in enumerate(self._lineages)):
            raise ValueError("lineages: above their limits")
        self.proposals, self.carried = known.proposals, known.carried
        self.round, self.idle_rounds = known.round, known.idle_rounds
        self._round_began, self._area = known.round_began, known.area


def _first_of_each_cell(costs: Floats, count: int) -> list[int]:
    """The first point of each cell, where a grid of at most `count` cells divides the range of the logarithms."""
    side = max(1, math.floor(count ** (1 / costs.shape[1]) + 1e-9))
    logs = np.log(np.maximum(costs, 1e-300))
    low, high = logs.min(axis=0), logs.max(axis=0)
    cells = np.minimum(((logs - low) / np.maximum(high - low, 1e-12) * side).astype(int), side - 1)
    first: dict[tuple[int, ...], int] = {}
    for index, cell in enumerate(map(tuple, cells.tolist())):
        first.setdefault(cell, index)
    return list(first.values())
