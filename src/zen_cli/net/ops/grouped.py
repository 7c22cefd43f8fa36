"""What ops of one k x k convolution a unit have in common: its groups."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from ..layers import Chain, Side, square_conv
from .base import Block, Gene, Unit, Width


class GroupedBlock(Block):
    """Units with one convolution in the chain, in groups of `group_width` channels."""

    is_residual, has_mid, groups_input = False, False, True

    group_width: Width | None = Field(default=None, description="channels out per group (default: one group)")

    def check(self) -> None:
        if self.group_width is not None and self.width % self.group_width:
            raise ValueError(f"group_width: {self.group_width} does not divide width {self.width}; use a divisor of it")

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
