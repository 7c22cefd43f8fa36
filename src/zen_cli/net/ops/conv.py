"""Plain convolutions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from .arguments import optional, plain_arguments
from .base import Unit, register
from .details import Style
from .grouped import GroupedBlock

if TYPE_CHECKING:
    from torch import nn


@register
class ConvBlock(GroupedBlock):
    """`depth` plain k x k convolutions, each with BN and ReLU."""

    letter, title, color = "C", "convolution", "#7a8896"
    chart_style = "fill:#dee2e6,stroke:#495057,color:#212529"
    hashed_as = "conv"
    structure, structure_example = re.compile(r"SuperConvK(?P<kernel>[0-9]{1,4})BNRELU"), "SuperConvK3BNRELU"
    structure_numbers = ("depth",)

    op: Literal["conv"]
    bias: bool | None = Field(default=None, description="whether convolutions have a bias")
    norm: bool | None = Field(default=None, description="whether convolutions have a BN (default true)")

    def style(self, activation: str) -> Style:
        return super().style(activation)._replace(bias=bool(self.bias), norm=self.norm is not False)

    @classmethod
    def style_keys(cls, style: Style) -> dict[str, Any]:
        row = super().style_keys(style) | ({"bias": True} if style.bias else {})
        return row if style.norm else {**row, "norm": False}

    @classmethod
    def module_class(cls, unit: Unit) -> type[nn.Module]:
        from ..styled_modules import PlainConv
        from ..unit_modules import ConvBNReLU, ConvSE

        if unit.details is not None:
            return PlainConv
        return ConvSE if unit.squeeze else ConvBNReLU

    @classmethod
    def module_arguments(cls, unit: Unit) -> dict[str, Any]:
        if unit.details is not None:
            return plain_arguments(unit)
        options = optional(stride=(unit.stride, 1), groups=(unit.groups, 1), squeeze=(unit.squeeze, 0))
        return {"kernel": unit.kernel} | options

    @classmethod
    def from_structure(cls, match: re.Match[str], width: int, numbers: tuple[int, ...]) -> dict[str, Any]:
        return {"kernel": int(match["kernel"]), "depth": numbers[0]}

    def to_structure(self) -> tuple[str, tuple[int, ...]]:
        return f"SuperConvK{self.kernel}BNRELU", (self.depth,)
