"""How an exported network is divided and named: a stem, stages that each end at their own scale, a head.

The stem is a plain convolution block at the front, the head one of stride 1 at the back; every other block that
down-samples begins a stage. All targets use these names: `stage2.3.conv1.conv.weight` is the same tensor in a Python
file, in `safetensors` and in ONNX.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..net.layers import shrink
from ..net.ops import Block, Unit, block_units
from ..net.spec import ArchSpec

STEM, HEAD = "stem", "head"


class Placed(NamedTuple):
    """A block in its place: its number in the spec, its units, and the side of the map that it leaves."""

    number: int
    block: Block
    units: tuple[Unit, ...]
    side: int


class Part(NamedTuple):
    """The stem, a stage or the head; `reduction` is the stride of its output against the image."""

    name: str
    blocks: tuple[Placed, ...]
    reduction: int

    @property
    def units(self) -> tuple[Unit, ...]:
        """The units of all its blocks."""
        return tuple(unit for placed in self.blocks for unit in placed.units)

    @property
    def width(self) -> int:
        """Channels out."""
        return self.blocks[-1].block.width

    @property
    def side(self) -> int:
        """Side of its output for an image of the spec's resolution."""
        return self.blocks[-1].side

    @property
    def is_bare(self) -> bool:
        """Whether it is a single unit, named like the part, instead of a sequence of numbered units."""
        return self.name in (STEM, HEAD) and len(self.units) == 1


class Layout(NamedTuple):
    """The parts of a network in order."""

    stem: Part | None
    stages: tuple[Part, ...]
    head: Part | None

    @property
    def parts(self) -> tuple[Part, ...]:
        """All parts in order."""
        return (*filter(None, [self.stem]), *self.stages, *filter(None, [self.head]))

    @property
    def features(self) -> tuple[Part, ...]:
        """The last part of each scale in front of the head, whose outputs detection and segmentation heads take."""
        if self.stem is None or (self.stages and self.stages[0].blocks[0].block.stride == 1):
            return self.stages
        return (self.stem, *self.stages)


def lay_out(spec: ArchSpec) -> Layout:
    """The stem, stages and head of a spec."""
    placed = list(_place(spec))
    last = placed[-1].block
    has_stem = not placed[0].block.is_residual
    has_head = len(placed) > 1 and not last.is_residual and last.stride == 1
    body = placed[has_stem : len(placed) - has_head]
    groups: list[list[Placed]] = []
    for block in body:
        if not groups or block.block.stride > 1:
            groups.append([])
        groups[-1].append(block)
    reduction, stem, stages, head = 1, None, [], None
    if has_stem:
        reduction *= placed[0].block.stride
        stem = Part(STEM, (placed[0],), reduction)
    for number, group in enumerate(groups, start=1):
        reduction *= group[0].block.stride
        stages.append(Part(f"stage{number}", tuple(group), reduction))
    if has_head:
        head = Part(HEAD, (placed[-1],), reduction)
    return Layout(stem, tuple(stages), head)


def unit_names(layout: Layout) -> Iterator[tuple[Part, int, int, str, Unit]]:
    """(part, index of its block in the spec, index in the block, exported name, unit) of every unit in order."""
    for part in layout.parts:
        count = 0
        for placed in part.blocks:
            for index, unit in enumerate(placed.units):
                yield part, placed.number, index, part.name if part.is_bare else f"{part.name}.{count}", unit
                count += 1


def name_map(spec: ArchSpec, names: list[str]) -> dict[str, str]:
    """Names of the training-form module's tensors, in order, with what each is called in what is exported."""
    rows = unit_names(lay_out(spec))
    prefixes = {f"blocks.{block}.{index}": name for _, block, index, name, _ in rows}
    exported = {}
    for name in names:
        *unit, rest = name.split(".", 3)
        exported[name] = f"{prefixes['.'.join(unit)]}.{rest}" if unit[0] == "blocks" else name
    return exported


def _place(spec: ArchSpec) -> Iterator[Placed]:
    width, side = spec.in_channels, spec.resolution
    for index, block in enumerate(spec.blocks):
        side = shrink(side, block.stride)
        yield Placed(index, block, block_units(block.gene, width), side)
        width = block.width
