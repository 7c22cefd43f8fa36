"""VGG, with and without batch normalisation."""

from __future__ import annotations

from collections.abc import Iterator

from .base import Accuracy, Published, conv, document

VGG = "Very Deep Convolutional Networks, arXiv 1409.1556"
POOL = {"kind": "max", "kernel": 2, "stride": 2}
WIDTHS = (64, 128, 256, 512, 512)
# Convolutions of each stage.
DEPTHS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}

_V1 = "torchvision IMAGENET1K_V1"
_RECIPE = "github.com/pytorch/vision/tree/main/references/classification#alexnet-and-vgg"
# Depth: top-1 with batch normalisation and without.
TOP1 = {11: (70.37, 69.02), 13: (71.586, 69.928), 16: (73.36, 71.592), 19: (74.218, 72.376)}


def vggs() -> Iterator[Published]:
    """The four depths that torchvision has; convolutions have biases, with BN as well."""
    for depth, stages in DEPTHS.items():
        for has_norm, top1 in zip((True, False), TOP1[depth], strict=True):
            keys = {"bias": True} if has_norm else {"bias": True, "norm": False}
            blocks = [conv(width, depth=units, **keys) for width, units in zip(WIDTHS, stages, strict=True)]
            for block in blocks[1:]:
                block["pool"] = POOL
            ending = {"head": [4096, 4096], "head_pool": POOL, "head_parts": 7}
            name = f"vgg{depth}_bn" if has_norm else f"vgg{depth}"
            yield Published(name, document(blocks, **ending), VGG, Accuracy(top1, _V1, _RECIPE))
