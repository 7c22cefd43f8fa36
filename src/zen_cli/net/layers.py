"""The vanilla chain of a network: what the Zen-score looks at.

Residual additions, squeeze-and-excitation and the classifier are dropped, every activation becomes ReLU; what is left
is a chain of layers conv -> BN -> ReLU (the VCNN of Zen-NAS, arXiv 2102.01063, section 3).
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple, TypeAlias

from .blocks import BlockLayout, Conv, Unit, block_units, unit_convs
from .spec import ArchSpec

Pair: TypeAlias = tuple[int, int]


class Pool(NamedTuple):
    """A pooling in front of a convolution; `kind` is `max` or `avg`, the pairs are height and width."""

    kind: str
    kernel: Pair
    stride: Pair
    padding: Pair


class ConvLayer(NamedTuple):
    """One layer of a chain: (pool ->) conv without bias -> BN -> ReLU; pairs are height and width.

    `in_size` is the size of the convolution's input, behind the pooling if there is one. `activation` is False for a
    layer that ends with its BN.
    """

    in_width: int
    out_width: int
    kernel: Pair
    in_size: Pair
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1
    pool: Pool | None = None
    activation: bool = True

    @property
    def fan_in(self) -> int:
        """Channels that one output channel reads."""
        return self.in_width // self.groups

    @property
    def out_size(self) -> Pair:
        """Height and width of the output."""
        return _out_side(self, 0), _out_side(self, 1)

    @property
    def weight_shape(self) -> tuple[int, int, int, int]:
        """Shape of the weights, [C_out, C_in / groups, kernel height, kernel width]."""
        return self.out_width, self.fan_in, *self.kernel


Chain: TypeAlias = tuple[ConvLayer, ...]


def chain(spec: ArchSpec) -> Chain:
    """The vanilla chain of a network, from the image to the last feature map."""
    layers: list[ConvLayer] = []
    width, side = spec.in_channels, spec.resolution
    for block in spec.blocks:
        rows = block_chain(block, width, side)
        layers += rows
        width, side = block.width, rows[-1].out_size[0]
    return tuple(layers)


@lru_cache(maxsize=8192)
def block_chain(block: BlockLayout, in_width: int, in_side: int) -> Chain:
    """The layers of one block on a square input of `in_width` channels and side `in_side`."""
    layers: list[ConvLayer] = []
    for unit in block_units(block, in_width):
        for layer in unit_chain(unit, in_side):
            layers.append(layer)
            in_side = layer.out_size[0]
    return tuple(layers)


def unit_chain(unit: Unit, side: int) -> Chain:
    """The layers of one unit on a square input of this side."""
    return tuple(conv_layer(conv) for conv in unit_convs(unit, side))


def conv_layer(conv: Conv) -> ConvLayer:
    """The layer of one convolution of a unit."""
    half = conv.kernel // 2
    return ConvLayer(
        conv.in_width,
        conv.width,
        (conv.kernel, conv.kernel),
        (conv.side, conv.side),
        (conv.stride, conv.stride),
        (half, half),
        groups=conv.groups,
    )


def _out_side(layer: ConvLayer, axis: int) -> int:
    span = layer.dilation[axis] * (layer.kernel[axis] - 1) + 1
    return (layer.in_size[axis] + 2 * layer.padding[axis] - span) // layer.stride[axis] + 1
