"""Local search: from a path of the dynamic program, whose costs are near the limits, to the best network around it.

The paths at the best prices miss the limits by a little, on either side. A step changes one block or two at once (one
pays for the other): all pairs of changes are compared as sums of their effects, and the most promising are then counted
exactly. What exceeds a limit pays a penalty far above any price, so that the search ends inside.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ....metrics.block_terms import Terms, block_terms
from ....metrics.evenness import BlockSums, Evenness, block_sums, depth_term, network_evenness
from ....metrics.mean_field import log_delta
from ....net.counting import linear_cost
from ....net.ops import Gene, Span
from ...space import Genome
from .graph import Floats
from .problem import SUMS, Problem, free_fields

PENALTY = 400.0  # nats for twice a limit
SHORTLIST = 48
MAX_STEPS = 40
STRICT = {"layers", "sublayers"}  # exceeding these costs one more PENALTY at once: there is no exceeding by a little


class Aim(NamedTuple):
    """How evenness enters: the least E of a network in nats, None where it is the objective, and the most units."""

    floor: float | None
    most_units: float


class Found(NamedTuple):
    """A network on the way: its genome, value in nats, that less the penalties (`merit`), and params, MACs, layers and
    sub-layers; its evenness, where that counts.
    """

    genome: Genome
    value: float
    merit: float
    usage: tuple[int, int, int, int]
    evenness: Evenness | None = None

    @property
    def feasible(self) -> bool:
        """Whether it keeps the limits."""
        return self.merit >= self.value


class Moves(NamedTuple):
    """Blocks that can take the place of one, and their effects, [J, 5] or [J, 10].

    These are of score, params, MACs, layers and sub-layers; for evenness then of units, of the sum of log M_u, and of
    the MACs at three resolutions.
    """

    genes: tuple[Gene, ...]
    effects: Floats


@lru_cache(maxsize=262_144)
def _terms(gene: Gene, in_width: int, side: int, convention: str, first: bool) -> tuple[Terms, int]:
    return block_terms(gene, in_width, side, convention, first=first)


class Polisher:
    """Local search within a problem's space and limits.

    Args:
        problem: the problem.
        aim: how evenness enters, if it does.
        keep: how many networks to remember.
        check: called at every step; ends the search by an exception.
    """

    def __init__(
        self, problem: Problem, aim: Aim | None = None, keep: int = 512, check: Callable[[], None] = lambda: None
    ) -> None:
        self.problem = problem
        self.aim = aim
        self.keep = keep
        self.check = check
        self.pool: dict[Genome, float] = {}
        self.best = -math.inf
        self._moves = lru_cache(maxsize=1024)(self._find_moves)
        rows = [(column, getattr(problem.limits, name), name in STRICT) for column, name in enumerate(SUMS)]
        self._limits = [row for row in rows if row[1] is not None]

    def ranking(self) -> list[Genome]:
        """The best networks within the limits so far, best first."""
        return sorted(self.pool, key=lambda genome: (-self.pool[genome], len(genome), genome))

    def weigh(self, genome: Genome) -> Found:
        """A network, counted and scored; it is remembered if it keeps the limits."""
        problem = self.problem
        width, side = problem.seed.in_channels, problem.seed.resolution
        gain, params, macs, layers, sublayers = 0.0, 0, 0, 0, 0
        for index, gene in enumerate(genome):
            terms, side = _terms(gene, width, side, problem.convention, index == 0)
            gain, params, macs = gain + terms.log_gain, params + terms.params, macs + terms.macs
            layers, sublayers, width = layers + terms.layers, sublayers + terms.sublayers, gene.width
        head = linear_cost(width, problem.seed.num_classes)
        usage = params + head.params, macs + head.macs, layers, sublayers
        value = gain + log_delta(problem.norm, problem.alpha, layers, width, side * side)
        excess = float(max(0, len(genome) - problem.space.max_blocks))
        rules = problem.space.rules
        if rules is not None and rules.narrower(gene.width for gene in genome[1:-1]) is not None:
            excess += 1
        for column, limit, strict in self._limits:
            if usage[column] > limit:
                excess += usage[column] / limit - 1 + strict
        evenness = None
        if self.aim is not None:
            evenness = network_evenness(genome, problem.seed.in_channels, problem.seed.resolution)
            excess += evenness.residual_units > self.aim.most_units
            if self.aim.floor is None:
                value = evenness.value
            else:
                excess += max(0.0, self.aim.floor - evenness.value)
        found = Found(genome, value, value - PENALTY * excess, usage, evenness)
        self._remember(found)
        return found

    def _remember(self, found: Found) -> None:
        if not found.feasible or found.genome in self.pool:
            return
        if found.value > self.best:
            if self.problem.space.excludes(found.genome, self.problem.seed):
                return
            self.best = found.value
        self.pool[found.genome] = found.value
        if len(self.pool) > 2 * self.keep:
            self.pool = {genome: self.pool[genome] for genome in self.ranking()[: self.keep]}

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

    def _step(self, found: Found) -> Found | None:
        genome, problem = found.genome, self.problem
        rows: list[Moves] = []
        sides: list[int] = [problem.seed.resolution]
        width = problem.seed.in_channels
        for index, gene in enumerate(genome):
            after = genome[index + 1] if index + 1 < len(genome) else None
            rows.append(self._moves(gene, after, width, sides[index], index == 0))
            sides.append(_terms(gene, width, sides[index], problem.convention, index == 0)[1])
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
        depth = {n: depth_term(int(n), evenness.macs) for n in np.unique(units).tolist()}
        depths = np.vectorize(depth.__getitem__, otypes=[np.float64])(units)
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
        usage, aim, evenness = found.usage, self.aim, found.evenness
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
                    merit -= PENALTY * np.maximum(0.0, aim.floor - evenness.value - change)
            for column, limit, strict in self._limits:
                over = (usage[column] + one[:, None, column + 1]) + other[:, column + 1]
                over /= limit
                over -= 1
                if strict:
                    merit -= PENALTY * (over > 0)
                np.maximum(over, 0, out=over)
                over *= PENALTY
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

    def _find_moves(self, gene: Gene, after: Gene | None, width: int, side: int, is_stem: bool) -> Moves:
        """The moves of a block with these channels and side in, before another one (None: the last block)."""
        genes = tuple(self._other_blocks(gene, is_stem, after is None))
        now = self._effect(gene, after, width, side, is_stem)
        rows = [self._effect(each, after, width, side, is_stem) for each in genes]
        return Moves(genes, np.array(rows).reshape(-1, len(now)) - now)

    def _effect(self, gene: Gene, after: Gene | None, width: int, side: int, is_stem: bool) -> tuple[float, ...]:
        """What the columns of `Moves` are of a block and what comes after it, without log Delta of the depth."""
        if self.aim is None:
            return self._score_effect(gene, after, width, side, is_stem)
        one = block_sums(gene, width, side, is_stem)
        two = BlockSums(0, 0, 0.0, 0, 0, 0, 0, 0, 0)
        if after is not None:
            two = block_sums(after, gene.width, one.side, False)
        levels = {side: 0, one.side: 0, two.side: 0}
        for place, macs in ((side, one.entry_macs), (one.side, one.macs + two.entry_macs), (two.side, two.macs)):
            levels[place] += macs
        at_sides = [levels.pop(place, 0) for place in (side, one.side, two.side)]
        units, logs = one.units + two.units, one.log_macs + two.log_macs
        return *self._score_effect(gene, after, width, side, is_stem), units, logs, *at_sides

    def _score_effect(self, gene: Gene, after: Gene | None, width: int, side: int, is_stem: bool) -> tuple[float, ...]:
        """(score, params, MACs, layers, sub-layers) of a block and what comes after it."""
        problem = self.problem
        one, side = _terms(gene, width, side, problem.convention, is_stem)
        if after is None:
            head = linear_cost(gene.width, problem.seed.num_classes)
            maps = problem.log_map_factor * math.log(gene.width * side * side)
            return one.log_gain + maps, one.params + head.params, one.macs + head.macs, one.layers, one.sublayers
        two, _ = _terms(after, gene.width, side, problem.convention, False)
        return (
            one.log_gain + two.log_gain,
            one.params + two.params,
            one.macs + two.macs,
            one.layers + two.layers,
            one.sublayers + two.sublayers,
        )

    def _other_blocks(self, gene: Gene, is_stem: bool, is_head: bool) -> Iterator[Gene]:
        """Other blocks that can take the place of one, by the space and its rules for blocks."""
        space = self.problem.space
        for other in self._changed_blocks(gene, is_stem, is_head):
            if not (space.rules and other.kind.is_searchable and space.rules.broken_by_block(other, space.kernels)):
                yield other

    def _changed_blocks(self, gene: Gene, is_stem: bool, is_head: bool) -> Iterator[Gene]:
        space = self.problem.space
        if is_stem or is_head:
            span = space.stem_span if is_stem else space.head_span
            if span is not None:
                for width in _near(gene.width, span, 4):
                    yield gene._replace(width=width)
            return
        for width in (gene.width, *_near(gene.width, space.width, 2)):
            for mid in self._mids(gene, width):
                for kernel in space.kernels:
                    for expansion in self._expansions(gene):
                        other = gene._replace(width=width, mid=mid, kernel=kernel, expansion=expansion)
                        if other != gene:
                            yield other
        for sublayers in (gene.sublayers - 1, gene.sublayers + 1):
            if space.depth.min <= sublayers <= space.depth.max:
                deeper = gene.with_sublayers(sublayers)
                for mid in self._mids(gene, gene.width):
                    for kernel in space.kernels:
                        for expansion in self._expansions(gene):
                            yield deeper._replace(mid=mid, kernel=kernel, expansion=expansion)
        if self.aim is None and "expansion" in free_fields(space, gene.kind):
            for expansion in space.expansions:
                if expansion != gene.expansion:
                    yield gene._replace(expansion=expansion)

    def _expansions(self, gene: Gene) -> Sequence[int]:
        """Expansions to combine with other changes: all where evenness holds a unit's MACs in place."""
        space = self.problem.space
        is_free = self.aim is not None and "expansion" in free_fields(space, gene.kind)
        return space.expansions if is_free else (gene.expansion,)

    def _mids(self, gene: Gene, width: int) -> list[int]:
        space, kind = self.problem.space, gene.kind
        if "mid" not in free_fields(space, kind):
            return [width if kind.has_pairs else gene.mid]
        span = kind.mid_span(space)
        if kind.has_pairs:
            return sorted({gene.mid, width, *_near(gene.mid, span, 2)})
        group = gene.group_width
        mids = [gene.mid, *_near(gene.mid, span, 2 * max(1, -(-group // span.step)))]
        return [mid for mid in mids if not group or (mid % group == 0 and mid > group)]


def _near(width: int, span: Span, reach: int) -> tuple[int, ...]:
    """Other widths of a range: some steps around one, and a fifth down or up."""
    rows = {span.clip(width + steps * span.step) for steps in range(-reach, reach + 1)}
    rows |= {span.clip(width * 0.8), span.clip(width * 1.25)}
    return tuple(sorted(rows - {width}))
