"""The modules that units are made of, as typed code that stands alone.

Exported Python files are made of them: their source is copied with all that it names, so it names nothing but torch,
the standard library and itself. What each piece costs is counted in `counting.py`. Shapes: B images, C channels, H x W.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn


def set_bn_eps(net: nn.Module, eps: float) -> None:
    """Sets the epsilon of all batch normalisations."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = eps


class SameConv2d(nn.Conv2d):
    """A convolution with the padding that TensorFlow calls "same", which depends on the side of the map.

    Its output has ceil(side / stride) rows and columns. On even sides with stride 2 there are one row and one column of
    zeros more below and on the right than above and on the left; on odd sides as many.
    """

    def margins(self, rows: int, columns: int) -> tuple[int, int, int, int]:
        """(left, right, top, bottom) for a map of this size."""
        (high, wide), (down, across) = self.kernel_size, self.stride
        tall = (rows + down - 1) // down * down - down + high - rows
        broad = (columns + across - 1) // across * across - across + wide - columns
        return broad // 2, broad - broad // 2, tall // 2, tall - tall // 2

    def forward(self, x: Tensor) -> Tensor:
        padded = nn.functional.pad(x, self.margins(x.shape[2], x.shape[3]))
        return nn.functional.conv2d(padded, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


def set_same_padding(net: nn.Module) -> None:
    """Gives all convolutions with a stride below their kernel the padding that TensorFlow calls "same"."""
    for parent in [*net.modules()]:
        for name, conv in [*parent.named_children()]:
            if isinstance(conv, nn.Conv2d) and 1 < conv.stride[0] <= conv.kernel_size[0]:
                kernel, stride = conv.kernel_size[0], conv.stride[0]
                same = SameConv2d(conv.in_channels, conv.out_channels, kernel, stride, groups=conv.groups)
                same.weight, same.bias = conv.weight, conv.bias
                setattr(parent, name, same)


class ConvBN(nn.Sequential):
    """A convolution without bias and its batch normalisation."""

    def __init__(self, in_width: int, width: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_width, width, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(width)


class ConvBNReLU(ConvBN):
    """The same with a ReLU after it."""

    def __init__(self, in_width: int, width: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> None:
        super().__init__(in_width, width, kernel, stride, groups)
        self.relu = nn.ReLU(inplace=True)


class SqueezeExcitation(nn.Module):
    """Scales each channel by a gate computed from the means of all channels."""

    def __init__(self, width: int, squeeze: int) -> None:
        super().__init__()
        self.reduce = ConvBNReLU(width, squeeze)
        self.expand = ConvBN(squeeze, width)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.expand(self.reduce(x.mean((2, 3), keepdim=True))))


class ConvSE(ConvBNReLU):
    """A plain convolution with squeeze-and-excitation after its ReLU."""

    def __init__(
        self, in_width: int, width: int, kernel: int = 1, stride: int = 1, groups: int = 1, *, squeeze: int
    ) -> None:
        super().__init__(in_width, width, kernel, stride, groups)
        self.se = SqueezeExcitation(width, squeeze)


class Residual(nn.Module, ABC):
    """A unit with a shortcut around its convolutions; the last ReLU comes after the addition."""

    shortcut: nn.Module
    has_shortcut = True

    @property
    @abstractmethod
    def last(self) -> ConvBN:
        """The last convolution, whose scale of zero makes the unit its shortcut alone."""

    @abstractmethod
    def residual(self, x: Tensor) -> Tensor:
        """What is added to the shortcut."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.residual(x) + self.shortcut(x))


class Basic(Residual):
    """Two k x k convolutions and a shortcut; `gate` makes what follows the first one from its width."""

    def __init__(
        self,
        in_width: int,
        width: int,
        *,
        mid_width: int,
        kernel: int,
        stride: int = 1,
        gate: Callable[[int], nn.Module] = nn.Identity,
        project: bool = False,
    ) -> None:
        super().__init__()
        self.conv1 = ConvBNReLU(in_width, mid_width, kernel, stride)
        self.se = gate(mid_width)
        self.conv2 = ConvBN(mid_width, width, kernel)
        self.shortcut = ConvBN(in_width, width, stride=stride) if project else nn.Identity()

    @property
    def last(self) -> ConvBN:
        return self.conv2

    def residual(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv2(self.se(self.conv1(x)))
        return y


class Bottleneck(Residual):
    """1x1, k x k and 1x1 convolution and a shortcut; `gate` makes what follows the second one from its width."""

    def __init__(
        self,
        in_width: int,
        width: int,
        *,
        mid_width: int,
        kernel: int,
        stride: int = 1,
        groups: int = 1,
        gate: Callable[[int], nn.Module] = nn.Identity,
        project: bool = False,
    ) -> None:
        super().__init__()
        self.conv1 = ConvBNReLU(in_width, mid_width)
        self.conv2 = ConvBNReLU(mid_width, mid_width, kernel, stride, groups)
        self.se = gate(mid_width)
        self.conv3 = ConvBN(mid_width, width)
        self.shortcut = ConvBN(in_width, width, stride=stride) if project else nn.Identity()

    @property
    def last(self) -> ConvBN:
        return self.conv3

    def residual(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv3(self.se(self.conv2(self.conv1(x))))
        return y


class InvertedResidual(Bottleneck):
    """1x1 up, depthwise k x k, 1x1 down and a shortcut: a bottleneck with as many groups as channels inside."""

    def __init__(
        self,
        in_width: int,
        width: int,
        *,
        mid_width: int,
        kernel: int,
        stride: int = 1,
        gate: Callable[[int], nn.Module] = nn.Identity,
        project: bool = False,
    ) -> None:
        super().__init__(
            in_width,
            width,
            mid_width=mid_width,
            kernel=kernel,
            stride=stride,
            groups=mid_width,
            gate=gate,
            project=project,
        )
