"""Inverted residuals."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from ..layers import Chain, Side
from .arguments import gate, optional, residual_arguments
from .base import Gene, Unit, Width, register
from .bottleneck import BottleneckBlock
from .bounds import SearchBounds
from .details import ExpansionOf, Style, divisible, round_to_8
from .residual import ResidualBlock

if TYPE_CHECKING:
    from torch import nn


class InvertedBlock(ResidualBlock):
    """What inverted residuals have, depthwise or fused: the width inside by an expansion, or outright."""

    expansion: int | None = Field(default=None, ge=1, le=64, description="width inside over width, rounded to 8s")
    mid_width: Width | None = Field(default=None, description="width inside, instead of `expansion`")
    expansion_of: ExpansionOf | None = Field(default=None, description="what `expansion` multiplies: width or input")
    skip_expansion: bool | None = Field(default=None, description="no first 1x1 where it would change no width")
    pair_width: Width | None = Field(default=None, description="width of the 1st, 3rd, ... unit (default: width)")

    def check(self) -> None:
        if (self.expansion is None) == (self.mid_width is None):
            raise ValueError("expansion: give either expansion or mid_width, and not both")
        if self.pair_width is not None and self.depth % 2:
            raise ValueError(f"depth: {self.depth} is odd; with pair_width units come in pairs, use an even depth")

    def style(self, activation: str) -> Style:
        return (
            super()
            .style(activation)
            ._replace(skip_expansion=bool(self.skip_expansion), expansion_of=self.expansion_of or "width")
        )

    @classmethod
    def style_keys(cls, style: Style) -> dict[str, Any]:
        row = super().style_keys(style)
        row |= {"skip_expansion": True} if style.skip_expansion else {}
        return row if style.expansion_of == "width" else {**row, "expansion_of": style.expansion_of}

    @classmethod
    def resolve(cls, gene: Gene, index: int, in_width: int) -> tuple[int, int, int]:
        inside, width, groups = cls.unit_widths(gene, index)
        if gene.style is None or gene.style.expansion_of == "width" or gene.inside:
            return inside, width, groups
        inside = divisible(gene.expansion * in_width, 8)
        return inside, width, inside

    @classmethod
    def skips_first(cls, style: Style, in_width: int, mid_width: int) -> bool:
        return style.skip_expansion and in_width == mid_width

    def own_fields(self) -> dict[str, int]:
        return {
            "mid": self.pair_width or self.width,
            "expansion": self.expansion or 0,
            "inside": self.mid_width or 0,
        }

    @classmethod
    def own_keys(cls, gene: Gene) -> dict[str, Any]:
        row = {"mid_width": gene.inside} if gene.inside else {"expansion": gene.expansion}
        return row if gene.mid == gene.width else {**row, "pair_width": gene.mid}

    @classmethod
    def unit_widths(cls, gene: Gene, index: int) -> tuple[int, int, int]:
        width = gene.mid if index % 2 == 0 else gene.width
        inside = gene.inside or round_to_8(gene.expansion, width)
        return inside, width, inside


@register
class MBConvBlock(InvertedBlock):
    """`depth` inverted residuals: 1x1 up, depthwise k x k, 1x1 down; two of them are one published sub-layer.

    The width inside is `expansion` times the unit's own width, rounded to a multiple of 8, or `mid_width` outright.
    `pair_width` is the width of the 1st, 3rd, 5th... unit, for published networks whose pairs alternate. Source:
    MobileNetV2 (arXiv 1801.04381), with the shortcuts and ReLUs of the ZenNets.
    """

    letter, title, color = "M", "inverted residual", "#e8853a"
    chart_style = "fill:#ffe8cc,stroke:#e8590c,color:#5c2404"
    # ids name an inverted residual as the bottleneck with as many groups as channels that it is
    units_per_sublayer, squeeze_after, hashed_as, has_pairs, is_monotone = 2, 1, "bottleneck", True, True
    is_depthwise = True
    structure = re.compile(r"SuperResIDWE(?P<expansion>[0-9]{1,4})K(?P<kernel>[0-9]{1,4})")
    structure_example = "SuperResIDWE4K7"

    op: Literal["mbconv"]

    @classmethod
    def layers(cls, unit: Unit, side: Side) -> Chain:
        layers = BottleneckBlock.layers(unit, side)
        return layers[1:] if unit.details is not None and unit.details.skips_first else layers

    @classmethod
    def module_class(cls, unit: Unit) -> type[nn.Module]:
        from ..styled_modules import StyledResidual
        from ..unit_modules import InvertedResidual

        return InvertedResidual if unit.details is None else StyledResidual

    @classmethod
    def module_arguments(cls, unit: Unit) -> dict[str, Any]:
        if unit.details is not None:
            skips = unit.details.skips_first
            kernels = (unit.kernel, 1) if skips else (1, unit.kernel, 1)
            return residual_arguments(unit, kernels, 1 - skips, 1 - skips)
        options = optional(stride=(unit.stride, 1), project=(unit.projection, False))
        return {"mid_width": unit.mid_width, "kernel": unit.kernel, **options, **gate(unit)}

    @classmethod
    def details(cls, gene: Gene) -> str:
        pair = "" if gene.mid == gene.width else f"({gene.mid})"
        return pair + (f"/{gene.inside}" if gene.inside else f"e{gene.expansion}")

    @classmethod
    def from_structure(cls, match: re.Match[str], width: int, numbers: tuple[int, ...]) -> dict[str, Any]:
        pair = {} if numbers[0] == width else {"pair_width": numbers[0]}
        return {
            "kernel": int(match["kernel"]),
            "expansion": int(match["expansion"]),
            "depth": 2 * numbers[1],
            **pair,
        }

    def to_structure(self) -> tuple[str, tuple[int, ...]]:
        if self.depth % 2:
            raise ValueError(f"an odd number of mbconv units ({self.depth})")
        if self.expansion is None:
            raise ValueError("an inverted residual with mid_width in place of expansion")
        return f"SuperResIDWE{self.expansion}K{self.kernel}", (self.gene.mid, self.depth // 2)

    @classmethod
    def free_fields(cls, space: SearchBounds) -> tuple[str, ...]:
        return (
            *(("mid",) if space.pair_widths else ()),
            *(("expansion",) if len(space.expansions) > 1 else ()),
        )

    @classmethod
    def check_space(cls, space: SearchBounds) -> str:
        return "" if space.expansions else "expansions: missing; inverted residuals need some, such as [1, 2, 4, 6]"

    @classmethod
    def excludes(cls, gene: Gene, space: SearchBounds) -> str:
        if gene.inside:
            return "mid_width: an inverted residual of a search space has expansion instead"
        if gene.expansion not in space.expansions:
            return f"expansion: {gene.expansion} is not among {tuple(space.expansions)}"
        if gene.mid != gene.width and not space.pair_widths:
            return "pair_width: differs from width"
        return "" if gene.mid in space.width else f"pair_width: {gene.mid} is not allowed"

    @classmethod
    def converted(cls, gene: Gene, space: SearchBounds, expansion: int) -> Gene:
        depth = gene.sublayers * cls.units_per_sublayer
        return gene._replace(op="mbconv", depth=depth, mid=gene.width, expansion=expansion, group_width=0)
