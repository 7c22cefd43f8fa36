"""Blocks: the models that a spec is a list of, and the units and convolutions that a block lays out.

A block is `depth` units of one kind; its channels in are not written, they follow from the block before.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Annotated, Literal, NamedTuple, Protocol, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

MAX_WIDTH = 65_536
UNITS_PER_SUBLAYER = {"conv": 1, "basic": 1, "bottleneck": 2, "mbconv": 2}
Width: TypeAlias = Annotated[int, Field(ge=1, le=MAX_WIDTH)]


class Unit(NamedTuple):
    """One unit of a network with every number resolved.

    `mid_width` is the width of the k x k convolution inside (the unit's own width for `conv`), `squeeze` the width of
    the squeeze-and-excitation bottleneck (0: none), `projection` whether the shortcut is a 1x1 convolution.
    """

    op: str
    kernel: int
    stride: int
    in_width: int
    mid_width: int
    width: int
    groups: int
    squeeze: int
    projection: bool


class Conv(NamedTuple):
    """One convolution of a unit on a map of `side` x `side`, with zero padding kernel // 2."""

    in_width: int
    width: int
    kernel: int
    side: int
    stride: int
    groups: int


class BlockLayout(Protocol):
    """What counting and scoring need to know of a block: a validated one of a spec, or the bare gene of a search."""

    @property
    def op(self) -> str:
        """The kind of its units."""

    @property
    def kernel(self) -> int:
        """Side of the convolution kernel."""

    @property
    def width(self) -> int:
        """Channels out."""

    @property
    def stride(self) -> int:
        """Stride of the first unit."""

    @property
    def depth(self) -> int:
        """Number of units."""

    @property
    def se(self) -> float | None:
        """Squeeze-and-excitation ratio."""

    @property
    def sublayers(self) -> int:
        """Sub-layers as published searches count them."""

    def widths(self, index: int) -> tuple[int, int, int]:
        """(mid_width, width, groups) of unit `index`."""

    def __hash__(self) -> int:
        """Blocks are keys of caches."""


class _Block(BaseModel):
    """What every block has: `depth` units of `kernel` x `kernel`; the first unit has the stride."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    op: str
    kernel: int = Field(default=3, ge=1, le=31, description="side of the convolution kernel, odd")
    width: Width = Field(description="channels out")
    stride: int = Field(default=1, ge=1, le=16, description="stride of the first unit")
    depth: int = Field(default=1, ge=1, le=1000, description="number of units")
    se: float | None = Field(
        default=None, gt=0, le=1, allow_inf_nan=False, description="squeeze-and-excitation ratio, 0.25 as published"
    )

    @model_validator(mode="after")
    def _check(self) -> _Block:
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel: {self.kernel} is even; use an odd kernel such as 3, 5 or 7")
        self.check()
        return self

    def check(self) -> None:
        """Raises ValueError, as `field: fault; mend`, where fields contradict each other."""

    def widths(self, index: int) -> tuple[int, int, int]:
        """(mid_width, width, groups) of unit `index`."""
        raise TypeError("a block of no op has no units")

    @property
    def sublayers(self) -> int:
        """Sub-layers as the published searches count them: one per convolution, basic unit, or pair of other units."""
        return -(-self.depth // UNITS_PER_SUBLAYER[self.op])


class ConvBlock(_Block):
    """`depth` plain k x k convolutions, each with BN and ReLU."""

    op: Literal["conv"]

    def widths(self, index: int) -> tuple[int, int, int]:
        return self.width, self.width, 1


class BasicBlock(_Block):
    """`depth` residual units of two k x k convolutions."""

    op: Literal["basic"]
    mid_width: Width = Field(description="channels between the two convolutions")

    def widths(self, index: int) -> tuple[int, int, int]:
        return self.mid_width, self.width, 1


class BottleneckBlock(_Block):
    """`depth` residual units 1x1, k x k (grouped or not), 1x1; two of them are one published sub-layer."""

    op: Literal["bottleneck"]
    mid_width: Width = Field(description="channels of the k x k convolution")
    groups: Width | None = Field(default=None, description="groups of the k x k convolution (default 1)")
    group_width: Width | None = Field(default=None, description="channels a group, instead of `groups`")

    def check(self) -> None:
        if self.groups is not None and self.group_width is not None:
            raise ValueError("groups: given together with group_width; keep one of the two")
        for key, value in (("groups", self.groups), ("group_width", self.group_width)):
            if value is not None and self.mid_width % value:
                choice = _divisors(self.mid_width, near=value)
                raise ValueError(f"{key}: {value} does not divide mid_width {self.mid_width}; use {choice}")

    def widths(self, index: int) -> tuple[int, int, int]:
        groups = self.mid_width // self.group_width if self.group_width else self.groups or 1
        return self.mid_width, self.width, groups


class MBConvBlock(_Block):
    """`depth` inverted residuals: 1x1 up, depthwise k x k, 1x1 down; two of them are one published sub-layer.

    The width inside is `expansion` times the unit's own width, rounded to a multiple of 8, or `mid_width` outright.
    `pair_width` is the width of the 1st, 3rd, 5th... unit, for published networks whose pairs alternate.
    """

    op: Literal["mbconv"]
    expansion: int | None = Field(default=None, ge=1, le=64, description="width inside over width, rounded to 8s")
    mid_width: Width | None = Field(default=None, description="width inside, instead of `expansion`")
    pair_width: Width | None = Field(default=None, description="width of the 1st, 3rd, ... unit (default: width)")

    def check(self) -> None:
        if (self.expansion is None) == (self.mid_width is None):
            raise ValueError("expansion: give either expansion or mid_width, and not both")
        if self.pair_width is not None and self.depth % 2:
            raise ValueError(f"depth: {self.depth} is odd; with pair_width units come in pairs, use an even depth")

    def widths(self, index: int) -> tuple[int, int, int]:
        width = self.pair_width if self.pair_width is not None and index % 2 == 0 else self.width
        mid = self.mid_width if self.mid_width is not None else round_to_8(self.expansion or 1, width)
        return mid, width, mid


Block: TypeAlias = ConvBlock | BasicBlock | BottleneckBlock | MBConvBlock
BLOCKS: dict[str, type[BaseModel]] = {
    "conv": ConvBlock,
    "basic": BasicBlock,
    "bottleneck": BottleneckBlock,
    "mbconv": MBConvBlock,
}


def shrink(side: int, stride: int) -> int:
    """Side of the output of an odd kernel with padding k//2."""
    return (side - 1) // stride + 1


def _divisors(number: int, near: int) -> str:
    """The divisors of a number as words; of many those near a value."""
    rows = [value for value in range(1, number + 1) if number % value == 0]
    if len(rows) > 8:
        rows = sorted(sorted(rows, key=lambda value: abs(math.log(value / near)))[:4])
    words = [str(value) for value in rows]
    return ", ".join(words[:-1]) + " or " + words[-1] if len(words) > 1 else words[0]


def round_to_8(expansion: int, width: int) -> int:
    """`expansion * width` as the nearest multiple of 8, at least 8, as the published inverted residuals round it."""
    return max(8, (expansion * width + 4) // 8 * 8)


@lru_cache(maxsize=8192)
def block_units(block: BlockLayout, in_width: int) -> tuple[Unit, ...]:
    """The units of one block on `in_width` channels.

    The shortcut of the first unit is always a projection; a later one only where its channels differ.
    """
    return first_units(block, in_width, block.depth)


def first_units(block: BlockLayout, in_width: int, count: int) -> tuple[Unit, ...]:
    """The first units of one block, at most `count`."""
    rows = []
    for index in range(min(count, block.depth)):
        mid_width, width, groups = block.widths(index)
        squeeze = 0 if block.se is None else max(1, round(block.se * mid_width))
        projection = block.op != "conv" and (index == 0 or in_width != width)
        stride = block.stride if index == 0 else 1
        rows.append(Unit(block.op, block.kernel, stride, in_width, mid_width, width, groups, squeeze, projection))
        in_width = width
    return tuple(rows)


def repeated_units(block: BlockLayout, in_width: int) -> list[tuple[Unit, int]]:
    """The different units of a block in order, and how often each stands there.

    Behind the first all are alike, or alternate where the units of a pair differ in width.
    """
    depth = block.depth
    if depth == 1 or block.widths(0) == block.widths(1):
        units = first_units(block, in_width, 2)
        return list(zip(units, (1, depth - 1), strict=False))
    units = first_units(block, in_width, 4)
    return list(zip(units, (1, 1, (depth - 1) // 2, depth // 2 - 1), strict=False))


def unit_convs(unit: Unit, side: int) -> tuple[Conv, ...]:
    """The convolutions of one unit in order, without its shortcut and squeeze-and-excitation."""
    _, kernel, stride, in_width, mid, width, groups, _, _ = unit
    if unit.op == "conv":
        return (Conv(in_width, width, kernel, side, stride, 1),)
    out = shrink(side, stride)
    if unit.op == "basic":
        return Conv(in_width, mid, kernel, side, stride, 1), Conv(mid, width, kernel, out, 1, 1)
    return (
        Conv(in_width, mid, 1, side, 1, 1),
        Conv(mid, mid, kernel, side, stride, groups),
        Conv(mid, width, 1, out, 1, 1),
    )
