"""The keys of a space of free blocks, and what follows from them alone: its ends, and how it counts depths."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from ...errors import PRINTABLE
from ...net.ops import OPS, Gene
from ...net.spec import ArchSpec
from .genes import Genome
from .inside import Ratios
from .ranges import DepthRange, WidthRange
from .rules import Rules

Kernel: TypeAlias = Annotated[int, Field(ge=1, le=31)]


class BlockKeys(BaseModel):
    """The document of a space of free blocks."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True)

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
    stem_blocks: int = Field(default=1, ge=1, le=16, description="blocks at the beginning that stay")
    head_blocks: int | None = Field(
        default=None, ge=0, le=16, description="blocks at the end that stay; null: one if it is an op not searched here"
    )
    mid_ratios: tuple[Annotated[float, Field(gt=0, le=64, allow_inf_nan=False)], ...] = Field(
        default=(),
        max_length=200,
        strict=False,
        description="widths inside follow the width by these; none: they are free",
    )
    odd_depths: bool | None = Field(
        default=None, description="whether depths count units, not sub-layers of two; null: if a seed has an odd one"
    )
    fixed_blocks: bool = Field(default=False, description="whether blocks keep their number, op, stride and groups")
    depth: DepthRange = DepthRange()
    split_at: int | None = Field(default=6, ge=4, le=1000)
    max_blocks: int = Field(default=32, ge=3, le=200)
    rules: Rules | None = Field(default=None, description="design rules that every member keeps; null: none")

    def shape_fault(self) -> str:
        """Why its own keys contradict each other, as `field: fault; fix`; empty if they do not."""
        if self.stem_width is not None and self.stem_blocks > 1:
            return "stem_width: a stem of several blocks is fixed; leave it out or set stem_blocks to 1"
        if self.head_width is not None and self.heads != 1:
            return f"head_width: there are {self.heads} head blocks; leave it out or set head_blocks to 1"
        if self.counts_units and self.pair_widths and any(OPS[op].has_pairs for op in self.ops):
            return "pair_widths: units that count one by one have no pairs; set it to false or odd_depths to false"
        if self.fixed_blocks and len(self.seeds) > 1:
            return "fixed_blocks: the blocks are those of one seed; give one seed"
        return ""

    @cached_property
    def heads(self) -> int:
        """How many blocks the head has."""
        if self.head_blocks is not None:
            return self.head_blocks
        last = [seed.blocks[-1].gene for seed in self.seeds]
        return int(all(not gene.kind.is_residual and (gene.op not in self.ops or gene.kernel == 1) for gene in last))

    def inner(self, genome: Genome) -> range:
        """The indices of the blocks between stem and head."""
        return range(self.stem_blocks, len(genome) - self.heads)

    def ends(self, genome: Genome) -> tuple[int, ...]:
        """The indices of the blocks of stem and head."""
        count = len(genome)
        return (*range(min(count, self.stem_blocks)), *range(max(self.stem_blocks, count - self.heads), count))

    def end_span(self, index: int) -> WidthRange | None:
        """The widths of a block of stem or head; None where it is fixed."""
        return self.stem_span if index < self.stem_blocks else self.head_span

    @cached_property
    def ratios(self) -> Ratios:
        """How widths inside follow widths."""
        return Ratios(self.mid_ratios, self.mid_width.step, self.width.step)

    @cached_property
    def counts_units(self) -> bool:
        """Whether depths count units."""
        if self.odd_depths is not None:
            return self.odd_depths
        genes = [gene for seed in self.seeds for gene in seed.genes]
        return any(gene.depth % gene.kind.units_per_sublayer for gene in genes)

    def depth_of(self, gene: Gene) -> int:
        """The depth of a block as the space counts it."""
        return gene.depth if self.counts_units else gene.sublayers

    def deepened(self, gene: Gene, depth: int) -> Gene:
        """The block with another depth."""
        return gene._replace(depth=depth) if self.counts_units else gene.with_sublayers(depth)

    @property
    def stem_span(self) -> WidthRange | None:
        """Widths of the stem; None where it is fixed, by the space or by its rules."""
        return None if self.rules is not None and self.rules.fixed_ends else self.stem_width

    @property
    def head_span(self) -> WidthRange | None:
        """Widths of the head; None where it is fixed, by the space or by its rules."""
        return None if self.rules is not None and self.rules.fixed_ends else self.head_width

    def tied(self, index: int) -> range:
        """The blocks that have one width with a block, itself included: its run in a seed whose blocks stay."""
        return self._runs[index] if self.fixed_blocks else range(index, index + 1)

    @cached_property
    def _runs(self) -> tuple[range, ...]:
        genes = self.seeds[0].genes
        inner = self.inner(genes)
        starts = [index for index in range(len(genes)) if not (index in inner[1:] and is_tied(genes, index))]
        runs = [range(start, end) for start, end in zip(starts, [*starts[1:], len(genes)], strict=True)]
        return tuple(run for run in runs for _ in run)


def is_tied(model: Genome, index: int) -> bool:
    """Whether a block of the seed network has one width with the block before it: on the same maps, and as wide."""
    return model[index].stride == 1 and model[index].width == model[index - 1].width


def excludes_blocks(genome: Genome, model: Genome, inner: range) -> str:
    """Why a genome has other blocks than the seed network, as `place: fault`; empty if they are the same.

    Widths, depths, kernels and what is inside of units may differ; widths that are equal from one block to the next in
    the seed network stay equal.
    """
    if len(genome) != len(model):
        return f"blocks: {len(genome)} where the seed network has {len(model)}"
    for index, (gene, own) in enumerate(zip(genome, model, strict=True)):
        if _fixed(gene) != _fixed(own):
            return f"blocks[{index}]: has another op, stride or group width than in the seed network"
        if index in inner[1:] and is_tied(model, index) and gene.width != genome[index - 1].width:
            return f"blocks[{index}].width: {gene.width} is not that of the block before, as in the seed network"
    return ""


def _fixed(gene: Gene) -> Gene:
    """A block without what may differ where blocks stay."""
    return gene._replace(kernel=0, width=0, depth=0, mid=0, expansion=0, inside=0)
