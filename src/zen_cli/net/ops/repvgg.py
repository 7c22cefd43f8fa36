"""Convolutions with a 1x1 convolution and the input beside them, which one convolution can take the place of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from ..layers import Chain, Side, square_conv
from .arguments import parallel_arguments
from .base import Block, Gene, Unit, Width, register

if TYPE_CHECKING:
    from torch import nn


@register
class RepVGGBlock(Block):
    """`depth` units in the form in which they are trained (RepVGG, arXiv 2101.03697).

    A unit is a k x k and a 1x1 convolution side by side, and its input where nothing changes, each with a BN; the
    activation follows their sum. The chain has the k x k convolution.
    """

    letter, title, color = "V", "parallel convolutions", "#8a63c9"
    chart_style = "fill:#e5dbff,stroke:#5f3dc4,color:#2b1a66"
    is_residual, is_parallel, has_mid, hashed_as, groups_input = False, True, False, "repvgg", True

    op: Literal["repvgg"]
    group_width: Width | None = Field(
        default=None, description="channels out per group of both convolutions (default: one group)"
    )

    def check(self) -> None:
        if self.group_width is not None and self.width % self.group_width:
            raise ValueError(f"group_width: {self.group_width} does not divide width {self.width}; use a divisor of it")
        if self.se is not None:
            raise ValueError("se: a unit of repvgg has none; leave it out")

    def own_fields(self) -> dict[str, int]:
        group = self.group_width or 0
        return {"group_width": 0 if group == self.width else group}

    @classmethod
    def own_keys(cls, gene: Gene) -> dict[str, Any]:
        return {"group_width": gene.group_width} if gene.group_width else {}

    @classmethod
    def unit_widths(cls, gene: Gene, index: int) -> tuple[int, int, int]:
        return gene.width, gene.width, gene.width // gene.group_width if gene.group_width else 1

    @classmethod
    def layers(cls, unit: Unit, side: Side) -> Chain:
        return (square_conv(unit.in_width, unit.width, unit.kernel, side, unit.stride, unit.groups),)

    @classmethod
    def module_class(cls, unit: Unit) -> type[nn.Module]:
        from ..styled_modules import ParallelConv

        return ParallelConv

    @classmethod
    def module_arguments(cls, unit: Unit) -> dict[str, Any]:
        return parallel_arguments(unit)

    @classmethod
    def details(cls, gene: Gene) -> str:
        return f"g{gene.group_width}" if gene.group_width else ""

    def to_structure(self) -> tuple[str, tuple[int, ...]]:
        raise ValueError("parallel convolutions")
