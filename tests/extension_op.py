"""An op of one's own: one class, one registration. `python extension_op.py score ...` is `zen` with it."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from zen_cli.net.layers import Chain, square_conv
from zen_cli.net.ops import Block, Gene, Unit, register


@register
class SingleBlock(Block):
    """`depth` residual units of one k x k convolution."""

    letter, title, color, chart_style = "S", "single", "#aa3377", "fill:#fde,stroke:#a37"
    hashed_as, has_mid = "single", False

    op: Literal["single"]

    @classmethod
    def unit_widths(cls, gene: Gene, index: int) -> tuple[int, int, int]:
        return gene.width, gene.width, 1

    @classmethod
    def layers(cls, unit: Unit, side: int) -> Chain:
        return (square_conv(unit.in_width, unit.width, unit.kernel, side, unit.stride),)

    @classmethod
    def module_class(cls, unit: Unit) -> type[nn.Module]:
        return Single

    @classmethod
    def module_arguments(cls, unit: Unit) -> dict[str, int | bool]:
        return {"kernel": unit.kernel, "stride": unit.stride, "squeeze": unit.squeeze, "project": unit.projection}


# A network's model knows the ops that are registered when it is imported, so what imports it comes after the op.
from zen_cli.cli import main  # noqa: E402
from zen_cli.net.unit_modules import ConvBN, SqueezeExcitation  # noqa: E402


class Single(nn.Module):
    """One k x k convolution with a shortcut around it."""

    def __init__(
        self,
        in_width: int,
        width: int,
        *,
        kernel: int,
        stride: int = 1,
        squeeze: int = 0,
        project: bool = False,
    ) -> None:
        super().__init__()
        self.conv1 = ConvBN(in_width, width, kernel, stride)
        self.se = SqueezeExcitation(width, squeeze) if squeeze else nn.Identity()
        self.shortcut = ConvBN(in_width, width, stride=stride) if project else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.se(self.conv1(x)) + self.shortcut(x))


if __name__ == "__main__":
    main()
