"""What follows the last map of a graph: poolings, and the linear layers of a classifier."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from ..errors import TraceError
from .gates import ACTIVATIONS, MEANS, RESHAPING, hides, is_pooled, swish_of
from .graph import Node, Window


class Ending(NamedTuple):
    """What follows the last map.

    last: the node of the map.
    hidden, activation, bias: of linear layers before the last one.
    num_classes: of the last linear layer; 0 for none.
    pool: a pooling after the map.
    parts: how many pieces a side of the map the first linear layer reads; 1 for the mean of all.
    """

    last: int
    hidden: tuple[int, ...]
    activation: str
    bias: bool
    num_classes: int
    pool: Window | None
    parts: int


def read_ending(nodes: Sequence[Node], output: int, convs: Collection[int], *, folded: bool) -> Ending:
    """The layers after the last map of a chain, whose convolutions are `convs`. A file may lack biases of zeros.

    Raises:
        TraceError: no spec has such an end.
    """
    layers: list[Node] = []
    activations: list[str] = []
    number = output
    while number not in convs:
        node = swish_of(nodes, nodes[number]) or nodes[number]
        is_last_pool = is_pooled(node) and not _follows_layer(nodes, number, convs)
        if is_last_pool or (layers and node.size != (1, 1) and not _is_silent(node)):
            break
        if node.kind in ("sum", "product", "pool"):
            raise TraceError("no global pool comes after its last map")
        if node.kind in ("linear", "conv") and node.call != "conv1d":
            layers.append(node)
        elif node.kind == "same" and node.call in ACTIVATIONS:
            activations.append(ACTIVATIONS[node.call])
        elif not _is_silent(node) and not is_pooled(node):
            raise TraceError(f"no spec has {node.call or node.label} after the last map")
        number = min(node.inputs)
    else:
        raise TraceError("no global pool comes after its last map")
    layers = layers[::-1]
    if len(activations) != max(0, len(layers) - 1) or len(set(activations)) > 1:
        raise TraceError("the layers after its last map have activations that differ, or none")
    widths = tuple(layer.width for layer in layers)
    bias = _has_bias(layers, folded=folded)
    activation = activations[0] if activations else "relu"
    last, pool, parts = _poolings(nodes, number)
    return Ending(last, widths[:-1], activation, bias, widths[-1] if widths else 0, pool, parts)


def _follows_layer(nodes: Sequence[Node], number: int, convs: Collection[int]) -> bool:
    """Whether a pooling reads the one position that a linear layer leaves, so that it changes nothing."""
    number = nodes[number].inputs[0]
    while nodes[number].size == (1, 1) and number not in convs and nodes[number].inputs:
        if nodes[number].kind == "linear":
            return True
        number = nodes[number].inputs[0]
    return False


def _is_silent(node: Node) -> bool:
    return node.kind == "same" and (hides(node) or node.call in RESHAPING)


def _has_bias(layers: Sequence[Node], *, folded: bool) -> bool:
    """Whether hidden layers have a bias; the last layer must have one."""
    has = [layer.bias for layer in layers]
    if folded and not any(has):
        return True
    if layers and not (has[-1] and (all(has) or not any(has[:-1]))):
        lacking = next(layer for layer in layers[::-1] if not layer.bias)
        raise TraceError(f"{lacking.label} after the last map has no bias, and those of a spec have one")
    return all(has)


def _poolings(nodes: Sequence[Node], number: int) -> tuple[int, Window | None, int]:
    """The last map, a pooling after it, and in how many parts a side the classifier reads that, from node `number`."""
    node = nodes[number]
    if is_pooled(node) and node.call not in MEANS:
        raise TraceError(f"a spec has average pooling before the classifier, and it has {node.call}")
    parts = 1 if node.kind == "global" else node.size[0]
    if parts != node.size[1] and node.kind != "global":
        raise TraceError(f"its classifier reads {node.size[0]} x {node.size[1]} parts of a map, which no spec has")
    if is_pooled(node) or _is_even(nodes, node):
        number = node.inputs[0]
    while hides(nodes[number]):
        number = nodes[number].inputs[0]
    node = nodes[number]
    return (number, None, parts) if node.kind != "pool" else (node.inputs[0], node.window, parts)


def _is_even(nodes: Sequence[Node], node: Node) -> bool:
    """Whether a node takes the means of parts of a map that do not overlap."""
    if node.kind != "pool" or node.window is None or node.call not in MEANS:
        return False
    (height, width), (rows, columns) = nodes[node.inputs[0]].size, node.size
    share = (height // rows, width // columns)
    return node.window == ("avg", share, share, (0, 0)) and (height % rows, width % columns) == (0, 0)
