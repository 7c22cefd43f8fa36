"""Steps of the local search: other blocks that can take the place of one, and what each changes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import product
from typing import NamedTuple

import numpy as np

from ....metrics.block_terms import Terms, block_terms
from ....metrics.evenness import block_sums
from ....net.counting import linear_cost
from ....net.layers import shrink
from ....net.ops import OPS, Gene, Span
from .graph import Floats, Ints
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


class _Share(NamedTuple):
    """What a block, or the classifier, adds to the columns of `Moves` before the last three; for these its MACs at the
    side that it reads and at that of its own maps, which follows.
    """

    columns: tuple[float, ...]
    entry_macs: int = 0
    macs: int = 0
    side: int = 0


class _Choices(NamedTuple):
    """A block and those that can take its place, whatever follows them.

    Attributes:
        genes: all of them, the block itself first, J.
        columns: of their shares, [J, 5] or [J, 7].
        macs: the other numbers of these, [J, 3].
        ends: the different (width, side) of what they give to the next one.
        which: of these, [J].
    """

    genes: tuple[Gene, ...]
    columns: Floats
    macs: Floats
    ends: tuple[tuple[int, int], ...]
    which: Ints


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
        self.others = lru_cache(maxsize=4096)(self._find_others)
        self._choices = lru_cache(maxsize=1024)(self._find_choices)

    def _find_moves(self, gene: Gene, after: Gene | None, width: int, side: int, is_stem: bool) -> Moves:
        """The moves of a block with these channels and side in, before another one (None: the last block)."""
        choices = self._choices(gene, width, side, is_stem, after is None)
        shares = [self._follow(after, *end) for end in choices.ends]
        effects = choices.columns + np.array([one.columns for one in shares])[choices.which]
        if self._is_even:
            next_entry, next_macs, next_side = np.array([one[1:] for one in shares], dtype=np.float64)[choices.which].T
            entry, macs, own_side = choices.macs.T
            levels = np.array([entry, macs + next_entry, next_macs])
            for place, same in ((1, next_side == own_side), (0, own_side == side)):
                levels[place] += np.where(same, levels[place + 1], 0)
                levels[place + 1, same] = 0
            effects = np.concatenate([effects, levels.T], axis=1)
        return Moves(choices.genes[1:], effects[1:] - effects[0])

    def _find_choices(self, gene: Gene, width: int, side: int, is_stem: bool, is_head: bool) -> _Choices:
        genes = gene, *self.others(gene, is_stem, is_head)
        shares = [self._share(each, width, side, is_stem) for each in genes]
        ends: dict[tuple[int, int], int] = {}
        which = [
            ends.setdefault((each.width, share.side), len(ends)) for each, share in zip(genes, shares, strict=True)
        ]
        columns = np.array([share.columns for share in shares])
        macs = np.array([share[1:] for share in shares], dtype=np.float64)
        return _Choices(genes, columns, macs, tuple(ends), np.array(which))

    def _follow(self, after: Gene | None, width: int, side: int) -> _Share:
        """What follows a block of this width with maps of this side: another block, or the classifier (None)."""
        if after is not None:
            return self._share(after, width, side, False)
        problem = self._problem
        head = linear_cost(width, problem.seed.num_classes)
        maps = problem.log_map_factor * math.log(width * side * side)
        columns = maps, float(problem.first_cost.head(width, side, head.params)), head.macs, 0, 0
        return _Share((*columns, 0, 0.0) if self._is_even else columns)

    def _share(self, gene: Gene, width: int, side: int, first: bool) -> _Share:
        terms, after = block_terms_of(gene, width, side, self._problem.convention, first)
        cost = self._problem.first_cost.block(gene, width, side, terms.params, first=first)
        columns = terms.log_gain, cost, terms.macs, terms.layers, terms.sublayers
        if not self._is_even:
            return _Share(columns, side=after)
        sums = block_sums(gene, width, side, first)
        return _Share((*columns, sums.units, sums.log_macs), sums.entry_macs, sums.macs, after)

    def _find_others(self, gene: Gene, is_stem: bool, is_head: bool) -> tuple[Gene, ...]:
        """Other blocks that can take the place of one, by the space and its rules for blocks."""
        rules, kernels = self._problem.space.rules, self._problem.space.kernels
        rows = self._changed_blocks(gene, is_stem, is_head)
        return tuple(
            one for one in rows if not (rules and one.kind.is_searchable and rules.broken_by_block(one, kernels))
        )

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
