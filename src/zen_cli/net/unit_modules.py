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
