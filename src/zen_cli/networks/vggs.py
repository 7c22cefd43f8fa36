"""VGG with batch normalisation."""

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
TOP1 = {11: 70.37, 13: 71.586, 16: 73.36, 19: 74.218}


def vggs() -> Iterator[Published]:
    """The four depths that torchvision has; their convolutions have biases as well as BN."""
    for depth, stages in DEPTHS.items():
        blocks = [conv(width, depth=units, bias=True) for width, units in zip(WIDTHS, stages, strict=True)]
        for block in blocks[1:]:
            block["pool"] = POOL
        ending = {"head": [4096, 4096], "head_pool": POOL, "head_parts": 7}
        accuracy = Accuracy(TOP1[depth], _V1, _RECIPE)
        yield Published(f"vgg{depth}_bn", document(blocks, **ending), VGG, accuracy)
