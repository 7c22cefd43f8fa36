"""Widths inside units that follow the width of the block: the ratios of a space, and what they make of a gene.

    inside = ratio * width, rounded to a multiple of the step, and to whole groups where there are groups

So a bottleneck keeps its quarter and an inverted residual its factor while a search changes widths.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from ...net.ops import Gene


def inside_of(gene: Gene) -> int:
    """The width inside of a block that says it as a width of its own, 0 for others."""
    if gene.kind.has_pairs:
        return gene.inside
    return gene.mid if gene.kind.has_mid else 0


class Ratios(NamedTuple):
    """Ratios of the width inside to the width, and of what widths inside and widths are multiples."""

    values: tuple[float, ...]
    step: int
    width_step: int

    def governs(self, gene: Gene) -> bool:
        """Whether the width inside of a block follows a ratio."""
        return bool(self.values) and inside_of(gene) > 0

    def of(self, gene: Gene) -> float:
        """The ratio of a block: of those that give its width inside, or else of all, the nearest."""
        own = math.log(inside_of(gene) / gene.width)
        giving = [ratio for ratio in self.values if self.apply(gene, ratio, gene.width) == gene]
        return min(giving or self.values, key=lambda ratio: abs(math.log(ratio) - own))

    def apply(self, gene: Gene, ratio: float, width: int) -> Gene:
        """The block with this width, and inside what the ratio makes of it.

        Where there are groups, the width gives way: whole groups inside have the ratio to it, as in RegNets.
        """
        group = gene.group_width
        unit = math.lcm(self.step, group) if group else self.step
        inside = max(unit, round(ratio * width / unit) * unit)
        if group:
            fitting = round(inside / ratio)
            if fitting % self.width_step == 0 and math.isclose(fitting * ratio, inside):
                width = fitting
        if gene.kind.has_pairs:
            return gene._replace(width=width, mid=width, inside=inside)
        return gene.resized(width, inside)

    def widened(self, gene: Gene, width: int) -> Gene:
        """The block with another width and its own ratio."""
        return self.apply(gene, self.of(gene), width)

    def excludes(self, gene: Gene) -> str:
        """Why the width inside of a block is none of these ratios, as `field: fault`; empty if it is one."""
        if self.widened(gene, gene.width) == gene:
            return ""
        shown = ", ".join(f"{ratio:.4g}" for ratio in self.values[:8])
        return f"mid_width: {inside_of(gene)} is none of the mid_ratios {shown} of width {gene.width}"
