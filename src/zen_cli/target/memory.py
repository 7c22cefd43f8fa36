"""Bytes that a network needs on a device, exactly, for one image: its weights, and the peak of its live tensors.

`weights`: all parameters of the inference form, with each BN folded into the convolution before it, which leaves a bias
a channel. `memory`: the greatest sum, over the operations in the order of the exported graph, of what an operation
reads, what it writes, and what waits for a later one, such as a shortcut; ReLU, additions and products happen in place,
and the image is counted. A runtime adds its own buffers and code, and int8 runtimes keep biases in 32 bits. For int8
at 224 pixels this gives the published peaks of MobileNetV1 and V2, 1,204,224 and 1,505,280 bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from ..net.classifier import Classifier
from ..net.layers import Side, shrink
from ..net.ops import Gene, walk
from .graph import block_operations, head_operations, network_operations

ITEM_BYTES = {"float32": 4, "float16": 2, "int8": 1}


class Footprint(NamedTuple):
    """Elements: of the weights, and of the live tensors at their peak."""

    weights: int
    peak: int

    def bytes(self, dtype: str) -> Footprint:
        """The same in bytes."""
        return Footprint(self.weights * ITEM_BYTES[dtype], self.peak * ITEM_BYTES[dtype])


def footprint(genes: Iterable[Gene], in_width: int, side: Side, classifier: Classifier) -> Footprint:
    """The elements of blocks on images of `in_width` channels and this side, and of their classifier."""
    weights = peak = 0
    first = True
    for gene, width, block_side in walk(genes, in_width, side):
        block = block_footprint(gene, width, block_side, first)
        weights, peak = weights + block.weights, max(peak, block.peak)
        in_width, side, first = gene.width, shrink(block_side, gene.stride), False
    head = _head(in_width, side, classifier)
    return Footprint(weights + head.weights, max(peak, head.peak))


@lru_cache(maxsize=65_536)
def block_footprint(gene: Gene, in_width: int, side: Side, first: bool) -> Footprint:
    """The elements of a block on a map of `in_width` channels and this side."""
    rows = list(block_operations(gene, in_width, side, first=first))
    return Footprint(sum(one.weights * times for one, times in rows), max(one.live for one, _ in rows))


@lru_cache(maxsize=4096)
def _head(width: int, side: Side, classifier: Classifier) -> Footprint:
    rows = head_operations(width, side, classifier)
    return Footprint(sum(one.weights for one in rows), max(one.live for one in rows))


def live_bytes(
    genes: Iterable[Gene], in_width: int, side: Side, classifier: Classifier, dtype: str
) -> list[tuple[str, int]]:
    """(name of the module, bytes that are live while it runs) of each operation, in order."""
    return [(name, one.live * ITEM_BYTES[dtype]) for name, one in network_operations(genes, in_width, side, classifier)]
