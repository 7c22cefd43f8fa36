"""How a graph pads its convolutions: evenly, as blocks do by default, or as TensorFlow does.

A chain has as many zeros on both sides, whatever the graph has: no count depends on where they are, but logits do.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import TraceError
from ..net.layers import ConvLayer, Pair
from .graph import Graph, Margin, Node


def padding_of(graph: Graph) -> str:
    """`even` or `same`, as a spec writes it.

    Raises:
        TraceError: the convolutions of a graph pad in another way, or not all in one.
    """
    found = {number: _ways(graph.nodes, node) for number, node in enumerate(graph.nodes) if node.layer is not None}
    for way in ("even", "same"):
        if all(way in ways for ways in found.values()):
            return way
    number = next(number for number, ways in found.items() if "even" not in ways)
    raise TraceError(f"{graph.nodes[number].label} pads its sides as no block does, or not as the other convolutions")


def _ways(nodes: Sequence[Node], conv: Node) -> set[str]:
    """In which of the two ways a convolution pads."""
    layer = conv.layer
    assert layer is not None
    rows, columns = layer.padding
    top, bottom, left, right = rows, rows, columns, columns
    height, width = layer.in_size
    number = conv.inputs[0] if conv.inputs else 0
    while nodes[number].kind == "pad":
        if nodes[number].call not in ("", "constant"):
            return set()
        margin = nodes[number].margin
        top, bottom, left, right = (mine + more for mine, more in zip((top, bottom, left, right), margin, strict=True))
        height, width = height - margin[0] - margin[1], width - margin[2] - margin[3]
        number = nodes[number].inputs[0]
    ways = {"even"} if (top, left) == (bottom, right) else set()
    return ways | ({"same"} if (top, bottom, left, right) == _same(layer, (height, width)) else set())


def _same(layer: ConvLayer, size: Pair) -> Margin:
    """What TensorFlow puts around a map of this size; without a stride, and where it passes over rows, as a block."""
    if not all(1 < stride <= kernel for stride, kernel in zip(layer.stride, layer.kernel, strict=True)):
        rows, columns = layer.kernel[0] // 2, layer.kernel[1] // 2
        return rows, rows, columns, columns
    needs = [
        (-(-side // stride) - 1) * stride + kernel - side
        for side, stride, kernel in zip(size, layer.stride, layer.kernel, strict=True)
    ]
    return needs[0] // 2, needs[0] - needs[0] // 2, needs[1] // 2, needs[1] - needs[1] // 2
