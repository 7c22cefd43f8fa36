"""Local search: from a path of the dynamic program, whose costs are near the budgets, to the best network around it.

The paths that the prices lead to miss the budgets by a little, on either side. A step changes one block or two at once
(one pays for the other): all pairs of changes are weighed together, as sums of their effects, and the most promising
are then counted exactly. What exceeds a budget pays a fine far above any price, so that the search ends inside.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import torch

from ....metrics.mean_field import log_delta
from ....metrics.terms import Terms, block_terms
from ....net.counting import linear_cost
from ....net.layers import shrink
from ....net.ops import OPS
from ...space import Gene, Genome, WidthRange, to_spec
from .problem import Problem

_FINE = 400.0
_SHORTLIST = 48
_EFFECTS = 5


class Found(NamedTuple):
    """A network on the way: its genome, its score in nats, and that less the fines (`merit`)."""

    genome: Genome
    value: float
    merit: float
    params: int
    macs: int

    @property
    def feasible(self) -> bool:
        """Whether it keeps the limits."""
        return self.merit >= self.value


@lru_cache(maxsize=262_144)
def _terms(gene: Gene, in_width: int, side: int, convention: str, first: bool) -> tuple[Terms, int]:
    return block_terms(gene, in_width, side, convention, first=first)


class Polisher:
    """Local search within a problem's space and limits."""

    def __init__(self, problem: Problem, keep: int = 512) -> None:
        self.problem = problem
        self.keep = keep
        self.pool: dict[Genome, float] = {}
        self.best = -math.inf

    def ranking(self) -> list[Genome]:
        """The best networks within the limits met so far, best first."""
        return sorted(self.pool, key=lambda genome: (-self.pool[genome], genome))

    def _remember(self, found: Found) -> Found:
        if found.feasible and found.genome not in self.pool:
            if found.value > self.best:
                if self.problem.space.excludes(to_spec(found.genome, self.problem.seed)):
                    return found
                self.best = found.value
            self.pool[found.genome] = found.value
            if len(self.pool) > 2 * self.keep:
                self.pool = {genome: self.pool[genome] for genome in self.ranking()[: self.keep]}
        return found

    def weigh(self, genome: Genome) -> Found:
        """A network, counted and scored."""
        problem = self.problem
        width, side = problem.seed.in_channels, problem.seed.resolution
        gain, params, macs, layers, sublayers = 0.0, 0, 0, 0, 0
        for index, gene in enumerate(genome):
            terms, side = _terms(gene, width, side, problem.convention, index == 0)
            gain, params, macs = gain + terms.log_gain, params + terms.params, macs + terms.macs
            layers, sublayers, width = layers + terms.layers, sublayers + terms.sublayers, gene.width
        head = linear_cost(width, problem.seed.num_classes)
        params, macs = params + head.params, macs + head.macs
        value = gain + log_delta(problem.norm, problem.alpha, layers, width, side * side)
        excess = self._excess(params, macs, layers, sublayers) + max(0, len(genome) - problem.space.max_blocks)
        return self._remember(Found(genome, value, value - _FINE * excess, params, macs))

    def _excess(self, params: float, macs: float, layers: float, sublayers: float) -> float:
        limits, total = self.problem.limits, 0.0
        for used, limit, fine in (
            (params, limits.params, 0),
            (macs, limits.macs, 0),
            (layers, limits.layers, 1),
            (sublayers, limits.sublayers, 1),
        ):
            if limit is not None and used > limit:
                total += used / limit - 1 + fine
        return total

    def polish(self, genome: Genome, steps: int = 40) -> Found:
        """The best network that steps of one or two changes lead to; it may still exceed a limit."""
        best = self.weigh(genome)
        for _ in range(steps):
            better = self._step(best)
            if better is None:
                break
            best = better
        return best

    def _step(self, found: Found) -> Found | None:
        genome = found.genome
        moves = [(index, gene) for index in range(len(genome)) for gene in self._moves(genome, index)]
        if not moves:
            return None
        sides = self._sides(genome)
        base = self._effects(genome, range(len(genome)), sides)
        alone = [self._effects(genome, range(i, min(i + 2, len(genome))), sides) for i in range(len(genome))]
        rows = [[0.0] * _EFFECTS]
        for index, gene in moves:
            changed = (*genome[:index], gene, *genome[index + 1 :])
            near = range(index, min(index + 2, len(genome)))
            now = self._effects(changed, near, sides)
            rows.append([one - other for one, other in zip(now, alone[index], strict=True)])
        effects = torch.tensor(rows, dtype=torch.float64)  # [J + 1, effects]; row 0 changes nothing
        at = torch.tensor([-1, *(index for index, _ in moves)])
        best: Found | None = None
        for one, other in self._shortlist(torch.tensor(base, dtype=torch.float64), effects, at):
            genes = list(genome)
            for row in (one, other):
                if row:
                    genes[moves[row - 1][0]] = moves[row - 1][1]
            candidate = self.weigh(tuple(genes))
            if candidate.merit > found.merit + 1e-9 and (best is None or candidate.merit > best.merit):
                best = candidate
        return best

    def _shortlist(self, base: torch.Tensor, effects: torch.Tensor, at: torch.Tensor) -> list[tuple[int, int]]:
        """The pairs of moves that promise most."""
        limits = self.problem.limits
        merit = effects[:, None, 0] + effects[None, :, 0]
        for column, limit, fine in (
            (1, limits.params, 0),
            (2, limits.macs, 0),
            (3, limits.layers, 1),
            (4, limits.sublayers, 1),
        ):
            if limit is not None:
                over = (base[column] + effects[:, None, column] + effects[None, :, column]) / limit - 1
                merit = merit - _FINE * (over.clamp(min=0) + fine * (over > 0))
        # Two changes of one block exclude each other; a pair counts once.
        merit = merit.masked_fill((at[:, None] == at[None, :]) | (at[:, None] > at[None, :]), -math.inf)
        count = min(_SHORTLIST, merit.numel())
        order = torch.topk(merit.flatten(), count).indices.tolist()
        return [divmod(index, len(at)) for index in order]

    def _effects(self, genome: Genome, blocks: range, sides: list[int]) -> list[float]:
        """[score without the depth's share, params, macs, layers, sublayers] of some blocks."""
        problem, total = self.problem, [0.0] * _EFFECTS
        for index in blocks:
            width = genome[index - 1].width if index else problem.seed.in_channels
            terms, side = _terms(genome[index], width, sides[index], problem.convention, index == 0)
            row = [terms.log_gain, terms.params, terms.macs, terms.layers, terms.sublayers]
            if index == len(genome) - 1:
                head = linear_cost(genome[-1].width, problem.seed.num_classes)
                maps = problem.log_map_factor * math.log(genome[-1].width * side * side)
                row = [row[0] + maps, row[1] + head.params, row[2] + head.macs, *row[3:]]
            total = [one + other for one, other in zip(total, row, strict=True)]
        return total

    def _sides(self, genome: Genome) -> list[int]:
        sides = [self.problem.seed.resolution]
        for gene in genome:
            sides.append(shrink(sides[-1], gene.stride))
        return sides

    def _moves(self, genome: Genome, index: int) -> Iterator[Gene]:
        """Other blocks that may stand in the place of one."""
        gene, space = genome[index], self.problem.space
        if gene.op == "conv":
            span = space.stem_width if index == 0 else space.head_width
            if span is not None:
                for width in _near(gene.width, span, 4):
                    yield gene._replace(width=width)
            return
        widths = [gene.width, *_near(gene.width, space.width, 2)]
        for width in widths:
            for mid in self._mids(gene, width):
                for kernel in space.kernels:
                    if (width, mid, kernel) != (gene.width, gene.mid, gene.kernel):
                        yield gene._replace(width=width, mid=mid, kernel=kernel)
        for sublayers in (gene.sublayers - 1, gene.sublayers + 1):
            if space.depth.min <= sublayers <= space.depth.max:
                deeper = gene._replace(depth=sublayers * OPS[gene.op].units_per_sublayer)
                for mid in self._mids(gene, gene.width):
                    for kernel in space.kernels:
                        yield deeper._replace(mid=mid, kernel=kernel)
        if gene.op == "mbconv":
            for expansion in space.expansions:
                if expansion != gene.expansion:
                    yield gene._replace(expansion=expansion)

    def _mids(self, gene: Gene, width: int) -> list[int]:
        space = self.problem.space
        if gene.op == "mbconv":
            if not space.pair_widths:
                return [width]
            return sorted({gene.mid, width, *_near(gene.mid, space.width, 2)})
        step = max(1, gene.group_width)
        mids = [gene.mid, *_near(gene.mid, space.mid_width, 2 * (-(-step // space.mid_width.step)))]
        return [mid for mid in mids if not gene.group_width or (mid % step == 0 and mid > step)]


@lru_cache(maxsize=65_536)
def _near(width: int, span: WidthRange, reach: int) -> tuple[int, ...]:
    """Other widths of a range: some steps around one, and a fifth down or up."""
    rows = {span.clip(width + steps * span.step) for steps in range(-reach, reach + 1)}
    rows |= {span.clip(width * 0.8), span.clip(width * 1.25)}
    return tuple(sorted(rows - {width}))
