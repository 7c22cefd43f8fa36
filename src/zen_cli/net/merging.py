"""A module in the form in which it runs: what follows a convolution, or is beside it, as a part of its weights.

Both hold in evaluation only, as the statistics of a batch normalisation change in training. Modules are known by what
they have, not by their class, because exported files have copies of the classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


def merge(net: nn.Module) -> nn.Module:
    """The module itself, with one convolution for parallel ones, and no batch normalisation after any convolution.

    What has a method `merged`, such as a unit of `repvgg`, becomes the convolution that this gives, between its pooling
    and its activation.
    """
    from torch import nn

    for parent in [*net.modules()]:
        for name, child in [*parent.named_children()]:
            merged = getattr(child, "merged", None)
            if callable(merged):
                parts = {"pool": child.pool, "conv": merged(), "act": child.act}
                one = nn.Sequential()
                for label, part in parts.items():
                    one.add_module(label, part)
                setattr(parent, name, one)
    return merge_norms(net)


def merge_norms(net: nn.Module) -> nn.Module:
    """The module itself, with each batch normalisation (`bn`) merged into the convolution beside it (`conv`)."""
    from torch import nn
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    for part in net.modules():
        conv, norm = getattr(part, "conv", None), getattr(part, "bn", None)
        if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            part.conv, part.bn = fuse_conv_bn_eval(conv, norm), nn.Identity()
    return net
