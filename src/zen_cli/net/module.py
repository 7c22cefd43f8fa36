"""The training form of a network as a `torch.nn.Module`, and its vanilla chain as one.

The classes of units are also what exported Python files are made of: their source is copied, so they need nothing but
torch, and a file holds only those that its network needs. What each piece costs is counted in `counting.py`. Shapes: B
images, C channels, H x W.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .layers import Chain, Pool
from .ops import Block, block_units
from .spec import ArchSpec


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

    def __init__(self, in_width: int, width: int, kernel: int = 1, stride: int = 1, *, squeeze: int) -> None:
        super().__init__(in_width, width, kernel, stride)
        self.se = SqueezeExcitation(width, squeeze)


class Basic(nn.Module):
    """Two k x k convolutions with a shortcut around them; the last ReLU comes after the addition."""

    def __init__(
        self,
        in_width: int,
        width: int,
        *,
        mid_width: int,
        kernel: int,
        stride: int = 1,
        squeeze: int = 0,
        project: bool = False,
    ) -> None:
        super().__init__()
        self.conv1 = ConvBNReLU(in_width, mid_width, kernel, stride)
        self.se = SqueezeExcitation(mid_width, squeeze) if squeeze else nn.Identity()
        self.conv2 = ConvBN(mid_width, width, kernel)
        self.shortcut = ConvBN(in_width, width, stride=stride) if project else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        residual: Tensor = self.conv2(self.se(self.conv1(x)))
        return torch.relu(residual + self.shortcut(x))


class Bottleneck(nn.Module):
    """1x1, k x k and 1x1 convolution with a shortcut around them; the last ReLU comes after the addition."""

    def __init__(
        self,
        in_width: int,
        width: int,
        *,
        mid_width: int,
        kernel: int,
        stride: int = 1,
        groups: int = 1,
        squeeze: int = 0,
        project: bool = False,
    ) -> None:
        super().__init__()
        self.conv1 = ConvBNReLU(in_width, mid_width)
        self.conv2 = ConvBNReLU(mid_width, mid_width, kernel, stride, groups)
        self.se = SqueezeExcitation(mid_width, squeeze) if squeeze else nn.Identity()
        self.conv3 = ConvBN(mid_width, width)
        self.shortcut = ConvBN(in_width, width, stride=stride) if project else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        residual: Tensor = self.conv3(self.se(self.conv2(self.conv1(x))))
        return torch.relu(residual + self.shortcut(x))


class InvertedResidual(nn.Module):
    """1x1 up, depthwise k x k, 1x1 down with a shortcut around them; the last ReLU comes after the addition."""

    def __init__(
        self,
        in_width: int,
        width: int,
        *,
        mid_width: int,
        kernel: int,
        stride: int = 1,
        squeeze: int = 0,
        project: bool = False,
    ) -> None:
        super().__init__()
        self.conv1 = ConvBNReLU(in_width, mid_width)
        self.conv2 = ConvBNReLU(mid_width, mid_width, kernel, stride, groups=mid_width)
        self.se = SqueezeExcitation(mid_width, squeeze) if squeeze else nn.Identity()
        self.conv3 = ConvBN(mid_width, width)
        self.shortcut = ConvBN(in_width, width, stride=stride) if project else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        residual: Tensor = self.conv3(self.se(self.conv2(self.conv1(x))))
        return torch.relu(residual + self.shortcut(x))


class ZenNet(nn.Module):
    """A network in its training form: blocks, global average pooling, linear classifier.

    Shapes: [B, in_channels, H, W] -> [B, num_classes].
    """

    def __init__(self, spec: ArchSpec) -> None:
        super().__init__()
        self.blocks = nn.Sequential()
        width = spec.in_channels
        for block in spec.blocks:
            self.blocks.append(build_block(block, width))
            width = block.width
        self.classifier = nn.Linear(width, spec.num_classes)

    def forward_features(self, x: Tensor) -> Tensor:
        """The last feature map, [B, C, H', W']."""
        features: Tensor = self.blocks(x)
        return features

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.forward_features(x).mean((2, 3)))
        return logits


def build(spec: ArchSpec) -> ZenNet:
    """The training-form module of a spec, with PyTorch's default initialisation."""
    return ZenNet(spec)


def build_block(block: Block, in_width: int) -> nn.Sequential:
    """The units of one block on `in_width` channels."""
    modules = []
    for unit in block_units(block.gene, in_width):
        arguments = unit.kind.module_arguments(unit)
        modules.append(unit.kind.module_class(unit)(unit.in_width, unit.width, **arguments))
    return nn.Sequential(*modules)


def last_conv(unit: nn.Module) -> ConvBN:
    """The last convolution of a unit's body, with its batch normalisation."""
    convs = [child for name, child in unit.named_children() if name.startswith("conv")]
    last = convs[-1]
    assert isinstance(last, ConvBN)
    return last


def build_chain(chain: Chain, *, bn_eps: float = 1e-5) -> nn.Sequential:
    """The vanilla chain as a module, conv -> BN -> ReLU layer by layer: [B, C, H, W] -> [B, C', H', W']."""
    modules: list[nn.Module] = []
    for layer in chain:
        if layer.pool is not None:
            modules.append(build_pool(layer.pool))
        conv = nn.Conv2d(
            layer.in_width,
            layer.out_width,
            layer.kernel,
            layer.stride,
            layer.padding,
            layer.dilation,
            layer.groups,
            bias=False,
        )
        modules += [conv, nn.BatchNorm2d(layer.out_width, eps=bn_eps)]
        if layer.activation:
            modules.append(nn.ReLU(inplace=True))
    return nn.Sequential(*modules)


def build_pool(pool: Pool) -> nn.Module:
    """The pooling before a layer."""
    if pool.kind == "max":
        return nn.MaxPool2d(pool.kernel, pool.stride, pool.padding)
    return nn.AvgPool2d(pool.kernel, pool.stride, pool.padding)
