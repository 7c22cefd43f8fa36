"""Convolutions with a 1x1 convolution and the input beside them, which one convolution can take the place of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from .arguments import parallel_arguments
from .base import Gene, Unit, register
from .grouped import GroupedBlock

if TYPE_CHECKING:
    from torch import nn


@register
class RepVGGBlock(GroupedBlock):
    """`depth` units in the form in which they are trained (RepVGG, arXiv 2101.03697).

    A unit is a k x k and a 1x1 convolution side by side, and its input where nothing changes, each with a BN; the
    activation follows their sum. The chain has the k x k convolution.
    """

    letter, title, color = "V", "parallel convolutions", "#8a63c9"
    chart_style = "fill:#e5dbff,stroke:#5f3dc4,color:#2b1a66"
    is_parallel, hashed_as = True, "repvgg"

    op: Literal["repvgg"]

    def check(self) -> None:
        super().check()
        if self.se is not None:
            raise ValueError("se: a unit of repvgg has none; leave it out")

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
