"""The vanilla chain of a network: what the Zen-score sees.

Residual additions, squeeze-and-excitation and the classifier are dropped, every activation becomes ReLU; what is left
is a chain of layers conv -> BN -> ReLU (the VCNN of Zen-NAS, arXiv 2102.01063, section 3).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from .layers import Chain, ConvLayer, Side, shrink
from .ops import Gene, Unit, block_units, walk


def chain_of(genes: Iterable[Gene], in_width: int, side: Side) -> Chain:
    """The layers of blocks on images of `in_width` channels and this side."""
    layers: list[ConvLayer] = []
    for gene, width, block_side in walk(genes, in_width, side):
        unit_side = block_side
        for unit in block_units(gene, width):
            layers += _unit_layers(unit, unit_side)
            unit_side = shrink(unit_side, unit.stride)
    return tuple(layers)


@lru_cache(maxsize=8192)
def _unit_layers(unit: Unit, side: Side) -> Chain:
    """The layers of one unit, the same objects each time, so that a deep block takes little memory."""
    return unit.layers(side)
