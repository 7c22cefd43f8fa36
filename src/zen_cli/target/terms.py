"""What the time of an operation depends on, as numbers that a law multiplies by rates. No torch.

A term that does not matter on a machine gets the rate zero there. Terms count what runtimes do on vector units: they
compute channels in vectors of 16 and outputs in runs of one row, and where neither fills, the rest costs as much.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

from ..net.layers import ConvLayer
from .graph import PAD, Operation

RUN = 6  # outputs of a row that are computed together
WIDE = 4 * PAD  # channels out that are computed together
NEAR = 2**17  # weights that stay in the cache of a core


class Terms(NamedTuple):
    """What a law multiplies by rates.

    Attributes:
        overhead: 1.
        padded: multiply-adds with channels rounded up to whole vectors.
        wide: the same with channels out rounded up to four vectors.
        ragged: those of outputs that fill no run: at the borders of a row, and what is left over.
        reads: elements read, channels rounded up.
        writes: elements written, channels rounded up.
        weights: parameters, channels rounded up.
        large: those beyond what stays in the cache of a core.
        groups: of channels, where there are several.
        gathered: elements of all windows, where channels are computed group by group.
        unfilled: parameters where the positions of a map fill no whole vectors: products of matrices then read the
            weights once more.
        few: parameters where they fill not even one vector.
    """

    overhead: float = 1.0
    padded: float = 0.0
    wide: float = 0.0
    ragged: float = 0.0
    reads: float = 0.0
    writes: float = 0.0
    weights: float = 0.0
    large: float = 0.0
    groups: float = 0.0
    gathered: float = 0.0
    unfilled: float = 0.0
    few: float = 0.0


@lru_cache(maxsize=65_536)
def terms(one: Operation) -> Terms:
    """The terms of an operation."""
    return Terms(reads=one.reads, writes=one.writes) if one.layer is None else terms_of_layer(one.layer)


def terms_of_layer(layer: ConvLayer) -> Terms:
    """The terms of a convolution; its widths and groups may be arrays that broadcast, and then terms are."""
    area, taps = math.prod(layer.out_size), math.prod(layer.kernel)
    fan_in, groups = layer.fan_in, layer.groups
    fan_in = fan_in + (round_up(fan_in, PAD) - fan_in) * ((groups == 1) & (fan_in >= PAD))
    width = round_up(layer.out_width, PAD)
    weights = fan_in * width * taps
    has_groups = (groups > 1) & (fan_in > 1)
    is_product = (groups == 1) & (area > 1)  # of two matrices
    return Terms(
        padded=weights * area,
        wide=fan_in * round_up(layer.out_width, WIDE) * taps * area,
        ragged=weights * area * ragged_share(layer),
        reads=round_up(layer.in_width, PAD) * math.prod(layer.in_size),
        writes=width * area,
        weights=weights,
        large=(weights - NEAR) * (weights > NEAR),
        groups=groups * has_groups,
        gathered=layer.in_width * taps * area * has_groups,
        unfilled=weights * (is_product & (area % PAD > 0)),
        few=weights * (is_product & (area < PAD)),
    )


def ragged_share(layer: ConvLayer) -> float:
    """The share of the outputs of a layer that fill no run of `RUN`."""
    kernel, stride, padding = layer.kernel[1], layer.stride[1], layer.padding[1]
    side = layer.out_size[1]
    if kernel == 1 and layer.stride == (1, 1):  # rows follow each other
        return math.prod(layer.out_size) % RUN / math.prod(layer.out_size)
    left = min(side, -(-padding // stride))
    right = min(side - left, max(0, side - (layer.in_size[1] + padding - kernel) // stride - 1))
    return (left + right + (side - left - right) % RUN) / side


def round_up(number: int, step: int) -> int:
    """The least multiple of `step` that is not below."""
    return -(-number // step) * step
