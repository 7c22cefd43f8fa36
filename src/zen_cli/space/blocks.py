"""Spaces of free blocks: every block chooses its op, kernel, widths and depth within bounds."""

from __future__ import annotations

import math
from functools import cached_property
from random import Random
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..spec import UNITS_PER_SUBLAYER, ArchSpec
from .genes import Gene, Genome, genome_of
from .ranges import DepthRange, WidthRange

Op: TypeAlias = Literal["basic", "bottleneck", "mbconv"]
Kernel: TypeAlias = Annotated[int, Field(ge=1, le=31)]


class BlockSpace(BaseModel):
    """A seed network whose blocks may change one by one.

    The first block is the stem and the last the head, both plain convolutions: of these only the width changes, or
    nothing where they are fixed. Between them stand blocks of the space's ops. A block that reaches `split_at`
    sub-layers splits in two (3 and the rest); a block of stride 1 may be dropped, and any block be cut in two while
    `max_blocks` allows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True)

    schema_: Literal["zen-space/1"] = Field(default="zen-space/1", alias="schema")
    kind: Literal["blocks"] = "blocks"
    name: str = Field(max_length=100)
    summary: str = Field(default="", max_length=1000)
    seeds: tuple[ArchSpec, ...] = Field(min_length=1, max_length=32, strict=False)
    ops: tuple[Op, ...] = Field(min_length=1, strict=False)
    kernels: tuple[Kernel, ...] = Field(default=(3, 5, 7), min_length=1, max_length=16, strict=False)
    expansions: tuple[Annotated[int, Field(ge=1, le=64)], ...] = Field(default=(), max_length=32, strict=False)
    group_widths: tuple[Annotated[int, Field(ge=0, le=4096)], ...] = Field(default=(0,), min_length=1, strict=False)
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

    @model_validator(mode="after")
    def _check(self) -> BlockSpace:
        if "mbconv" in self.ops and not self.expansions:
            raise ValueError("expansions: missing; inverted residuals need some, such as [1, 2, 4, 6]")
        for kernel in self.kernels:
            if kernel % 2 == 0:
                raise ValueError(f"kernels: {kernel} is even; use odd kernels such as 3, 5 and 7")
        for index, seed in enumerate(self.seeds):
            reason = self.excludes(seed)
            if reason:
                raise ValueError(f"seeds[{index}]: is outside its own space, {reason}")
        return self

    def seed(self, resolution: int) -> ArchSpec:
        """The seed network for images of this side: of several the one made for the nearest resolution."""
        return min(self.seeds, key=lambda spec: abs(math.log(spec.resolution / resolution)))

    def genome(self, seed: ArchSpec) -> Genome:
        """A member as a genome."""
        return genome_of(seed)

    def genes(self, genome: Genome) -> tuple[Gene, ...]:
        """The blocks of a member."""
        return genome

    def mutate(self, genome: Genome, rng: Random) -> Genome:
        """A neighbour: one block changed in one way, drawn evenly over blocks, kinds of change and values."""
        first = 0 if self.stem_width is not None else 1
        last = len(genome) if self.head_width is not None else len(genome) - 1
        while True:
            index = first + int(rng.random() * (last - first))
            gene = genome[index]
            if gene.op == "conv":
                changed = self._widen_conv(gene, self.stem_width if index == 0 else self.head_width, rng)
                return (*genome[:index], changed, *genome[index + 1 :])
            kinds = self._kinds[gene.op]
            kind = kinds[int(rng.random() * len(kinds))]
            if kind in ("drop", "split"):
                return self._restructure(genome, index, kind, rng) or genome
            changed = getattr(self, f"_change_{kind}")(gene, rng)
            if changed is not gene:
                return (*genome[:index], *self._split(changed), *genome[index + 1 :])

    def crossover(self, mother: Genome, father: Genome, rng: Random) -> Genome:
        """The front of one member and the back of another, cut in front of the same down-sampling or the head."""
        mother_cuts, father_cuts = _cuts(mother), _cuts(father)
        index = int(rng.random() * len(mother_cuts))
        child = mother[: mother_cuts[index]] + father[father_cuts[index] :]
        return child if len(child) <= self.max_blocks else mother

    def smallest(self, seed: ArchSpec) -> tuple[Genome, ...]:
        """The members of least width, kernel and depth, one for each op and expansion."""
        genome = [gene for gene in genome_of(seed) if gene.op == "conv" or gene.stride > 1]
        if all(gene.op == "conv" for gene in genome):
            genome = list(genome_of(seed))
        return tuple(
            tuple(self._least(gene, op, index, len(genome)) for index, gene in enumerate(genome)) for op in self.ops
        )

    def excludes(self, spec: ArchSpec) -> str:
        """Why a network is not a member, as `blocks[2].kernel: ...`; empty if it is one."""
        if len(spec.blocks) < 3 or spec.blocks[0].op != "conv" or spec.blocks[-1].op != "conv":
            return "blocks: a member has a conv stem, other blocks and a conv head"
        if len(spec.blocks) > self.max_blocks:
            return f"blocks: {len(spec.blocks)} are more than max_blocks {self.max_blocks}"
        seed = self.seed(spec.resolution) if self.seeds else spec
        genome, model = genome_of(spec), genome_of(seed)
        if [gene.stride for gene in genome if gene.stride > 1] != [gene.stride for gene in model if gene.stride > 1]:
            return "blocks: the strides are not those of the seed network"
        for index, span, own in ((0, self.stem_width, model[0]), (-1, self.head_width, model[-1])):
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
        return ""

    def _excludes_gene(self, gene: Gene) -> str:
        if gene.op not in self.ops:
            return f"op: {gene.op} is not among {', '.join(self.ops)}"
        if gene.kernel not in self.kernels:
            return f"kernel: {gene.kernel} is not among {self.kernels}"
        if gene.width not in self.width:
            return f"width: {gene.width} is not allowed"
        if gene.op == "mbconv" and gene.expansion not in self.expansions:
            return f"expansion: {gene.expansion} is not among {self.expansions}"
        if gene.op == "mbconv" and gene.mid != gene.width and not self.pair_widths:
            return "pair_width: differs from width"
        if gene.mid not in (self.width if gene.op == "mbconv" else self.mid_width):
            return f"mid_width: {gene.mid} is not allowed"
        if gene.op == "bottleneck" and gene.group_width not in self.group_widths:
            return f"group_width: {gene.group_width} is not among {self.group_widths}"
        if gene.depth % UNITS_PER_SUBLAYER[gene.op]:
            return f"depth: {gene.depth} is odd; {gene.op} units come in pairs here"
        if not self.depth.min <= gene.sublayers <= self.depth.max:
            return f"depth: {gene.sublayers} sub-layers are not allowed"
        return ""

    @cached_property
    def _kinds(self) -> dict[str, tuple[str, ...]]:
        """The kinds of change that a block of each op allows."""
        table: dict[str, tuple[str, ...]] = {}
        for op in self.ops:
            kinds = ["width", "depth", "drop", "split"]
            kinds += ["kernel"] if len(self.kernels) > 1 else []
            kinds += ["op"] if len(self.ops) > 1 else []
            kinds += ["mid"] if op != "mbconv" or self.pair_widths else []
            kinds += ["expansion"] if op == "mbconv" and len(self.expansions) > 1 else []
            kinds += ["group"] if op == "bottleneck" and len(self.group_widths) > 1 else []
            table[op] = tuple(kinds)
        return table

    def _change_kernel(self, gene: Gene, rng: Random) -> Gene:
        return gene._replace(kernel=_other(self.kernels, gene.kernel, rng))

    def _change_expansion(self, gene: Gene, rng: Random) -> Gene:
        return gene._replace(expansion=_other(self.expansions, gene.expansion, rng))

    def _change_width(self, gene: Gene, rng: Random) -> Gene:
        width = _draw(self.width.moves(gene.width), gene.width, rng)
        if gene.op == "mbconv" and (gene.mid == gene.width or not self.pair_widths):
            return gene._replace(width=width, mid=width)
        return gene._replace(width=width)

    def _change_mid(self, gene: Gene, rng: Random) -> Gene:
        if gene.op == "mbconv":
            if gene.mid != gene.width and rng.random() < 0.5:
                return gene._replace(mid=gene.width)
            return gene._replace(mid=_draw(self.width.moves(gene.mid), gene.mid, rng))
        return self._regroup(gene._replace(mid=_draw(self.mid_width.moves(gene.mid), gene.mid, rng)))

    def _change_group(self, gene: Gene, rng: Random) -> Gene:
        return self._regroup(gene._replace(group_width=_other(self.group_widths, gene.group_width, rng)))

    def _change_depth(self, gene: Gene, rng: Random) -> Gene:
        step = _draw(self.depth.steps, 0, rng)
        sublayers = max(self.depth.min, min(self.depth.max, gene.sublayers + step))
        if sublayers == gene.sublayers:
            return gene
        return gene._replace(depth=sublayers * UNITS_PER_SUBLAYER[gene.op])

    def _change_op(self, gene: Gene, rng: Random) -> Gene:
        return self._as_op(gene, _other(self.ops, gene.op, rng), _draw(self.expansions, 1, rng))

    def _as_op(self, gene: Gene, op: str, expansion: int) -> Gene:
        depth = gene.sublayers * UNITS_PER_SUBLAYER[op]
        mid = gene.width if op == "mbconv" else self.mid_width.clip(gene.mid)
        group_width = self.group_widths[0] if op == "bottleneck" else 0
        changed = gene._replace(
            op=op, depth=depth, mid=mid, expansion=expansion if op == "mbconv" else 0, group_width=group_width
        )
        return self._regroup(changed)

    def _regroup(self, gene: Gene) -> Gene:
        """The gene with its mid width rounded to what its group width divides."""
        group = gene.group_width
        if not group or gene.mid % group == 0:
            return gene
        unit = math.lcm(group, self.mid_width.step)
        mid = max(unit, round(gene.mid / unit) * unit)
        return gene._replace(mid=mid) if mid in self.mid_width else gene._replace(group_width=0)

    def _widen_conv(self, gene: Gene, span: WidthRange | None, rng: Random) -> Gene:
        return gene if span is None else gene._replace(width=_draw(span.moves(gene.width), gene.width, rng))

    def _restructure(self, genome: Genome, index: int, kind: str, rng: Random) -> Genome | None:
        gene = genome[index]
        if kind == "drop":
            if gene.stride > 1 or len(genome) <= 3:
                return None
            return genome[:index] + genome[index + 1 :]
        per_sublayer = UNITS_PER_SUBLAYER[gene.op]
        if gene.sublayers < 2 * self.depth.min or gene.sublayers < 2 or len(genome) >= self.max_blocks:
            return None
        front = self.depth.min + int(rng.random() * (gene.sublayers - 2 * self.depth.min + 1))
        front = max(1, min(front, gene.sublayers - 1))
        first = gene._replace(depth=front * per_sublayer)
        second = gene._replace(depth=gene.depth - first.depth, stride=1)
        return (*genome[:index], first, second, *genome[index + 1 :])

    def _split(self, gene: Gene) -> tuple[Gene, ...]:
        if self.split_at is None or gene.sublayers < self.split_at:
            return (gene,)
        first = gene._replace(depth=3 * UNITS_PER_SUBLAYER[gene.op])
        return (first, *self._split(gene._replace(depth=gene.depth - first.depth, stride=1)))

    def _least(self, gene: Gene, op: str, index: int, count: int) -> Gene:
        if gene.op == "conv":
            span = self.stem_width if index == 0 else self.head_width if index == count - 1 else None
            return gene if span is None else gene._replace(width=span.min)
        least = self._as_op(gene, op, min(self.expansions, default=1))
        mid = self.width.min if op == "mbconv" else self.mid_width.min
        depth = self.depth.min * UNITS_PER_SUBLAYER[op]
        return self._regroup(least._replace(kernel=min(self.kernels), width=self.width.min, mid=mid, depth=depth))


def _cuts(genome: Genome) -> list[int]:
    """Where a genome may be cut: in front of each block that down-samples, behind the stem, and of the head."""
    return [index for index in range(1, len(genome)) if genome[index].stride > 1 or index == len(genome) - 1]


def _other(values: tuple, current: object, rng: Random):  # type: ignore[no-untyped-def, type-arg]
    """A value other than the current one, drawn evenly."""
    rest = [value for value in values if value != current]
    return rest[int(rng.random() * len(rest))] if rest else current


def _draw(values: tuple[int, ...], fallback: int, rng: Random) -> int:
    return values[int(rng.random() * len(values))] if values else fallback
