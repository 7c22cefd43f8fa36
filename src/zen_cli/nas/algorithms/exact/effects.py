"""Steps of the local search: other blocks that can take the place of one, and what each changes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import product
from typing import NamedTuple

import numpy as np

from ....metrics.block_terms import Terms, block_terms
from ....metrics.evenness import BlockSums, block_sums
from ....net.counting import linear_cost
from ....net.layers import shrink
from ....net.ops import OPS, Gene, Span
from .graph import Floats
from .problem import Problem, free_fields, kernels_of

WIDER = (0.67, 1.5)  # widths of a block with another op, as shares of its width
INSIDE = (0.25, 0.33, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0, 1.2, 1.5)  # and its widths inside


class Moves(NamedTuple):
    """Blocks that can take the place of one, and their effects, [J, 5] or [J, 10].

    These are of score, first cost, MACs, layers and sub-layers; for evenness then of units, of the sum of log M_u, and
    of the MACs at three resolutions.
    """

    genes: tuple[Gene, ...]
    effects: Floats


@lru_cache(maxsize=262_144)
def block_terms_of(gene: Gene, in_width: int, side: int, convention: str, first: bool) -> tuple[Terms, int]:
    """`block_terms` on a square map, remembered."""
    return block_terms(gene, in_width, side, convention, first=first)[0], shrink(side, gene.stride)


class Neighbours:
    """Other blocks in the place of one, with their effects.

    Args:
        problem: whose space and rules blocks keep.
        is_even: whether evenness counts, so that effects have its columns.
    """

    def __init__(self, problem: Problem, *, is_even: bool) -> None:
        self._problem = problem
        self._is_even = is_even
        self.moves = lru_cache(maxsize=1024)(self._find_moves)

    def _find_moves(self, gene: Gene, after: Gene | None, width: int, side: int, is_stem: bool) -> Moves:
        """The moves of a block with these channels and side in, before another one (None: the last block)."""
        genes = tuple(self.others(gene, is_stem, after is None))
        now = self._effect(gene, after, width, side, is_stem)
        rows = [self._effect(each, after, width, side, is_stem) for each in genes]
        return Moves(genes, np.array(rows).reshape(-1, len(now)) - now)

    def _effect(self, gene: Gene, after: Gene | None, width: int, side: int, is_stem: bool) -> tuple[float, ...]:
        """What the columns of `Moves` are of a block and what comes after it, without log Delta of the depth."""
        if not self._is_even:
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
        """(score, first cost, MACs, layers, sub-layers) of a block and what comes after it."""
        problem = self._problem
        cost, before = problem.first_cost, side
        one, side = block_terms_of(gene, width, side, problem.convention, is_stem)
        first = cost.block(gene, width, before, one.params, first=is_stem)
        if after is None:
            head = linear_cost(gene.width, problem.seed.num_classes)
            maps = problem.log_map_factor * math.log(gene.width * side * side)
            ends = cost.head(gene.width, side, head.params)
            return one.log_gain + maps, first + float(ends), one.macs + head.macs, one.layers, one.sublayers
        two, _ = block_terms_of(after, gene.width, side, problem.convention, False)
        return (
            one.log_gain + two.log_gain,
            first + cost.block(after, gene.width, side, two.params, first=False),
            one.macs + two.macs,
            one.layers + two.layers,
            one.sublayers + two.sublayers,
        )

    def others(self, gene: Gene, is_stem: bool, is_head: bool) -> Iterator[Gene]:
        """Other blocks that can take the place of one, by the space and its rules for blocks."""
        space = self._problem.space
        for other in self._changed_blocks(gene, is_stem, is_head):
            if not (space.rules and other.kind.is_searchable and space.rules.broken_by_block(other, space.kernels)):
                yield other

    def _changed_blocks(self, gene: Gene, is_stem: bool, is_head: bool) -> Iterator[Gene]:
        space = self._problem.space
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
        if not self._is_even and "expansion" in free_fields(space, gene.kind):
            for expansion in space.expansions:
                if expansion != gene.expansion:
                    yield gene._replace(expansion=expansion)
        if self._is_even:
            yield from self._converted(gene)

    def _converted(self, gene: Gene) -> Iterator[Gene]:
        """The block with another op: about as many units and as wide, and all kinds of widths inside."""
        space = self._problem.space
        widths = sorted({gene.width, *(space.width.clip(gene.width * factor) for factor in WIDER)})
        for op in (op for op in space.ops if op != gene.op):
            kind = OPS[op]
            units = kind.units_per_sublayer
            depths = {gene.depth // units, -(-gene.depth // units)} & set(range(space.depth.min, space.depth.max + 1))
            for expansion in space.expansions if "expansion" in free_fields(space, kind) else (0,):
                base = kind.converted(gene, space, expansion)
                for depth, width, kernel in product(sorted(depths), widths, kernels_of(space, kind)):
                    for mid in self._mids_inside(base, width):
                        yield base.with_sublayers(depth)._replace(width=width, mid=mid, kernel=kernel)

    def _mids_inside(self, gene: Gene, width: int) -> list[int]:
        """Widths inside of a block of another op."""
        space, kind = self._problem.space, gene.kind
        if "mid" not in free_fields(space, kind) or kind.has_pairs:
            return [width if kind.has_pairs else gene.mid]
        span, group = kind.mid_span(space), gene.group_width
        mids = sorted({span.clip(width * factor) for factor in INSIDE})
        return [mid for mid in mids if not group or (mid % group == 0 and mid > group)]

    def _expansions(self, gene: Gene) -> Sequence[int]:
        """Expansions to combine with other changes: all where evenness holds a unit's MACs in place."""
        space = self._problem.space
        is_free = self._is_even and "expansion" in free_fields(space, gene.kind)
        return space.expansions if is_free else (gene.expansion,)

    def _mids(self, gene: Gene, width: int) -> list[int]:
        space, kind = self._problem.space, gene.kind
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
