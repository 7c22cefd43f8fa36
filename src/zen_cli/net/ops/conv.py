"""Plain convolutions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

from ..layers import Chain, square_conv
from .base import Block, Gene, Unit, optional, register

if TYPE_CHECKING:
    from torch import nn


@register
class ConvBlock(Block):
    """`depth` plain k x k convolutions, each with BN and ReLU."""

    letter, title, color = "C", "convolution", "#7a8896"
    chart_style = "fill:#dee2e6,stroke:#495057,color:#212529"
    is_residual, has_mid, hashed_as = False, False, "conv"
    structure, structure_example = re.compile(r"SuperConvK(?P<kernel>[0-9]{1,4})BNRELU"), "SuperConvK3BNRELU"
    structure_numbers = ("depth",)

    op: Literal["conv"]

    @classmethod
    def unit_widths(cls, gene: Gene, index: int) -> tuple[int, int, int]:
        return gene.width, gene.width, 1

    @classmethod
    def layers(cls, unit: Unit, side: int) -> Chain:
        return (square_conv(unit.in_width, unit.width, unit.kernel, side, unit.stride),)

    @classmethod
    def module_class(cls, unit: Unit) -> type[nn.Module]:
        from ..unit_modules import ConvBNReLU, ConvSE

        return ConvSE if unit.squeeze else ConvBNReLU

    @classmethod
    def module_arguments(cls, unit: Unit) -> dict[str, Any]:
        return {"kernel": unit.kernel} | optional(stride=(unit.stride, 1), squeeze=(unit.squeeze, 0))

    @classmethod
    def from_structure(cls, match: re.Match[str], width: int, numbers: tuple[int, ...]) -> dict[str, Any]:
        return {"kernel": int(match["kernel"]), "depth": numbers[0]}

    def to_structure(self) -> tuple[str, tuple[int, ...]]:
        return f"SuperConvK{self.kernel}BNRELU", (self.depth,)
