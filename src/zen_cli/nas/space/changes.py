"""Changes of one block within the bounds of a space: each gives the blocks that the block becomes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from random import Random
from typing import TypeAlias, TypeVar

from ...net.ops import OPS, Gene, Span
from .free_blocks import FreeBlocks

T = TypeVar("T")
Change: TypeAlias = Callable[[Gene, Random], tuple[Gene, ...]]


class BlockChanges:
    """The changes of one space: what may change about a block of each op, and how its numbers follow each other."""

    def __init__(self, space: FreeBlocks) -> None:
        self._space = space
        self._rules = space.rules
        self._ratios = space.ratios if space.ratios.values else None
        self._kernels = {
            op: space.kernels if space.rules is None else space.rules.kernels(OPS[op], space.kernels)
            for op in space.ops
        }
        self._mid_spans = {op: OPS[op].mid_span(space) for op in space.ops}
        self._of_op: dict[str, tuple[Change, ...]] = {op: self._changes_of(op) for op in space.ops}

    def any(self, gene: Gene, rng: Random) -> tuple[Gene, ...]:
        """What a block becomes by one change, drawn evenly over kinds of change and values."""
        changes = self._of_op[gene.op]
        return changes[int(rng.random() * len(changes))](gene, rng)

    def fit(self, gene: Gene) -> Gene:
        """A block that keeps the rules of blocks, if there are rules, as far as the space allows."""
        if self._rules is None or not gene.kind.is_searchable:
            return gene
        return self._rules.fit(gene, self.mid_span(gene), self._space.kernels)

    def _changes_of(self, op: str) -> tuple[Change, ...]:
        """The kinds of change that a block of this op allows."""
        space = self._space
        kinds = [self._change_width, self._change_depth]
        if not space.fixed_blocks:
            kinds += [self._drop, self._cut]
        if len(self._kernels[op]) > 1:
            kinds.append(self._change_kernel)
        if len(space.ops) > 1 and not space.fixed_blocks:
            kinds.append(self._change_op)
        if len(space.ratios.values) > 1:
            kinds.append(self._change_ratio)
        of_field = {
            "mid": self._change_mid_width,
            "expansion": self._change_expansion,
            "group_width": self._change_group_width,
        }
        fields = OPS[op].free_fields(space)
        if space.rules is not None and space.rules.equal_pairs and OPS[op].has_pairs:
            fields = tuple(field for field in fields if field != "mid")
        if space.fixed_blocks:
            fields = tuple(field for field in fields if field != "group_width")
        return (*kinds, *(of_field[field] for field in fields))

    def _change_ratio(self, gene: Gene, rng: Random) -> tuple[Gene, ...]:
        ratios = self._space.ratios
        if not ratios.governs(gene):
            return (gene,)
        return (ratios.apply(gene, _other(ratios.values, ratios.of(gene), rng), gene.width),)

    def _change_kernel(self, gene: Gene, rng: Random) -> tuple[Gene, ...]:
        return (gene._replace(kernel=_other(self._kernels[gene.op], gene.kernel, rng)),)

    def _change_expansion(self, gene: Gene, rng: Random) -> tuple[Gene, ...]:
        if not gene.expansion:  # a width inside instead
            return (gene,)
        return (gene._replace(expansion=_other(self._space.expansions, gene.expansion, rng)),)

    def _change_width(self, gene: Gene, rng: Random) -> tuple[Gene, ...]:
        return (self.with_width(gene, step_width(self._space.width, gene.width, rng)),)

    def _change_mid_width(self, gene: Gene, rng: Random) -> tuple[Gene, ...]:
        if self._space.ratios.governs(gene):
            return (gene,)
        if gene.kind.has_pairs and gene.mid != gene.width and rng.random() < 0.5:
            return (gene._replace(mid=gene.width),)
        return (self.regroup(gene.resized(gene.width, step_width(self.mid_span(gene), gene.mid, rng))),)

    def _change_group_width(self, gene: Gene, rng: Random) -> tuple[Gene, ...]:
        return (self.regroup(gene._replace(group_width=_other(self._space.group_widths, gene.group_width, rng))),)

    def _change_op(self, gene: Gene, rng: Random) -> tuple[Gene, ...]:
        expansions = self._space.expansions
        expansion = expansions[int(rng.random() * len(expansions))] if expansions else 0
        other = OPS[_other(self._space.ops, gene.op, rng)]
        return (self.regroup(other.converted(gene, self._space, expansion)),)

    def _change_depth(self, gene: Gene, rng: Random) -> tuple[Gene, ...]:
        depth = self._space.depth
        count = self._space.depth_of(gene) + depth.steps[int(rng.random() * len(depth.steps))]
        return self._split(self._space.deepened(gene, max(depth.min, min(depth.max, count))))

    def _drop(self, gene: Gene, rng: Random) -> tuple[Gene, ...]:
        return (gene,) if gene.stride > 1 else ()

    def _cut(self, gene: Gene, rng: Random) -> tuple[Gene, ...]:
        """The block as two, which change independently from then on; or one more before the stride.

        That one is as much narrower as its map is wider, so that its units cost about as much. Without it no move would
        lead to a block between a stem and a stride, where the seed network has none. Spaces without rules, such as the
        published ones, keep the published moves.
        """
        least = self._space.depth.min
        count, deepened = self._space.depth_of(gene), self._space.deepened
        if self._rules is not None and gene.stride > 1 and rng.random() < 0.5:
            width = self._space.width.clip(gene.width / gene.stride)
            return self.regroup(self.with_width(deepened(gene, least)._replace(stride=1), width)), gene
        spare = count - 2 * least
        if spare < 0:
            return (gene,)
        front = least + int(rng.random() * (spare + 1))
        return deepened(gene, front), deepened(gene, count - front)._replace(stride=1)

    def _split(self, gene: Gene) -> tuple[Gene, ...]:
        """Blocks of 3 and the rest, as the published spaces split a block that has become deep."""
        split_at, least = self._space.split_at, self._space.depth.min
        count, deepened = self._space.depth_of(gene), self._space.deepened
        if split_at is None or count < max(split_at, 3 + least) or least > 3 or self._space.fixed_blocks:
            return (gene,)
        rest = deepened(gene, count - 3)._replace(stride=1)
        return (deepened(gene, 3), *self._split(rest))

    def shift_width(self, gene: Gene, steps: int, *, inside: bool) -> Gene:
        """The gene with its width, or the one inside its units, moved by some steps where the space allows it."""
        kind = OPS[gene.op]
        if not kind.is_searchable:
            return gene
        if (
            inside
            and not (self._ratios is not None and self._ratios.governs(gene))
            and kind.has_mid
            and not (kind.has_pairs and gene.mid == gene.width)
        ):
            span = self._mid_spans[gene.op]
            mid = gene.mid + steps * span.step
            return self.regroup(gene.resized(gene.width, mid)) if mid in span else gene
        width = gene.width + steps * self._space.width.step
        return self.with_width(gene, width) if width in self._space.width else gene

    def with_width(self, gene: Gene, width: int) -> Gene:
        """The gene with another width; units of a pair that were alike stay alike."""
        if self._ratios is not None and self._ratios.governs(gene):
            wide = self._ratios.widened(gene, width)
            return wide if wide.width in self._space.width else gene
        if gene.mid == gene.width and OPS[gene.op].has_pairs:
            return gene.resized(width, width)
        return gene.resized(width, gene.mid)

    def mid_span(self, gene: Gene) -> Span:
        """The values that `mid` of a block may have."""
        return self._mid_spans[gene.op]

    def regroup(self, gene: Gene) -> Gene:
        """The gene with its mid width rounded to two or more whole groups, or without groups where none fit."""
        group = gene.group_width
        if not group or (gene.mid % group == 0 and gene.mid >= 2 * group):
            return gene
        unit = math.lcm(group, self._space.mid_width.step)
        least = unit if unit > group else 2 * unit
        mid = max(least, round(gene.mid / unit) * unit)
        if mid in self._space.mid_width:
            return gene._replace(mid=mid)
        if 0 in self._space.group_widths:
            return gene._replace(group_width=0)
        return gene._replace(mid=self._space.mid_width.max // unit * unit)


def _other(values: Sequence[T], current: T, rng: Random) -> T:
    """A value other than the current one, drawn evenly; the current one where there is no other."""
    place = int(rng.random() * (len(values) - 1))
    return values[place] if values[place] != current else values[-1]


def step_width(span: Span | None, width: int, rng: Random) -> int:
    """A width that one move of the range reaches."""
    moves = span.moves(width) if span is not None else ()
    return moves[int(rng.random() * len(moves))] if moves else width
