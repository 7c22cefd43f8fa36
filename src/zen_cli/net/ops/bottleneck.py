"""Bottleneck residual units, grouped or not."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from ..layers import Chain, Side, shrink, square_conv
from .arguments import gate, optional, residual_arguments
from .base import Gene, Unit, Width, register
from .bounds import SearchBounds
from .details import Style
from .residual import ResidualBlock

if TYPE_CHECKING:
    from torch import nn


@register
class BottleneckBlock(ResidualBlock):
    """`depth` residual units 1x1, k x k (grouped or not), 1x1; two of them are one published sub-layer (ResNet)."""

    letter, title, color = "B", "bottleneck", "#2a9d7c"
    chart_style = "fill:#d3f9d8,stroke:#2f9e44,color:#123d1b"
    units_per_sublayer, squeeze_after, hashed_as, is_monotone = 2, 1, "bottleneck", True
    ratio_rule = "width_over_inside"
    structure, structure_example = re.compile(r"SuperResK1K(?P<kernel>[0-9]{1,4})K1"), "SuperResK1K3K1"

    op: Literal["bottleneck"]
    mid_width: Width = Field(description="channels of the k x k convolution")
    groups: Width | None = Field(default=None, description="groups of the k x k convolution (default 1)")
    group_width: Width | None = Field(default=None, description="channels per group, instead of `groups`")
    stride_in: bool | None = Field(default=None, description="the first 1x1 convolution has the stride (default false)")

    def check(self) -> None:
        if self.groups is not None and self.group_width is not None:
            raise ValueError("groups: given together with group_width; keep one of the two")
        for key, value in (("groups", self.groups), ("group_width", self.group_width)):
            if value is not None and self.mid_width % value:
                choice = _divisors(self.mid_width, near=value)
                raise ValueError(f"{key}: {value} does not divide mid_width {self.mid_width}; use {choice}")

    def own_fields(self) -> dict[str, int]:
        groups = self.mid_width // self.group_width if self.group_width else self.groups or 1
        return {"mid": self.mid_width, "group_width": 0 if groups == 1 else self.mid_width // groups}

    @classmethod
    def own_keys(cls, gene: Gene) -> dict[str, Any]:
        return {"mid_width": gene.mid} | ({"group_width": gene.group_width} if gene.group_width else {})

    def style(self, activation: str) -> Style:
        return super().style(activation)._replace(stride_in=bool(self.stride_in))

    @classmethod
    def style_keys(cls, style: Style) -> dict[str, Any]:
        row = super().style_keys(style)
        return {**row, "stride_in": True} if style.stride_in else row

    @classmethod
    def unit_widths(cls, gene: Gene, index: int) -> tuple[int, int, int]:
        return gene.mid, gene.width, gene.mid // gene.group_width if gene.group_width else 1

    @classmethod
    def layers(cls, unit: Unit, side: Side) -> Chain:
        mid, end = unit.mid_width, shrink(side, unit.stride)
        first, second, inside = 1, unit.stride, side
        if unit.details is not None and unit.details.stride_in:
            first, second, inside = unit.stride, 1, end
        return (
            square_conv(unit.in_width, mid, 1, side, first),
            square_conv(mid, mid, unit.kernel, inside, second, unit.groups),
            square_conv(mid, unit.width, 1, end),
        )

    @classmethod
    def module_class(cls, unit: Unit) -> type[nn.Module]:
        from ..styled_modules import StyledResidual
        from ..unit_modules import Bottleneck

        return Bottleneck if unit.details is None else StyledResidual

    @classmethod
    def module_arguments(cls, unit: Unit) -> dict[str, Any]:
        if unit.details is not None:
            row = residual_arguments(unit, (1, unit.kernel, 1), 1, 1)
            return {**row, "strided": 0, "grouped": (1,)} if unit.details.stride_in else row
        options = optional(stride=(unit.stride, 1), groups=(unit.groups, 1), project=(unit.projection, False))
        return {"mid_width": unit.mid_width, "kernel": unit.kernel, **options, **gate(unit)}

    @classmethod
    def details(cls, gene: Gene) -> str:
        return f"/{gene.mid}" + (f"g{gene.group_width}" if gene.group_width else "")

    @classmethod
    def from_structure(cls, match: re.Match[str], width: int, numbers: tuple[int, ...]) -> dict[str, Any]:
        return {"kernel": int(match["kernel"]), "mid_width": numbers[0], "depth": 2 * numbers[1]}

    def to_structure(self) -> tuple[str, tuple[int, ...]]:
        if self.depth % 2:
            raise ValueError(f"an odd number of bottleneck units ({self.depth})")
        if self.gene.group_width:
            raise ValueError("groups")
        return f"SuperResK1K{self.kernel}K1", (self.mid_width, self.depth // 2)

    @classmethod
    def free_fields(cls, space: SearchBounds) -> tuple[str, ...]:
        return ("mid", "group_width") if len(space.group_widths) > 1 else ("mid",)

    @classmethod
    def check_space(cls, space: SearchBounds) -> str:
        for group in space.group_widths:
            unit = math.lcm(group, space.mid_width.step) if group else 1
            if group and space.mid_width.max // unit * unit < max(space.mid_width.min, 2 * group):
                return f"group_widths: two groups of {group} do not fit into mid_width; raise its max"
        return ""

    @classmethod
    def excludes(cls, gene: Gene, space: SearchBounds) -> str:
        if gene.group_width not in space.group_widths:
            group = f"group_width: {gene.group_width} is not among {tuple(space.group_widths)}"
        else:
            group = ""
        return super().excludes(gene, space) or group

    @classmethod
    def converted(cls, gene: Gene, space: SearchBounds, expansion: int) -> Gene:
        return super().converted(gene, space, expansion)._replace(group_width=space.group_widths[0])


def _divisors(number: int, near: int) -> str:
    """The divisors of a number as words; of many those near a value."""
    rows = [value for value in range(1, number + 1) if number % value == 0]
    if len(rows) > 8:
        rows = sorted(sorted(rows, key=lambda value: abs(math.log(value / near)))[:4])
    words = [str(value) for value in rows]
    return ", ".join(words[:-1]) + " or " + words[-1] if len(words) > 1 else words[0]
