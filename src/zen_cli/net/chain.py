"""The vanilla chain of a network: what the Zen-score sees.

Residual additions, squeeze-and-excitation and the classifier are dropped, every activation becomes ReLU; what is left
is a chain of layers conv -> BN -> ReLU (the VCNN of Zen-NAS, arXiv 2102.01063, section 3).
"""

from __future__ import annotations

from functools import lru_cache

from .layers import Chain, ConvLayer
from .ops import Gene, block_units
from .spec import ArchSpec


def chain(spec: ArchSpec) -> Chain:
    """The vanilla chain of a network, from the image to the last feature map."""
    layers: list[ConvLayer] = []
    width, side = spec.in_channels, spec.resolution
    for block in spec.blocks:
        rows = block_chain(block.gene, width, side)
        layers += rows
        width, side = block.width, rows[-1].out_size[0]
    return tuple(layers)


@lru_cache(maxsize=8192)
def block_chain(gene: Gene, in_width: int, in_side: int) -> Chain:
    """The layers of one block on a square input of `in_width` channels and side `in_side`."""
    layers: list[ConvLayer] = []
    for unit in block_units(gene, in_width):
        for layer in unit.layers(in_side):
            layers.append(layer)
            in_side = layer.out_size[0]
    return tuple(layers)
