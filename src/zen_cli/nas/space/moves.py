"""Moves between members of a space of free blocks: one block changed, or two so that the cost stays about equal."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from random import Random
from typing import Protocol, TypeAlias, TypeVar

from ...net.ops import OPS, Gene, SearchBounds, Span
from ...net.spec import MAX_UNITS
from .genes import Genome
from .ranges import DepthRange, WidthRange
from .rules import Rules

T = TypeVar("T")
Change: TypeAlias = Callable[[Gene, Random], tuple[Gene, ...]]
MAX_TRADE_STEPS = 3


class FreeBlocks(SearchBounds, Protocol):
    """What the moves need to know of a space."""

    @property
    def ops(self) -> Sequence[str]:
        """Ops of blocks between stem and head."""

    @property
    def stem_span(self) -> WidthRange | None:
        """Widths of the stem; None where it is fixed."""

    @property
    def head_span(self) -> WidthRange | None:
        """Widths of the head; None where it is fixed."""

    @property
    def depth(self) -> DepthRange:
        """Sub-layers of a block."""

    @property
    def split_at(self) -> int | None:
        """Sub-layers at which a block splits in two."""

    @property
    def max_blocks(self) -> int:
        """Blocks of a member, stem and head included."""

    @property
    def rules(self) -> Rules | None:
        """Design rules that every member keeps."""


class BlockMoves:
    """The moves of one space: each leads from a member to a member, maybe the same one."""

    def __init__(self, space: FreeBlocks) -> None:
        self._space = space
        units = max(OPS[op].units_per_sublayer for op in space.ops)
        # so many blocks cannot have too many units; half of these are for stem and head
        self._safe_blocks = MAX_UNITS // 2 // (space.depth.max * units)
        self._rules = space.rules
        self._stem, self._head = space.stem_span, space.head_span
        self._kernels = {
            op: space.kernels if space.rules is None else space.rules.kernels(OPS[op], space.kernels)
            for op in space.ops
        }
        self._mid_spans = {op: OPS[op].mid_span(space) for op in space.ops}
        self._changes: dict[str, tuple[Change, ...]] = {op: self._changes_of(op) for op in space.ops}

    def neighbour(self, genome: Genome, rng: Random) -> Genome:
        """A member nearby, for a search whose members are close to their limits.

        Six in ten moves are one or more mutations. The others keep the cost about equal, because close to a limit one
        block can only gain what another loses: a sub-layer moves from one block to another, or one width grows by some
        steps while another shrinks.
        """
        kind = rng.random()
        if kind < 0.1:
            return self._move_sublayer(genome, rng)
        if kind < 0.4:
            return self._trade_widths(genome, rng)
        genome = self.mutate(genome, rng)
        while rng.random() < 0.4:
            genome = self.mutate(genome, rng)
        return genome

    def mutate(self, genome: Genome, rng: Random) -> Genome:
        """One block changed in one way, drawn evenly over blocks, kinds of change and values."""
        space = self._space
        first = 0 if self._stem is not None else 1
        last = len(genome) if self._head is not None else len(genome) - 1
        index = first + int(rng.random() * (last - first))
        gene = genome[index]
        if not OPS[gene.op].is_searchable:
            span = self._stem if index == 0 else self._head
            changed: tuple[Gene, ...] = (gene._replace(width=_step(span, gene.width, rng)),)
        else:
            changes = self._changes[gene.op]
            changed = changes[int(rng.random() * len(changes))](gene, rng)
        if not 3 <= len(genome) - 1 + len(changed) <= space.max_blocks:
            return genome
        changed_genome = (*genome[:index], *changed, *genome[index + 1 :])
        if self._rules is not None:
            changed_genome = self._ruled(genome, changed_genome, index)
        return (
            changed_genome
            if len(changed_genome) <= self._safe_blocks
            else self._unless_too_deep(changed_genome, genome)
        )

    def _unless_too_deep(self, changed: Genome, genome: Genome) -> Genome:
        """The changed genome, or the one before where a spec cannot hold so many units."""
        if len(changed) > self._safe_blocks and sum(gene.depth for gene in changed) > MAX_UNITS:
            return genome
        return changed

    def fit(self, gene: Gene) -> Gene:
        """A block that keeps the rules of blocks, if there are rules, as far as the space allows."""
        if self._rules is None or not gene.kind.is_searchable:
            return gene
        return self._rules.fit(gene, self._mid_span(gene), self._space.kernels)

    def _ruled(self, before: Genome, after: Genome, index: int) -> Genome:
        """What a change at a block becomes where there are rules: the same with others following, or no change.

        Blocks before the changed one that are wider become as narrow, blocks after it that are narrower become as wide.
        """
        rules = self._rules
        assert rules is not None
        rows, count = list(after), len(after)
        if rules.never_narrower and 0 < index < count - 1:
            width = rows[index].width
            for place in range(1, count - 1):
                other = rows[place].width
                if (other > width) if place < index else (other < width):
                    rows[place] = self._with_width(rows[place], width)
        for place in range(1, count - 1):
            gene = self.fit(rows[place])
            if gene.mid not in self._mid_span(gene) and gene.kind.has_mid:
                return before
            if gene is not after[place] and gene.group_width and gene.mid < 2 * gene.group_width:
                return before
            if rules.broken_by_block(gene, self._space.kernels):
                return before
            rows[place] = gene
        if rules.narrower(gene.width for gene in rows[1:-1]) is not None:
            return before
        return tuple(rows)

    def _changes_of(self, op: str) -> tuple[Change, ...]:
        """The kinds of change that a block of this op allows."""
        space = self._space
        kinds = [self._change_width, self._change_depth, self._drop, self._cut]
        if len(self._kernels[op]) > 1:
            kinds.append(self._change_kernel)
        if len(space.ops) > 1:
            kinds.append(self._change_op)
        of_field = {
            "mid": self._change_mid_width,
            "expansion": self._change_expansion,
            "group_width": self._change_group_width,
        }
        fields = OPS[op].free_fields(space)
        if space.rules is not None and space.rules.equal_pairs and OPS[op].has_pairs:
            fields = tuple(field for field in fields if field != "mid")
        return (*kinds, *(of_field[field] for field in fields))

    def _change_kernel(self, gene: Gene, rng: Random) -> tuple[Gene, ...]:
        return (gene._replace(kernel=_other(self._kernels[gene.op], gene.kernel, rng)),)

    def _change_expansion(self, gene: Gene, rng: Random) -> tuple[Gene, ...]:
        return (gene._replace(expansion=_other(self._space.expansions, gene.expansion, rng)),)

    def _change_width(self, gene: Gene, rng: Random) -> tuple[Gene, ...]:
        return (self._with_width(gene, _step(self._space.width, gene.width, rng)),)

    def _change_mid_width(self, gene: Gene, rng: Random) -> tuple[Gene, ...]:
        if gene.kind.has_pairs and gene.mid != gene.width and rng.random() < 0.5:
            return (gene._replace(mid=gene.width),)
        return (self.regroup(gene.resized(gene.width, _step(self._mid_span(gene), gene.mid, rng))),)

    def _change_group_width(self, gene: Gene, rng: Random) -> tuple[Gene, ...]:
        return (self.regroup(gene._replace(group_width=_other(self._space.group_widths, gene.group_width, rng))),)

    def _change_op(self, gene: Gene, rng: Random) -> tuple[Gene, ...]:
        expansions = self._space.expansions
        expansion = expansions[int(rng.random() * len(expansions))] if expansions else 0
        other = OPS[_other(self._space.ops, gene.op, rng)]
        return (self.regroup(other.converted(gene, self._space, expansion)),)

    def _change_depth(self, gene: Gene, rng: Random) -> tuple[Gene, ...]:
        depth = self._space.depth
        sublayers = gene.sublayers + depth.steps[int(rng.random() * len(depth.steps))]
        return self._split(gene.with_sublayers(max(depth.min, min(depth.max, sublayers))))

    def _drop(self, gene: Gene, rng: Random) -> tuple[Gene, ...]:
        return (gene,) if gene.stride > 1 else ()

    def _cut(self, gene: Gene, rng: Random) -> tuple[Gene, ...]:
        """The block as two, which change independently from then on."""
        least = self._space.depth.min
        spare = gene.sublayers - 2 * least
        if spare < 0:
            return (gene,)
        front = least + int(rng.random() * (spare + 1))
        return gene.with_sublayers(front), gene.with_sublayers(gene.sublayers - front)._replace(stride=1)

    def _split(self, gene: Gene) -> tuple[Gene, ...]:
        """Blocks of 3 and the rest, as the published spaces split a block that has become deep."""
        split_at, least = self._space.split_at, self._space.depth.min
        if split_at is None or gene.sublayers < max(split_at, 3 + least) or least > 3:
            return (gene,)
        rest = gene.with_sublayers(gene.sublayers - 3)._replace(stride=1)
        return (gene.with_sublayers(3), *self._split(rest))

    def _move_sublayer(self, genome: Genome, rng: Random) -> Genome:
        giver, taker = self._two_blocks(genome, rng)
        depth = self._space.depth
        if giver == taker or genome[giver].sublayers <= depth.min or genome[taker].sublayers >= depth.max:
            return genome
        rows = list(genome)
        rows[giver] = rows[giver].with_sublayers(rows[giver].sublayers - 1)
        rows[taker] = rows[taker].with_sublayers(rows[taker].sublayers + 1)
        return self._unless_too_deep(tuple(rows), genome)

    def _trade_widths(self, genome: Genome, rng: Random) -> Genome:
        grows, shrinks = self._two_blocks(genome, rng)
        rows = list(genome)
        for index, sign in ((grows, 1), (shrinks, -1)):
            steps = sign * (1 + int(rng.random() * MAX_TRADE_STEPS))
            rows[index] = self._shift_width(rows[index], steps, inside=rng.random() < 0.5)
            if self._rules is not None:
                genome = self._ruled(genome, tuple(rows), index)
                rows = list(genome)
        return tuple(rows)

    def _two_blocks(self, genome: Genome, rng: Random) -> tuple[int, int]:
        inner = len(genome) - 2
        return 1 + int(rng.random() * inner), 1 + int(rng.random() * inner)

    def _shift_width(self, gene: Gene, steps: int, *, inside: bool) -> Gene:
        """The gene with its width, or the one inside its units, moved by some steps where the space allows it."""
        kind = OPS[gene.op]
        if inside and kind.has_mid and not (kind.has_pairs and gene.mid == gene.width):
            span = self._mid_spans[gene.op]
            mid = gene.mid + steps * span.step
            return self.regroup(gene.resized(gene.width, mid)) if mid in span else gene
        width = gene.width + steps * self._space.width.step
        return self._with_width(gene, width) if width in self._space.width else gene

    def _with_width(self, gene: Gene, width: int) -> Gene:
        """The gene with another width; units of a pair that were alike stay alike."""
        if gene.mid == gene.width and OPS[gene.op].has_pairs:
            return gene.resized(width, width)
        return gene.resized(width, gene.mid)

    def _mid_span(self, gene: Gene) -> Span:
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


def _step(span: Span | None, width: int, rng: Random) -> int:
    """A width that one move of the range reaches."""
    moves = span.moves(width) if span is not None else ()
    return moves[int(rng.random() * len(moves))] if moves else width
