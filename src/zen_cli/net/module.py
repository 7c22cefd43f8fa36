"""The training form of a network as a `torch.nn.Module`, and its vanilla chain as one.

What each piece costs is counted beside it in `cost.py`. Shapes: B images, C channels, H x W.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from .blocks import Block, Unit, block_units
from .layers import Chain, Pool
from .spec import ArchSpec


class ConvBN(nn.Sequential):
    """A convolution without bias, zero padding k//2, and its BN."""

    def __init__(self, in_width: int, width: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(
            OrderedDict(
                conv=nn.Conv2d(in_width, width, kernel, stride, kernel // 2, groups=groups, bias=False),
                bn=nn.BatchNorm2d(width),
            )
        )


class SqueezeExcitation(nn.Module):
    """Scales each channel by a gate computed from the mean of all channels."""

    def __init__(self, width: int, squeeze: int) -> None:
        super().__init__()
        self.reduce = ConvBN(width, squeeze, 1)
        self.expand = ConvBN(squeeze, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        gate = self.expand(torch.relu(self.reduce(x.mean((2, 3), keepdim=True))))
        return x * torch.sigmoid(gate)


class ResidualUnit(nn.Module):
    """Convolutions with a shortcut around them and the last ReLU behind the addition.

    `shortcut` is a 1x1 convolution with the unit's stride, or the identity.
    """

    def __init__(self, unit: Unit) -> None:
        super().__init__()
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        width, mid, kernel = unit.in_width, unit.mid_width, unit.kernel
        if unit.op == "basic":
            layers["conv1"] = ConvBN(width, mid, kernel, unit.stride)
        else:
            layers["conv1"] = ConvBN(width, mid, 1)
            layers["relu1"] = nn.ReLU(inplace=True)
            layers["conv2"] = ConvBN(mid, mid, kernel, unit.stride, unit.groups)
        layers["relu2"] = nn.ReLU(inplace=True)
        if unit.squeeze:
            layers["se"] = SqueezeExcitation(mid, unit.squeeze)
        layers["conv3"] = ConvBN(mid, unit.width, kernel if unit.op == "basic" else 1)
        self.body = nn.Sequential(layers)
        self.shortcut = ConvBN(width, unit.width, 1, unit.stride) if unit.projection else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.body(x) + self.shortcut(x))


class ConvUnit(nn.Sequential):
    """A plain convolution, BN, ReLU and, where asked for, squeeze-and-excitation."""

    def __init__(self, unit: Unit) -> None:
        super().__init__(ConvBN(unit.in_width, unit.width, unit.kernel, unit.stride), nn.ReLU(inplace=True))
        if unit.squeeze:
            self.append(SqueezeExcitation(unit.width, unit.squeeze))


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
    units = block_units(block, in_width)
    return nn.Sequential(*(ConvUnit(unit) if unit.op == "conv" else ResidualUnit(unit) for unit in units))


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
    """The pooling in front of a layer."""
    if pool.kind == "max":
        return nn.MaxPool2d(pool.kernel, pool.stride, pool.padding)
    return nn.AvgPool2d(pool.kernel, pool.stride, pool.padding)
