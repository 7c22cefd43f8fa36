"""Basic residual units."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from ..layers import Chain, Side, shrink, square_conv
from .arguments import gate, optional, residual_arguments
from .base import Gene, Unit, Width, register
from .bounds import SearchBounds
from .residual import ResidualBlock

if TYPE_CHECKING:
    from torch import nn


@register
class BasicBlock(ResidualBlock):
    """`depth` residual units of two k x k convolutions (ResNet, arXiv 1512.03385)."""

    letter, title, color = "R", "basic unit", "#3b82d6"
    chart_style = "fill:#d0ebff,stroke:#1971c2,color:#0b3558"
    hashed_as, is_monotone, ratio_rule, groups_input = "basic", True, "inside_over_width", True
    structure, structure_example = re.compile(r"SuperResK(?P<kernel>[0-9]{1,4})K(?P<second>[0-9]{1,4})"), "SuperResK3K3"

    op: Literal["basic"]
    mid_width: Width = Field(description="channels between the two convolutions")
    group_width: Width | None = Field(
        default=None, description="of mid_width per group of both convolutions (default: one group)"
    )

    def check(self) -> None:
        if self.group_width is not None and self.mid_width % self.group_width:
            raise ValueError(
                f"group_width: {self.group_width} does not divide mid_width {self.mid_width}; use a divisor"
            )

    def own_fields(self) -> dict[str, int]:
        group = self.group_width or 0
        return {"mid": self.mid_width, "group_width": 0 if group == self.mid_width else group}

    @classmethod
    def own_keys(cls, gene: Gene) -> dict[str, Any]:
        return {"mid_width": gene.mid} | ({"group_width": gene.group_width} if gene.group_width else {})

    @classmethod
    def unit_widths(cls, gene: Gene, index: int) -> tuple[int, int, int]:
        return gene.mid, gene.width, gene.mid // gene.group_width if gene.group_width else 1

    @classmethod
    def layers(cls, unit: Unit, side: Side) -> Chain:
        first = square_conv(unit.in_width, unit.mid_width, unit.kernel, side, unit.stride, unit.groups)
        end = shrink(side, unit.stride)
        return first, square_conv(unit.mid_width, unit.width, unit.kernel, end, 1, unit.groups)

    @classmethod
    def module_class(cls, unit: Unit) -> type[nn.Module]:
        from ..styled_modules import StyledResidual
        from ..unit_modules import Basic

        return Basic if unit.details is None and unit.groups == 1 else StyledResidual

    @classmethod
    def module_arguments(cls, unit: Unit) -> dict[str, Any]:
        if unit.details is not None or unit.groups > 1:
            row = residual_arguments(unit, (unit.kernel, unit.kernel), 0, 0)
            return {**row, "grouped": (0, 1)} if unit.groups > 1 else row
        options = optional(stride=(unit.stride, 1), project=(unit.projection, False))
        return {"mid_width": unit.mid_width, "kernel": unit.kernel, **options, **gate(unit)}

    @classmethod
    def details(cls, gene: Gene) -> str:
        return f"/{gene.mid}" + (f"g{gene.group_width}" if gene.group_width else "")

    @classmethod
    def from_structure(cls, match: re.Match[str], width: int, numbers: tuple[int, ...]) -> dict[str, Any]:
        if match["kernel"] != match["second"]:
            raise ValueError("has two kernels; use the same one twice, like SuperResK3K3")
        return {"kernel": int(match["kernel"]), "mid_width": numbers[0], "depth": numbers[1]}

    @classmethod
    def excludes(cls, gene: Gene, space: SearchBounds) -> str:
        group = "group_width: a search knows basic units without groups only" if gene.group_width else ""
        return group or super().excludes(gene, space)

    def to_structure(self) -> tuple[str, tuple[int, ...]]:
        if self.gene.group_width:
            raise ValueError("groups")
        return f"SuperResK{self.kernel}K{self.kernel}", (self.mid_width, self.depth)
