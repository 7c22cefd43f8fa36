"""Design rules: what every member of a space keeps, because no closed-form score sees inside a unit.

A score depends on the product of two successive widths, so it is as content with a trunk of 4 channels and 28 inside as
with 10 and 10; trained, such networks are worse. Each rule has its reason in docs/spaces.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Annotated, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ...net.ops import Gene, Span

Ratio: TypeAlias = tuple[Annotated[float, Field(gt=0, le=1000)], Annotated[float, Field(gt=0, le=1000)]]
Kernels: TypeAlias = tuple[Annotated[int, Field(ge=1, le=31)], ...]

SLACK = 1e-9  # of a ratio, for rounding


class Rules(BaseModel):
    """The rules of a space; null or false turns one off.

    A ratio is (least, greatest). Ops say which of the two ratios is theirs (`Block.ratio_rule`) and whether their
    kernels are depthwise (`Block.is_depthwise`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    fixed_ends: bool = Field(default=True, description="stem and head are those of the seed network")
    never_narrower: bool = Field(default=True, description="between stem and head no block is narrower than the last")
    equal_pairs: bool = Field(default=True, description="both units of a pair have one width")
    inside_over_width: Ratio | None = Field(
        default=(2 / 3, 1.5), strict=False, description="inside over width, of basic units"
    )
    width_over_inside: Ratio | None = Field(
        default=(1.0, 4.0), strict=False, description="width over inside, of bottlenecks"
    )
    dense_kernels: Kernels | None = Field(
        default=(3,), min_length=1, max_length=16, strict=False, description="kernels that are not depthwise"
    )
    depthwise_kernels: Kernels | None = Field(
        default=(3, 5), min_length=1, max_length=16, strict=False, description="kernels of depthwise convolutions"
    )

    @model_validator(mode="after")
    def _check(self) -> Rules:
        for name in ("inside_over_width", "width_over_inside"):
            ratio = getattr(self, name)
            if ratio is not None and ratio[0] > ratio[1]:
                raise ValueError(f"{name}: {ratio[0]:g} is above {ratio[1]:g}; swap them")
        return self

    def kernels(self, op: type[object], allowed: Sequence[int]) -> tuple[int, ...]:
        """Those of the kernels that blocks of an op may have."""
        kept = self.depthwise_kernels if getattr(op, "is_depthwise", False) else self.dense_kernels
        return tuple(kernel for kernel in allowed if kept is None or kernel in kept)

    def inside_range(self, gene: Gene) -> tuple[float, float] | None:
        """The least and the greatest width inside a block; None if no rule limits it."""
        name = gene.kind.ratio_rule
        ratio: tuple[float, float] | None = getattr(self, name) if name else None
        if ratio is None:
            return None
        if name == "inside_over_width":
            return ratio[0] * gene.width, ratio[1] * gene.width
        return gene.width / ratio[1], gene.width / ratio[0]

    def fit(self, gene: Gene, span: Span, kernels: Sequence[int]) -> Gene:
        """A block nearest to this one that keeps the rules of blocks, as far as the values of the space allow.

        Args:
            gene: the block.
            span: widths inside that the space allows.
            kernels: those of the space.
        """
        own = self.kernels(gene.kind, kernels)
        if own and gene.kernel not in own:
            gene = gene._replace(kernel=min(own, key=lambda kernel: abs(kernel - gene.kernel)))
        if self.equal_pairs and gene.kind.has_pairs and gene.mid != gene.width:
            gene = gene.resized(gene.width, gene.width)
        limits = self.inside_range(gene)
        if limits is None or limits[0] - SLACK <= gene.mid <= limits[1] + SLACK:
            return gene
        step = math.lcm(gene.group_width, span.step) if gene.group_width else span.step
        low = math.ceil(max(limits[0], span.min) / step - SLACK) * step
        high = math.floor(min(limits[1], span.max) / step + SLACK) * step
        return gene if low > high else gene._replace(mid=max(low, min(high, gene.mid)))

    def broken_by_block(self, gene: Gene, kernels: Sequence[int]) -> str:
        """Which rule of blocks a block breaks, as `field: fault`; empty if none."""
        if gene.kernel not in self.kernels(gene.kind, kernels):
            return f"kernel: {gene.kernel} is against the rules for {gene.op}"
        if self.equal_pairs and gene.kind.has_pairs and gene.mid != gene.width:
            return f"pair_width: {gene.mid} is not width {gene.width}, which the rule equal_pairs wants"
        limits = self.inside_range(gene)
        if limits is not None and not limits[0] - SLACK <= gene.mid <= limits[1] + SLACK:
            return (
                f"mid_width: {gene.mid} is outside {limits[0]:.4g} to {limits[1]:.4g}, the rule {gene.kind.ratio_rule}"
            )
        return ""

    def narrower(self, widths: Iterable[int]) -> int | None:
        """The index of the first block narrower than the one before it, where that is against the rules."""
        if self.never_narrower:
            before = 0
            for index, width in enumerate(widths):
                if width < before:
                    return index
                before = width
        return None

    def lines(self) -> list[str]:
        """One line a rule that is on, for people."""
        rows = []
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if value is None or value is False:
                continue
            numbers = "" if value is True else f" {' to '.join(f'{part:.3g}' for part in value)}"
            if name.endswith("kernels"):
                numbers = f" {', '.join(map(str, value))}"
            rows.append(f"{name}:{numbers}{';' if numbers else ''} {field.description}")
        return rows
