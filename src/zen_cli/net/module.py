"""The training form of a network as a `torch.nn.Module`, and its vanilla chain as one.

What each piece costs is counted in `counting.py`. Shapes: B images, C channels, H x W.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .classifier import Classifier
from .layers import BN_EPS, Chain, Pool, square_pool
from .ops import Gene, Unit, block_units
from .ops.arguments import activation_class
from .spec import ArchSpec
from .unit_modules import set_bn_eps, set_same_padding


class ZenNet(nn.Module):
    """A network in its training form: blocks, global average pooling, linear classifier.

    Shapes: [B, in_channels, H, W] -> [B, num_classes].
    """

    def __init__(self, spec: ArchSpec) -> None:
        super().__init__()
        self.blocks = nn.Sequential()
        self._means = spec.classifier.parts == 1
        width = spec.in_channels
        for gene in spec.genes:
            self.blocks.append(build_block(gene, width))
            width = gene.width
        self.pool = build_head_pool(spec.classifier)
        self.classifier = build_classifier(spec)
        if spec.bn_eps is not None:
            set_bn_eps(self, spec.bn_eps)
        if spec.padding == "same":
            set_same_padding(self)

    def forward_features(self, x: Tensor) -> Tensor:
        """The last feature map, [B, C, H', W']."""
        features: Tensor = self.blocks(x)
        return features

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.forward_features(x))
        logits: Tensor = self.classifier(x.mean((2, 3)) if self._means else x.flatten(1))
        return logits


def build(spec: ArchSpec) -> ZenNet:
    """The training-form module of a spec, with PyTorch's default initialisation."""
    return ZenNet(spec)


def allocate(net: nn.Module, device: torch.device) -> None:
    """Gives a module that was built on the meta device memory, whose numbers are yet to be set.

    `Module.to_empty` does the same, but makes PyTorch import a quarter of a second of code.
    """
    net._apply(  # type: ignore[no-untyped-call]
        lambda tensor: torch.empty(tensor.shape, dtype=tensor.dtype, device=device)
    )


def build_block(gene: Gene, in_width: int) -> nn.Sequential:
    """The units of one block on `in_width` channels."""
    return nn.Sequential(*map(build_unit, block_units(gene, in_width)))


def build_classifier(spec: ArchSpec) -> nn.Module:
    """The linear classifier, with its hidden layers, or nothing where a spec has no classes."""
    if not spec.num_classes:
        return nn.Identity()
    *hidden, (width, classes, _) = spec.classifier.layers(spec.blocks[-1].width)
    parts: list[nn.Module] = []
    for before, out, has_bias in hidden:
        parts += [nn.Linear(before, out, bias=has_bias), activation_class(spec.classifier.activation)()]
    linear = nn.Linear(width, classes)
    return nn.Sequential(*parts, linear) if parts else linear


def build_head_pool(classifier: Classifier) -> nn.Module:
    """What comes between the last map and the vector that a classifier reads, but the mean of all positions."""
    parts = [] if classifier.pool is None else [build_pool(square_pool(*classifier.pool))]
    return nn.Sequential(*parts, *([nn.AdaptiveAvgPool2d(classifier.parts)] if classifier.parts > 1 else []))


def build_unit(unit: Unit) -> nn.Module:
    """One unit."""
    return unit.kind.module_class(unit)(unit.in_width, unit.width, **unit.kind.module_arguments(unit))


def build_chain(chain: Chain, *, bn_eps: float = BN_EPS) -> nn.Sequential:
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
