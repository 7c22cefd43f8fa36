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
from ..net.ops import Gene, Unit, reading_unit, repeated_units, walk
from .graph import block_operations, head_operations, network_operations, unit_operations

MANY = 2**80  # more than any sum of elements beside it
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


def block_footprint(gene: Gene, in_width: int, side: Side, first: bool) -> Footprint:
    """The elements of a block on a map of `in_width` channels and this side."""
    needs = _needs(gene, side, first)
    if needs is None:
        return _whole_footprint(gene, in_width, side, first)
    return Footprint(
        needs.weights + in_width * needs.per_channel, max(fixed + in_width * each for each, fixed in needs.live)
    )


class Needs(NamedTuple):
    """What a block needs on any number of channels: `weights`, and `per_channel` for each that it reads.

    live: of its operations, (elements for each channel that the block reads, elements beside them).
    """

    per_channel: int
    weights: int
    live: tuple[tuple[int, int], ...]


@lru_cache(maxsize=65_536)
def _needs(gene: Gene, side: Side, first: bool) -> Needs | None:
    """What a block needs whatever it reads; None where that is no linear function of the channels.

    The first unit is counted on `MANY` channels, a number so large that the quotient of each sum by it is what one
    channel needs, and the remainder is the rest.
    """
    unit = reading_unit(gene, side)
    if unit is None:
        return None
    weights, live = 0, dict[int, int]()
    units = [(unit._replace(in_width=MANY), 1), *repeated_units(gene, 1)[1:]]
    for one, times in units:
        needed, operations = _unit_needs(one, side, first)
        weights += times * needed
        for each, fixed in operations:
            live[each] = max(fixed, live.get(each, 0))
        side, first = shrink(side, one.stride), False
    return Needs(*divmod(weights, MANY), tuple(live.items()))


@lru_cache(maxsize=16_384)
def _unit_needs(unit: Unit, side: Side, first: bool) -> tuple[int, tuple[tuple[int, int], ...]]:
    """The weights of a unit, and of its operations (live elements for each of `MANY` channels, elements beside)."""
    rows = unit_operations(unit, side, first=first)
    return sum(row.weights for row in rows), tuple({divmod(row.live, MANY) for row in rows})


@lru_cache(maxsize=16_384)
def _whole_footprint(gene: Gene, in_width: int, side: Side, first: bool) -> Footprint:
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
