"""Local search: from a path of the dynamic program, whose costs are near the limits, to the best network around it.

The paths at the best prices miss the limits by a little, on either side. A step changes one block or two at once (one
pays for the other): all pairs of changes are compared as sums of their effects, and the most promising are then counted
exactly. What exceeds a limit pays a penalty far above any price, so that the search ends inside.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ....metrics.evenness import Evenness, depth_term, network_evenness
from ....metrics.mean_field import log_delta
from ....net.counting import linear_cost
from ....target.memory import block_footprint
from ...shapes import Shape, shape_of
from ...space import Genome
from .effects import Moves, Neighbours, block_terms_of
from .graph import Floats
from .problem import Problem
from .support import SUMS

PENALTY = 400.0  # nats for twice a limit
FACTORS = (1.0, 4.0, 16.0)  # of the penalty, where it ends outside of the limits
SHORTLIST = 48
SHAPES = 64  # of which the best network is remembered
MAX_STEPS = 40
MAX_WEIGHED = len(FACTORS) * (1 + MAX_STEPS * SHORTLIST)  # networks that one descent counts at most
STRICT = {"layers", "sublayers"}  # exceeding these costs one more PENALTY at once: there is no exceeding by a little


class Aim(NamedTuple):
    """How evenness enters: the least E of a network in nats, None where it is the objective, and the most units."""

    floor: float | None
    most_units: float


class Found(NamedTuple):
    """A network on the way: its genome, value in nats, that less the penalties (`merit`), and first cost, MACs, layers
    and sub-layers; its evenness, where that counts; what it costs beside the sum over its blocks.
    """

    genome: Genome
    value: float
    merit: float
    usage: tuple[float, int, int, int]
    evenness: Evenness | None = None
    beside: float = 0.0

    @property
    def feasible(self) -> bool:
        """Whether it keeps the limits."""
        return self.merit >= self.value


class Polisher:
    """Local search within a problem's space and limits.

    Args:
        problem: the problem.
        aim: how evenness enters, if it does.
        keep: how many networks to remember.
        check: called at every step; ends the search by an exception.
        neighbours: those of a problem that differs in its limits alone, so that both remember the same effects.
    """

    def __init__(
        self,
        problem: Problem,
        aim: Aim | None = None,
        keep: int = 512,
        check: Callable[[], None] = lambda: None,
        neighbours: Neighbours | None = None,
    ) -> None:
        self.problem = problem
        self.aim = aim
        self.keep = keep
        self.check = check
        self.pool: dict[Genome, float] = {}
        self.shapes: dict[Shape, Found] = {}
        self.best = -math.inf
        self.weighed = 0
        self._penalty = PENALTY
        self._inside: Found | None = None  # the best network within the limits of one descent
        self.neighbours = neighbours or Neighbours(problem, is_even=aim is not None)
        bounds = problem.most_params, *(getattr(problem.limits, name) for name in SUMS[1:])
        rows = [(column, bound, name in STRICT) for column, (name, bound) in enumerate(zip(SUMS, bounds, strict=True))]
        self._limits = [row for row in rows if row[1] is not None]
        self._unpriced = problem.unpriced
        self._counts_memory = problem.most_live < math.inf or self._unpriced[1] < math.inf

    def ranking(self) -> list[Genome]:
        """The best networks within the limits so far, best first."""
        return sorted(self.pool, key=lambda genome: (-self.pool[genome], len(genome), genome))

    def weigh(self, genome: Genome) -> Found:
        """A network, counted and scored; it is remembered if it keeps the limits."""
        problem = self.problem
        self.weighed += 1
        width, side = problem.seed.in_channels, problem.seed.side
        cost, gain, first, macs, layers, sublayers = problem.first_cost, 0.0, 0.0, 0, 0, 0
        params = weights = live = 0
        for index, gene in enumerate(genome):
            if self._counts_memory:
                needs = block_footprint(gene, width, side, index == 0)
                weights, live = weights + needs.weights, max(live, needs.peak)
            before = side
            terms, side = block_terms_of(gene, width, side, problem.convention, index == 0)
            first += cost.block(gene, width, before, terms.params, first=index == 0)
            gain, params, macs = gain + terms.log_gain, params + terms.params, macs + terms.macs
            layers, sublayers, width = layers + terms.layers, sublayers + terms.sublayers, gene.width
        head = linear_cost(width, problem.seed.num_classes)
        usage = first + float(cost.head(width, side, head.params)), macs + head.macs, layers, sublayers
        beside = cost.beside(genome, problem.seed, usage[0])
        value = gain + log_delta(problem.norm, problem.alpha, layers, width, side * side)
        excess = float(max(0, len(genome) - problem.space.max_blocks)) + max(0.0, live / problem.most_live - 1)
        for used, most in zip((params, weights), self._unpriced, strict=True):
            excess += max(0.0, (used + head.params) / most - 1)
        rules = problem.space.rules
        if rules is not None and rules.narrower(gene.width for gene in genome[1:-1]) is not None:
            excess += 1
        for column, limit, strict in self._limits:
            whole = usage[column] + beside * (column == 0)
            if whole > limit:
                excess += whole / limit - 1 + strict
        evenness = None
        if self.aim is not None:
            evenness = network_evenness(genome, problem.seed.in_channels, problem.seed.side)
            excess += evenness.residual_units > self.aim.most_units
            if self.aim.floor is None:
                value = evenness.value
            else:
                excess += max(0.0, self.aim.floor - evenness.value)
        found = Found(genome, value, value - self._penalty * excess, usage, evenness, beside)
        if found.feasible and (self._inside is None or found.value > self._inside.value):
            self._inside = found
        self._remember(found)
        return found

    def _remember(self, found: Found) -> None:
        if not found.feasible:
            return
        self._remember_shape(found)
        if found.genome in self.pool:
            return
        if found.value > self.best:
            if self.problem.space.excludes(found.genome, self.problem.seed):
                return
            self.best = found.value
        self.pool[found.genome] = found.value
        if len(self.pool) > 2 * self.keep:
            self.pool = {genome: self.pool[genome] for genome in self.ranking()[: self.keep]}

    def _remember_shape(self, found: Found) -> None:
        shape = shape_of(found.genome)
        known = self.shapes.get(shape)
        if known is not None and found.value <= known.value:
            return
        if self.problem.space.excludes(found.genome, self.problem.seed):
            return
        self.shapes[shape] = found
        if len(self.shapes) > 2 * SHAPES:
            best = sorted(self.shapes.values(), key=lambda one: -one.value)[:SHAPES]
            self.shapes = {shape_of(one.genome): one for one in best}

    def best_of_shapes(self, count: int) -> list[Genome]:
        """The best network of each shape that was met since this was cleared, the best of them first."""
        rows = sorted(self.shapes.values(), key=lambda found: (-found.value, found.genome))
        return [found.genome for found in rows[:count]]

    def polish(self, genome: Genome) -> Found:
        """The best network that steps of one or two changes lead to; it may still exceed a limit."""
        best = self.weigh(genome)
        for _ in range(MAX_STEPS):
            self.check()
            better = self._step(best)
            if better is None:
                break
            best = better
        return best

    def descend(self, genome: Genome) -> Found:
        """`polish`, from where it ended again at higher penalties until that keeps the limits.

        If it never does, the best network on the way that kept them, if there was one.
        """
        self._inside = None
        try:
            for factor in FACTORS:
                self._penalty = PENALTY * factor
                found = self.polish(genome)
                if found.feasible:
                    break
                genome = found.genome
        finally:
            self._penalty = PENALTY
        return found if found.feasible or self._inside is None else self._inside

    def _step(self, found: Found) -> Found | None:
        genome, problem = found.genome, self.problem
        rows: list[Moves] = []
        sides: list[int] = [problem.seed.side]
        width = problem.seed.in_channels
        for index, gene in enumerate(genome):
            after = genome[index + 1] if index + 1 < len(genome) else None
            rows.append(self.neighbours.moves(gene, after, width, sides[index], index == 0))
            sides.append(block_terms_of(gene, width, sides[index], problem.convention, index == 0)[1])
            width = gene.width
        starts = np.cumsum([1, *(len(row.genes) for row in rows)]).tolist()
        genes = [(index, gene) for index, row in enumerate(rows) for gene in row.genes]
        parts = [self._linear(found, row.effects, sides[index : index + 3]) for index, row in enumerate(rows)]
        effects = np.concatenate([np.zeros((1, parts[0].shape[1])), *parts])  # row 0 changes nothing
        best: Found | None = None
        for pair in self._shortlist(found, effects, starts):
            changed = list(genome)
            for row in pair:
                if row:
                    changed[genes[row - 1][0]] = genes[row - 1][1]
            candidate = self.weigh(tuple(changed))
            if candidate.merit > found.merit + 1e-9 and (best is None or candidate.merit > best.merit):
                best = candidate
        return best

    def _linear(self, found: Found, effects: Floats, sides: Sequence[int]) -> Floats:
        """Effects of the moves of a block that reads and makes maps of these sides, [J, 5], or [J, 8] for evenness.

        The last of the 8 is the change of 1/4 mean_l log M_l to first order.
        """
        if found.evenness is None:
            return effects[:, :5]
        macs, count = dict(found.evenness.level_macs), len(found.evenness.level_macs)
        slopes = [1 / (4 * count * macs[side]) if side in macs else 0.0 for side in (*sides, 0)[:3]]
        return np.concatenate([effects[:, :7], effects[:, 7:10] @ np.array(slopes)[:, None]], axis=1)

    def _evenness_of_pairs(self, evenness: Evenness, one: Floats, other: Floats) -> Floats:
        """The change of E by pairs of moves, [J, J'], to first order in the MACs of resolutions."""
        before = evenness.residual_units
        units = np.maximum(1, before + one[:, None, 5] + other[:, 5])
        total = evenness.units * (evenness.unit_term - math.log(evenness.units))
        logs = np.log(units) + (total + one[:, None, 6] + other[:, 6]) / units
        first, last = int(units.min()), int(units.max())
        terms = np.array([depth_term(count, evenness.macs) for count in range(first, last + 1)])
        depths = terms[(units - first).astype(np.intp)]
        change = 0.75 * (logs - evenness.unit_term) + one[:, None, 7] + other[:, 7]
        result: Floats = change - 0.5 * (depths - evenness.depth_term)
        return result

    def _shortlist(self, found: Found, effects: Floats, starts: list[int]) -> list[tuple[int, int]]:
        """The pairs of moves of two blocks, or of one and row 0, that promise most; the best first.

        Args:
            found: the network to change.
            effects: of all moves, from `_linear`.
            starts: the first move of each block, and the end of all.
        """
        usage, aim, evenness = (found.usage[0] + found.beside, *found.usage[1:]), self.aim, found.evenness
        count, least = len(effects), -math.inf
        merits, pairs = np.empty(0), np.empty(0, dtype=np.int64)
        for low, high in zip([0, *starts], starts, strict=False):
            one, other = effects[low:high], effects[high:]
            merit = one[:, None, 0] + other[:, 0]
            if aim is not None and evenness is not None and merit.size:
                change = self._evenness_of_pairs(evenness, one, other)
                if aim.floor is None:
                    merit = change
                else:
                    merit -= self._penalty * np.maximum(0.0, aim.floor - evenness.value - change)
            for column, limit, strict in self._limits:
                over = (usage[column] + one[:, None, column + 1]) + other[:, column + 1]
                over /= limit
                over -= 1
                if strict:
                    merit -= self._penalty * (over > 0)
                np.maximum(over, 0, out=over)
                over *= self._penalty
                merit -= over
            better = np.flatnonzero(merit > least)
            merits = np.concatenate([merits, merit.ravel()[better]])
            width = max(1, count - high)
            pairs = np.concatenate([pairs, (low + better // width) * count + high + better % width])
            if merits.size > SHORTLIST:
                order = np.argsort(-merits, kind="stable")[:SHORTLIST]
                merits, pairs = merits[order], pairs[order]
                least = float(merits[-1])
        order = np.argsort(-merits, kind="stable")
        return [divmod(pair, count) for pair in pairs[order].tolist()]
