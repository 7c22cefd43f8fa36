"""Spaces of free blocks: every block chooses its op, kernel, widths and depth within bounds."""

from __future__ import annotations

import math
from collections.abc import Hashable
from functools import cached_property
from random import Random
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ...errors import PRINTABLE
from ...net.ops import OPS, Gene
from ...net.spec import ArchSpec
from ...net.validation import show
from .genes import Genome, genome_of
from .moves import BlockMoves
from .ranges import DepthRange, WidthRange, repeated
from .rules import Rules

Kernel: TypeAlias = Annotated[int, Field(ge=1, le=31)]


class BlockSpace(BaseModel):
    """A seed network whose blocks may change one by one.

    The first block is the stem and the last the head, both plain convolutions: of these only the width changes, or
    nothing where they are fixed. Between them are blocks of the space's ops. A block that reaches `split_at` sub-layers
    splits in two (3 and the rest); a block of stride 1 may be dropped, and any block be cut in two while `max_blocks`
    allows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True)

    bounds_depth: ClassVar[bool] = False  # a hundred deep blocks are no bound that a user has in mind

    schema_: Literal["zen-space/1"] = Field(default="zen-space/1", alias="schema")
    kind: Literal["blocks"]
    name: str = Field(max_length=100, pattern=PRINTABLE)
    summary: str = Field(default="", max_length=1000, pattern=PRINTABLE)
    seeds: tuple[ArchSpec, ...] = Field(min_length=1, max_length=32, strict=False)
    ops: tuple[str, ...] = Field(min_length=1, max_length=64, strict=False)
    kernels: tuple[Kernel, ...] = Field(default=(3, 5, 7), min_length=1, max_length=16, strict=False)
    expansions: tuple[Annotated[int, Field(ge=1, le=64)], ...] = Field(default=(), max_length=32, strict=False)
    group_widths: tuple[Annotated[int, Field(ge=0, le=4096)], ...] = Field(
        default=(0,), min_length=1, max_length=64, strict=False
    )
    pair_widths: bool = Field(
        default=True, description="whether units of an inverted residual pair may differ in width"
    )
    width: WidthRange
    mid_width: WidthRange
    stem_width: WidthRange | None = Field(default=None, description="null: the stem is fixed")
    head_width: WidthRange | None = Field(default=None, description="null: the head is fixed")
    depth: DepthRange = DepthRange()
    split_at: int | None = Field(default=6, ge=4, le=1000)
    max_blocks: int = Field(default=32, ge=3, le=200)
    rules: Rules | None = Field(default=None, description="design rules that every member keeps; null: none")

    @model_validator(mode="after")
    def _check(self) -> BlockSpace:
        for field in ("ops", "kernels", "expansions", "group_widths"):
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
        for index, seed in enumerate(self.seeds):
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
        return min(self.seeds, key=lambda spec: abs(math.log(spec.resolution / resolution)))

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
        if self._genomes_are_identities:
            return genome
        rows: list[tuple[Any, ...]] = []
        for gene in genome:
            kind, depth, stride = gene.kind, gene.depth, gene.stride
            row = (kind.hashed_as, gene.kernel, gene.widths(0), gene.widths(1), gene.se)
            if kind.has_pairs and gene.mid != gene.width and stride == 1 and rows and rows[-1][0] == row:
                depth, stride = depth + rows[-1][1], rows.pop()[2]
            rows.append((row, depth, stride))
        return tuple(rows)

    @cached_property
    def _genomes_are_identities(self) -> bool:
        return not any(OPS[op].has_pairs or OPS[op].hashed_as != op for op in self.ops)

    def decode(self, rows: list[list[Any]]) -> Genome:
        """A genome from the JSON arrays that it is written as."""
        return tuple(Gene(*row) for row in rows)

    def neighbour(self, genome: Genome, rng: Random) -> Genome:
        """A member nearby; see `BlockMoves.neighbour`."""
        return self._moves.neighbour(genome, rng)

    def mutate(self, genome: Genome, rng: Random) -> Genome:
        """A member that differs in one block; see `BlockMoves.mutate`."""
        return self._moves.mutate(genome, rng)

    def smallest(self, seed: ArchSpec) -> tuple[Genome, ...]:
        """The members of least width, kernel and depth, one for each op and expansion."""
        genome = [gene for gene in genome_of(seed) if not gene.kind.is_searchable or gene.stride > 1]
        if not any(gene.kind.is_searchable for gene in genome):
            genome = list(genome_of(seed))
        return tuple(
            tuple(self._least(gene, op, index, len(genome)) for index, gene in enumerate(genome)) for op in self.ops
        )

    def excludes(self, genome: Genome, seed: ArchSpec) -> str:
        """Why a genome is not a member, as `blocks[2].kernel: ...`; empty if it is one."""
        if len(genome) < 3 or any(genome[end].kind.is_residual for end in (0, -1)):
            return "blocks: a member has a conv stem, other blocks and a conv head"
        if len(genome) > self.max_blocks:
            return f"blocks: {len(genome)} are more than max_blocks {self.max_blocks}"
        model = genome_of(seed)
        if [gene.stride for gene in genome if gene.stride > 1] != [gene.stride for gene in model if gene.stride > 1]:
            return "blocks: the strides are not those of the seed network"
        for index, span, own in ((0, self.stem_span, model[0]), (-1, self.head_span, model[-1])):
            gene = genome[index]
            place = f"blocks[{index % len(genome)}]"
            if gene._replace(width=0) != own._replace(width=0):
                return f"{place}: only the width of stem and head may differ from the seed network"
            if gene.width != own.width and (span is None or gene.width not in span):
                return f"{place}.width: {gene.width} is not allowed"
        for index, gene in enumerate(genome[1:-1], start=1):
            reason = self._excludes_gene(gene)
            if reason:
                return f"blocks[{index}].{reason}"
        narrow = None if self.rules is None else self.rules.narrower(gene.width for gene in genome[1:-1])
        if narrow is not None:
            return f"blocks[{narrow + 1}].width: is less than that of the block before it, against never_narrower"
        return ""

    def _excludes_gene(self, gene: Gene) -> str:
        if gene.op not in self.ops:
            return f"op: {gene.op} is not among {', '.join(self.ops)}"
        if gene.kernel not in self.kernels:
            return f"kernel: {gene.kernel} is not among {self.kernels}"
        if gene.width not in self.width:
            return f"width: {gene.width} is not allowed"
        if reason := gene.kind.excludes(gene, self):
            return reason
        if gene.depth % gene.kind.units_per_sublayer:
            return f"depth: {gene.depth} is odd; {gene.op} units come in pairs here"
        if not self.depth.min <= gene.sublayers <= self.depth.max:
            return f"depth: {gene.sublayers} sub-layers are not allowed"
        return "" if self.rules is None else self.rules.broken_by_block(gene, self.kernels)

    @property
    def stem_span(self) -> WidthRange | None:
        """Widths of the stem; None where it is fixed, by the space or by its rules."""
        return None if self.rules is not None and self.rules.fixed_ends else self.stem_width

    @property
    def head_span(self) -> WidthRange | None:
        """Widths of the head; None where it is fixed, by the space or by its rules."""
        return None if self.rules is not None and self.rules.fixed_ends else self.head_width

    @cached_property
    def _moves(self) -> BlockMoves:
        return BlockMoves(self)

    def _least(self, gene: Gene, op: str, index: int, count: int) -> Gene:
        if not gene.kind.is_searchable:
            span = self.stem_span if index == 0 else self.head_span if index == count - 1 else None
            return gene if span is None else gene._replace(width=span.min)
        least = OPS[op].converted(gene, self, min(self.expansions, default=0)).with_sublayers(self.depth.min)
        mid = OPS[op].mid_span(self).min if OPS[op].has_mid else 0
        least = least._replace(kernel=min(self.kernels), width=self.width.min, mid=mid)
        return self._moves.fit(self._moves.regroup(least))
