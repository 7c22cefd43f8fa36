"""Moves between members of a space of free blocks: one block changed, or two so that the cost stays about equal."""

from __future__ import annotations

from random import Random

from ...net.ops import OPS, Gene
from ...net.spec import MAX_UNITS
from .changes import BlockChanges, step_width
from .free_blocks import FreeBlocks
from .genes import Genome

MAX_TRADE_STEPS = 3
MAX_CACHED_BLOCKS = 65_536


class BlockMoves:
    """The moves of one space: each leads from a member to a member, maybe the same one."""

    def __init__(self, space: FreeBlocks) -> None:
        self._space = space
        units = 1 if space.counts_units else max(OPS[op].units_per_sublayer for op in space.ops)
        # so many blocks cannot have too many units; half of these are for stem and head
        self._safe_blocks = MAX_UNITS // 2 // (space.depth.max * units)
        self._rules = space.rules
        self._fitted: dict[Gene, Gene | None] = {}
        self._stem, self._head = space.stem_span, space.head_span
        self._stem_blocks, self._head_blocks = space.stem_blocks, space.heads
        self.changes = BlockChanges(space)

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
        space, count = self._space, len(genome)
        begin, end = self._stem_blocks, count - self._head_blocks
        first = 0 if self._stem is not None else begin
        last = count if self._head is not None else end
        index = first + int(rng.random() * (last - first))
        gene = genome[index]
        if not begin <= index < end:
            changed: tuple[Gene, ...] = (gene._replace(width=step_width(space.end_span(index), gene.width, rng)),)
        elif not OPS[gene.op].is_searchable:
            return genome
        else:
            changed = self.changes.any(gene, rng)
        if end - begin + len(changed) < 2 or count - 1 + len(changed) > space.max_blocks:
            return genome
        changed_genome = (*genome[:index], *changed, *genome[index + 1 :])
        if space.fixed_blocks:
            changed_genome = self._tie(changed_genome, index)
        if self._rules is not None:
            changed_genome = self._ruled(genome, changed_genome, index)
        return (
            changed_genome
            if len(changed_genome) <= self._safe_blocks
            else self._unless_too_deep(changed_genome, genome)
        )

    def _tie(self, genome: Genome, index: int) -> Genome:
        """The genome with the width of a block given to those that have one width with it."""
        rows, width = list(genome), genome[index].width
        for place in self._space.tied(index):
            if rows[place].width != width:
                rows[place] = self.changes.with_width(rows[place], width)
        return tuple(rows)

    def _unless_too_deep(self, changed: Genome, genome: Genome) -> Genome:
        """The changed genome, or the one before where a spec cannot hold so many units."""
        if len(changed) > self._safe_blocks and sum(gene.depth for gene in changed) > MAX_UNITS:
            return genome
        return changed

    def _ruled(self, before: Genome, after: Genome, index: int) -> Genome:
        """What a change at a block becomes where there are rules: the same with others following, or no change.

        Blocks before the changed one that are wider become as narrow, blocks after it that are narrower become as wide.
        """
        rules = self._rules
        assert rules is not None
        rows, inner = list(after), self._space.inner(after)
        if rules.never_narrower and index in inner:
            width = rows[index].width
            for place in inner:
                other = rows[place].width
                if (other > width) if place < index else (other < width):
                    rows[place] = self.changes.with_width(rows[place], width)
        known = self._fitted
        for place in inner:
            gene = rows[place]
            if not OPS[gene.op].is_searchable:
                continue
            fitted = known[gene] if gene in known else self._fit_or_none(gene)
            if fitted is None:
                return before
            rows[place] = fitted
        if rules.narrower(rows[place].width for place in inner) is not None:
            return before
        return tuple(rows)

    def _fit_or_none(self, gene: Gene) -> Gene | None:
        """A block that keeps the rules of blocks; None where the space has none near it. Remembered for next time."""
        rules = self._rules
        assert rules is not None
        fitted = self.changes.fit(gene)
        if len(self._fitted) >= MAX_CACHED_BLOCKS:
            self._fitted.clear()
        is_member = (
            (fitted.mid in self.changes.mid_span(fitted) or not fitted.kind.has_mid)
            and (fitted == gene or not fitted.group_width or fitted.mid >= 2 * fitted.group_width)
            and not rules.broken_by_block(fitted, self._space.kernels)
        )
        found = self._fitted[gene] = fitted if is_member else None
        return found

    def _move_sublayer(self, genome: Genome, rng: Random) -> Genome:
        giver, taker = self._two_blocks(genome, rng)
        depth, depth_of, deepened = self._space.depth, self._space.depth_of, self._space.deepened
        if giver == taker or depth_of(genome[giver]) <= depth.min or depth_of(genome[taker]) >= depth.max:
            return genome
        rows = list(genome)
        if not all(OPS[rows[place].op].is_searchable for place in (giver, taker)):
            return genome
        rows[giver] = deepened(rows[giver], depth_of(rows[giver]) - 1)
        rows[taker] = deepened(rows[taker], depth_of(rows[taker]) + 1)
        return self._unless_too_deep(tuple(rows), genome)

    def _trade_widths(self, genome: Genome, rng: Random) -> Genome:
        grows, shrinks = self._two_blocks(genome, rng)
        rows = list(genome)
        for index, sign in ((grows, 1), (shrinks, -1)):
            steps = sign * (1 + int(rng.random() * MAX_TRADE_STEPS))
            rows[index] = self.changes.shift_width(rows[index], steps, inside=rng.random() < 0.5)
            if self._space.fixed_blocks:
                rows = list(self._tie(tuple(rows), index))
            if self._rules is not None:
                genome = self._ruled(genome, tuple(rows), index)
                rows = list(genome)
        return tuple(rows)

    def _two_blocks(self, genome: Genome, rng: Random) -> tuple[int, int]:
        begin = self._stem_blocks
        count = len(genome) - begin - self._head_blocks
        return begin + int(rng.random() * count), begin + int(rng.random() * count)
