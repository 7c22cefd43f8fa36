"""Which dimension of a tensor is what: followed through permutations, recognised by sizes after a reshape.

Axes are a letter a dimension: N images, C channels, H and W height and width, T positions in a row. Empty where the
dimensions are none of these, as between the two reshapes of a channel shuffle.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..net.layers import Pair
from .graph import Node

Shape = tuple[int, ...]
SPATIAL = "HWT"


def axes_after(axes: str, before: Shape, after: Shape, node: Node, *, reshaped: bool = False) -> str:
    """The axes of a result of a call on a tensor with these axes.

    Args:
        axes: of its argument.
        before: shape of its argument.
        after: shape of its result.
        node: the node of its argument, whose width and size say what a dimension of some length is.
        reshaped: whether dimensions were split or joined.
    """
    if axes and len(axes) == len(after) and not reshaped:
        return axes
    return axes if before == after else recognised(after, node)


def permuted(axes: str, order: Sequence[int]) -> str:
    """The axes after dimensions were put in this order; empty where they were not known."""
    return "".join(axes[dim] for dim in order) if axes else ""


def recognised(shape: Shape, node: Node) -> str:
    """The axes of a shape that holds the map of a node, by the sizes; empty where they do not fit."""
    width, (height, columns) = node.width, node.size
    known: dict[str, Shape]
    if len(shape) == 4:
        known = {"NCHW": (width, height, columns), "NHWC": (height, columns, width)}
    elif len(shape) == 3:
        known = {"NCT": (width, height * columns), "NTC": (height * columns, width)}
    else:
        known = {"NC": (width,)} if len(shape) == 2 else {}
    return next((axes for axes, sizes in known.items() if shape[1:] == sizes), "")


def span(axes: str, shape: Shape, node: Node) -> tuple[int, Pair]:
    """Channels and size of a tensor with these axes; those of `node` where the axes do not tell."""
    named = dict(zip(axes, shape, strict=False))
    width = named.get("C", node.width)
    if "H" in named or "W" in named:
        return width, (named.get("H", 1), named.get("W", 1))
    if "T" in named and named["T"] != math.prod(node.size):
        return width, (named["T"], 1)
    return width, (1, 1) if axes == "NC" else node.size


def after_reduction(axes: str, dims: Sequence[int] | None, before: Shape, after: Shape) -> tuple[str, bool]:
    """(axes, whether one position is left of a map) after a reduction.

    Args:
        axes: of the argument; the answer is no where they are not known.
        dims: that are reduced; None for all.
        before: shape of the argument.
        after: shape of the result.
    """
    if not axes:
        return "", False
    reduced = set(range(len(axes))) if dims is None else {dim % len(axes) for dim in dims}
    had = any(letter in SPATIAL and before[dim] > 1 for dim, letter in enumerate(axes))
    left = any(letter in SPATIAL and before[dim] > 1 and dim not in reduced for dim, letter in enumerate(axes))
    kept = axes if len(after) == len(axes) else "".join(axes[dim] for dim in range(len(axes)) if dim not in reduced)
    return kept, had and not left
