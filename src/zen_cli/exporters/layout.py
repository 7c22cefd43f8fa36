"""How an exported network is divided and named: a stem, stages that each end at their own scale, a head.

The stem is a block without shortcuts at the front, the head one of stride 1 at the end; every other block that
down-samples begins a stage. All targets use these names: `stage2.3.conv1.conv.weight` is the same tensor in a Python
file, in `safetensors` and in ONNX.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..net.layers import Side, shrink
from ..net.ops import Block, Gene, Unit, block_units
from ..net.spec import ArchSpec

STEM, HEAD = "stem", "head"


class SectionBlock(NamedTuple):
    """A block of a section: its number in the spec, its gene and units, and the side of the map after it."""

    number: int
    block: Block
    gene: Gene
    units: tuple[Unit, ...]
    side: Side


class Section(NamedTuple):
    """The stem, a stage or the head; `reduction` is the stride of its output against the image."""

    name: str
    blocks: tuple[SectionBlock, ...]
    reduction: int

    @property
    def units(self) -> tuple[Unit, ...]:
        """The units of all its blocks."""
        return tuple(unit for row in self.blocks for unit in row.units)

    @property
    def width(self) -> int:
        """Channels out."""
        return self.blocks[-1].block.width

    @property
    def side(self) -> Side:
        """Side of its output for an image of the spec's resolution."""
        return self.blocks[-1].side

    @property
    def is_bare(self) -> bool:
        """Whether it is a single unit, named like the section, instead of a sequence of numbered units."""
        return self.name in (STEM, HEAD) and len(self.units) == 1


class Layout(NamedTuple):
    """The sections of a network in order."""

    stem: Section | None
    stages: tuple[Section, ...]
    head: Section | None

    @property
    def sections(self) -> tuple[Section, ...]:
        """All sections in order."""
        return (*filter(None, [self.stem]), *self.stages, *filter(None, [self.head]))

    @property
    def features(self) -> tuple[Section, ...]:
        """The last section of each scale before the head, whose outputs detection and segmentation heads take."""
        if self.stem is None or (self.stages and self.stages[0].blocks[0].gene.stride == 1):
            return self.stages
        return (self.stem, *self.stages)


def lay_out(spec: ArchSpec) -> Layout:
    """The stem, stages and head of a spec."""
    rows = list(_section_blocks(spec))
    last = rows[-1].block
    has_stem = not rows[0].block.is_residual
    has_head = len(rows) > 1 and not last.is_residual and rows[-1].gene.stride == 1
    groups: list[list[SectionBlock]] = []
    for row in rows[has_stem : len(rows) - has_head]:
        if not groups or row.gene.stride > 1:
            groups.append([])
        groups[-1].append(row)
    reduction, stem, stages, head = 1, None, [], None
    if has_stem:
        reduction *= rows[0].gene.stride
        stem = Section(STEM, (rows[0],), reduction)
    for number, group in enumerate(groups, start=1):
        reduction *= group[0].gene.stride
        stages.append(Section(f"stage{number}", tuple(group), reduction))
    if has_head:
        head = Section(HEAD, (rows[-1],), reduction)
    return Layout(stem, tuple(stages), head)


def unit_names(spec: ArchSpec) -> Iterator[tuple[str, str, Unit]]:
    """(name in the training-form module, exported name, unit) of every unit in order."""
    for section in lay_out(spec).sections:
        units = [
            (f"blocks.{row.number}.{index}", unit) for row in section.blocks for index, unit in enumerate(row.units)
        ]
        for count, (name, unit) in enumerate(units):
            yield name, section.name if section.is_bare else f"{section.name}.{count}", unit


def _section_blocks(spec: ArchSpec) -> Iterator[SectionBlock]:
    width, side = spec.in_channels, spec.resolution
    for index, block in enumerate(spec.blocks):
        gene = spec.genes[index]
        side = shrink(side, gene.stride)
        yield SectionBlock(index, block, gene, block_units(gene, width), side)
        width = block.width
