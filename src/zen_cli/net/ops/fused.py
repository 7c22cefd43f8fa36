"""Fused inverted residuals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from ..layers import Chain, Side, shrink, square_conv
from .arguments import residual_arguments
from .base import Gene, Unit, register
from .mbconv import InvertedBlock

if TYPE_CHECKING:
    from torch import nn


@register
class FusedBlock(InvertedBlock):
    """`depth` fused inverted residuals: k x k up with the stride, 1x1 down (EfficientNetV2, arXiv 2104.00298).

    With `skip_expansion` a unit that would not widen is one k x k convolution; where units are `linear`, the activation
    of that one comes before the addition.
    """

    letter, title, color = "F", "fused inverted residual", "#c2557a"
    chart_style = "fill:#ffdeeb,stroke:#c2255c,color:#4c0519"
    units_per_sublayer, squeeze_after, hashed_as, has_pairs, is_searchable = 2, 0, "fused", True, False

    op: Literal["fused"]

    @classmethod
    def unit_widths(cls, gene: Gene, index: int) -> tuple[int, int, int]:
        inside, width, _ = super().unit_widths(gene, index)
        return inside, width, 1

    @classmethod
    def resolve(cls, gene: Gene, index: int, in_width: int) -> tuple[int, int, int]:
        inside, width, _ = super().resolve(gene, index, in_width)
        return inside, width, 1

    @classmethod
    def inside_width(cls, mid_width: int, width: int, *, skips_first: bool) -> int:
        return width if skips_first else mid_width

    @classmethod
    def layers(cls, unit: Unit, side: Side) -> Chain:
        if unit.details is not None and unit.details.skips_first:
            return (square_conv(unit.in_width, unit.width, unit.kernel, side, unit.stride),)
        return (
            square_conv(unit.in_width, unit.mid_width, unit.kernel, side, unit.stride),
            square_conv(unit.mid_width, unit.width, 1, shrink(side, unit.stride)),
        )

    @classmethod
    def module_class(cls, unit: Unit) -> type[nn.Module]:
        from ..styled_modules import StyledResidual

        return StyledResidual

    @classmethod
    def module_arguments(cls, unit: Unit) -> dict[str, Any]:
        skips = unit.details is not None and unit.details.skips_first
        if not skips:
            return residual_arguments(unit, (unit.kernel, 1), 0, 0)
        row = residual_arguments(unit, (unit.kernel,), 0, 0)
        return row | ({"activates_last": True} if row.pop("linear", False) else {})
