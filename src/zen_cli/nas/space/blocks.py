"""Spaces of free blocks: every block chooses its op, kernel, widths and depth within bounds."""

from __future__ import annotations

import math
from collections.abc import Hashable
from functools import cached_property, lru_cache
from random import Random
from typing import Any, ClassVar

from pydantic import model_validator

from ...net.layers import side_text
from ...net.ops import OPS, Gene, Unit, repeated_units
from ...net.spec import ArchSpec
from ...net.validation import show
from .block_keys import BlockKeys, excludes_blocks
from .genes import Genome, genome_of
from .moves import BlockMoves
from .ranges import repeated


class BlockSpace(BlockKeys):
    """A seed network whose blocks may change one by one.

    The first block is the stem and the last the head: of these only the width changes, or nothing where they are fixed.
    There may be more of both, which are fixed, and no head. Between them are blocks of the space's ops. A block that
    reaches `split_at` sub-layers splits in two (3 and the rest); a block of stride 1 may be dropped, and any block be
    cut in two while `max_blocks` allows. With `fixed_blocks` the blocks stay, and with them what has no range here.
    """

    bounds_depth: ClassVar[bool] = False  # a hundred deep blocks are no bound that a user has in mind

    @model_validator(mode="after")
    def _check(self) -> BlockSpace:
        for field in ("ops", "kernels", "expansions", "group_widths", "mid_ratios"):
            if reason := repeated(field, getattr(self, field)):
                raise ValueError(reason)
        for op in self.ops:
            if op not in OPS or not OPS[op].is_searchable:
                known = [name for name, kind in OPS.items() if kind.is_searchable]
                raise ValueError(f"ops: {show(op)} is not known; use {', '.join(known)}")
            if reason := OPS[op].check_space(self):
                raise ValueError(reason)
        if self.rules is not None:
            for op in self.ops:
                if not self.rules.kernels(OPS[op], self.kernels):
                    raise ValueError(f"kernels: the rules leave none of {self.kernels} for {op}; add 3")
        for kernel in self.kernels:
            if kernel % 2 == 0:
                raise ValueError(f"kernels: {kernel} is even; use odd kernels such as 3, 5 and 7")
        if reason := self.shape_fault():
            raise ValueError(reason)
        for index, seed in enumerate(self.seeds):
            if isinstance(seed.resolution, tuple):
                size = side_text(seed.resolution)
                raise ValueError(f"seeds[{index}].resolution: a search takes square images, not {size}; give one side")
            if reason := self.excludes(genome_of(seed), seed):
                raise ValueError(f"seeds[{index}]: is outside its own space, {reason}")
        return self

    def to_dict(self) -> dict[str, Any]:
        """Its document as JSON types."""
        return self.model_dump(by_alias=True, mode="json")

    def made_for(self) -> ArchSpec | None:
        """The seed network, if there is one only."""
        return self.seeds[0] if len(self.seeds) == 1 else None

    def seed(self, resolution: int) -> ArchSpec:
        """The seed network for images of this side: of several the one made for the nearest resolution."""
        return min(self.seeds, key=lambda spec: abs(math.log(spec.side / resolution)))

    def start(self, seed: ArchSpec) -> Genome:
        """The genome that a search from this seed network begins with."""
        return genome_of(seed)

    def genes(self, genome: Genome, seed: ArchSpec) -> tuple[Gene, ...]:
        """The blocks of a member."""
        return genome

    def identity(self, genome: Genome) -> Hashable:
        """Equal for members that are the same network; see `ArchSpec.id`.

        Expansions may round to one width, inverted residuals are depthwise bottlenecks, and where the units of a pair
        differ in width every unit has a projection, so that two blocks of such pairs are as good as one.
        """
        if self.fixed_blocks:
            return tuple(self._unit_runs(genome))
        if self._genomes_are_identities:
            return genome
        rows: list[tuple[Any, ...]] = []
        for gene in genome:
            row, joins = _identity_row(gene)
            if joins and rows and rows[-1][0] == row:
                _, depth, stride = rows.pop()
                rows.append((row, depth + gene.depth, stride))
            else:
                rows.append((row, gene.depth, gene.stride))
        return tuple(rows)

    def _unit_runs(self, genome: Genome) -> list[tuple[Unit, int]]:
        """The units of a member and how often each follows itself, across blocks that could be one."""
        runs: list[tuple[Unit, int]] = []
        in_width = self.seeds[0].in_channels
        for gene in genome:
            for unit, times in repeated_units(gene, in_width):
                before = runs.pop()[1] if runs and runs[-1][0] == unit else 0
                runs.append((unit, before + times))
            in_width = gene.width
        return runs

    @cached_property
    def _genomes_are_identities(self) -> bool:
        return not any(OPS[op].has_pairs or OPS[op].hashed_as != op for op in self.ops)

    def decode(self, rows: list[list[Any]]) -> Genome:
        """A genome from the JSON arrays that it is written as."""
        return tuple(Gene.of_row(row) for row in rows)

    def neighbour(self, genome: Genome, rng: Random) -> Genome:
        """A member nearby; see `BlockMoves.neighbour`."""
        return self._moves.neighbour(genome, rng)

    def mutate(self, genome: Genome, rng: Random) -> Genome:
        """A member that differs in one block; see `BlockMoves.mutate`."""
        return self._moves.mutate(genome, rng)

    def smallest(self, seed: ArchSpec) -> tuple[Genome, ...]:
        """The members of least width, kernel and depth, one for each op and expansion."""
        model = genome_of(seed)
        inner = self.inner(model)
        if self.fixed_blocks:
            least = [self._least_inner(model[index], model[index].op) for index in inner]
            return ((*self._ends(model[: inner.start], 0), *least, *self._ends(model[inner.stop :], 1)),)
        blocks = [model[index] for index in inner if model[index].stride > 1] or [model[index] for index in inner]
        return tuple(
            (
                *self._ends(model[: inner.start], 0),
                *(self._least_inner(gene, op) for gene in blocks),
                *self._ends(model[inner.stop :], 1),
            )
            for op in self.ops
        )

    def excludes(self, genome: Genome, seed: ArchSpec) -> str:
        """Why a genome is not a member, as `blocks[2].kernel: ...`; empty if it is one."""
        model, inner = genome_of(seed), self.inner(genome)
        if not inner or any(genome[end].kind.is_residual for end in self.ends(genome)):
            return f"blocks: a member has {self.stem_blocks} conv blocks as stem, other blocks and {self.heads} as head"
        if len(genome) > self.max_blocks:
            return f"blocks: {len(genome)} are more than max_blocks {self.max_blocks}"
        if [gene.stride for gene in genome if gene.stride > 1] != [gene.stride for gene in model if gene.stride > 1]:
            return "blocks: the strides are not those of the seed network"
        for index in self.ends(genome):
            gene, own = genome[index], model[index if index < inner.start else index - len(genome)]
            span = self.end_span(index)
            if gene._replace(width=0) != own._replace(width=0):
                return f"blocks[{index}]: only the width of stem and head may differ from the seed network"
            if gene.width != own.width and (span is None or gene.width not in span):
                return f"blocks[{index}].width: {gene.width} is not allowed"
        if self.fixed_blocks and (reason := excludes_blocks(genome, model, inner)):
            return reason
        for index in inner:
            reason = self._excludes_gene(genome[index])
            if reason:
                return f"blocks[{index}].{reason}"
        widths = [genome[index].width for index in inner]
        narrow = None if self.rules is None else self.rules.narrower(widths)
        if narrow is not None:
            return f"blocks[{inner[narrow]}].width: is less than that of the block before it, against never_narrower"
        return ""

    def _excludes_gene(self, gene: Gene) -> str:
        if not gene.kind.is_searchable and self.fixed_blocks:
            return ""
        if gene.op not in self.ops:
            return f"op: {gene.op} is not among {', '.join(self.ops)}"
        if gene.kernel not in self.kernels:
            return f"kernel: {gene.kernel} is not among {self.kernels}"
        if gene.width not in self.width:
            return f"width: {gene.width} is not allowed"
        reason = self.ratios.excludes(gene) if self.ratios.governs(gene) else gene.kind.excludes(gene, self)
        if reason:
            return reason
        if not self.counts_units and gene.depth % gene.kind.units_per_sublayer:
            return f"depth: {gene.depth} is odd; {gene.op} units come in pairs here"
        if not self.depth.min <= self.depth_of(gene) <= self.depth.max:
            return f"depth: {self.depth_of(gene)} {'units' if self.counts_units else 'sub-layers'} are not allowed"
        return "" if self.rules is None else self.rules.broken_by_block(gene, self.kernels)

    @cached_property
    def _moves(self) -> BlockMoves:
        return BlockMoves(self)

    def _ends(self, genes: Genome, end: int) -> Genome:
        span = (self.stem_span, self.head_span)[end]
        return genes if span is None else tuple(gene._replace(width=span.min) for gene in genes)

    def _least_inner(self, gene: Gene, op: str) -> Gene:
        if not gene.kind.is_searchable:
            return gene
        if self.fixed_blocks and self.ratios.governs(gene):
            widths = range(self.width.min, self.width.max + 1, self.width.step)
            rows = (self.ratios.apply(gene, min(self.ratios.values), width) for width in widths)
            least = next((row for row in rows if row.width in self.width), gene)
            return self._moves.changes.fit(self.deepened(least, self.depth.min)._replace(kernel=min(self.kernels)))
        expansion = min(self.expansions, default=0)
        least = gene._replace(expansion=expansion) if self.fixed_blocks else OPS[op].converted(gene, self, expansion)
        mid = OPS[op].mid_span(self).min if OPS[op].has_mid else 0
        least = self.deepened(least, self.depth.min)._replace(kernel=min(self.kernels), width=self.width.min, mid=mid)
        return self._moves.changes.fit(self._moves.changes.regroup(least))


@lru_cache(maxsize=65_536)
def _identity_row(gene: Gene) -> tuple[tuple[Any, ...], bool]:
    """What blocks share that are the same but for depth and stride, and whether one goes on where such a one ends."""
    kind = gene.kind
    row = (kind.hashed_as, gene.kernel, gene.widths(0), gene.widths(1), gene.se)
    return row, kind.has_pairs and gene.mid != gene.width and gene.stride == 1
