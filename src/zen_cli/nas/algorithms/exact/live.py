"""A limit on memory in the exact search: a block whose live tensors exceed it is no choice.

The peak of a network is that of one of its operations, which reads and writes maps of at most three widths: those into,
inside and out of a unit. Tables hold two widths at a time, so that each share of a block leaves out the pairs of widths
that need too much beside the smallest third width that is left. What needs too much only with a larger third one is
left to the local search and to listing, which count networks; a bound may then be of a network that is no choice.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from ....net.layers import Chain
from ....net.ops import Unit
from .graph import Bools

FORBIDDEN = -1e9  # nats: finite, because sub-layers that a block does not have count 0 times


def live_elements(unit: Unit, layers: Chain, side: int, has_projection: Any) -> Iterator[Any]:
    """Elements of the live tensors of each operation of a unit of arrays of widths; see `target.graph`.

    Args:
        unit: without a pooling and squeeze-and-excitation.
        layers: its convolutions.
        side: of the map that it reads.
        has_projection: where its shortcut is one, an array or a number.
    """
    shortcut = np.asarray(unit.in_width) * side**2
    for index, layer in enumerate(layers):
        held = shortcut if unit.kind.is_residual and index else 0
        yield layer.in_width * math.prod(layer.in_size) + layer.out_width * math.prod(layer.out_size) + held
    if unit.kind.is_residual:
        out = layers[-1].out_width * math.prod(layers[-1].out_size)
        yield np.where(has_projection, shortcut + 2 * out, out + shortcut)
        yield np.where(has_projection, 2 * out, 0)


def forbidden(live: Iterable[Any], most: float, *axes: int) -> Bools:
    """Where widths along these axes of [K, I, M, W] need more than `most` elements beside the smallest other ones."""
    mask: Bools = np.zeros((1, 1, 1, 1), dtype=np.bool_)
    others = tuple(axis for axis in range(4) if axis not in axes)
    for each in live:
        row = np.asarray(each)
        least = row.reshape((1,) * (4 - row.ndim) + row.shape).min(axis=others, keepdims=True)
        mask = mask | (least > most)
    return mask
