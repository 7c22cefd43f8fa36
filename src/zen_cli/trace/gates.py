"""What a graph multiplies maps by: swish written as a product, and squeeze-and-excitation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..errors import TraceError
from .graph import Node

# The activations of a spec, by the functions of PyTorch and the operators of ONNX.
ACTIVATIONS = {
    "relu": "relu",
    "Relu": "relu",
    "relu6": "relu6",
    "silu": "silu",
    "Swish": "silu",
    "hardswish": "hard_swish",
    "HardSwish": "hard_swish",
    "gelu": "gelu",
    "Gelu": "gelu",
    "leaky_relu": "leaky_relu",
    "hard_swish": "hard_swish",
}
_GATES = {
    "sigmoid": "sigmoid",
    "Sigmoid": "sigmoid",
    "hardsigmoid": "hard_sigmoid",
    "HardSigmoid": "hard_sigmoid",
}
_SWISHES = {"sigmoid": "silu", "hard_sigmoid": "hard_swish"}
MEANS = {"mean", "avg_pool", "ReduceMean", "GlobalAveragePool"}
_HIDDEN = {
    *("dropout", "dropout2d", "alpha_dropout", "feature_dropout", "feature_alpha_dropout", "contiguous", "clone"),
    *("to", "type", "type_as", "float", "detach", "requires_grad", "identity", "as_subclass"),
    *("Dropout", "Identity", "Cast", "CastLike"),
}
RESHAPING = {
    *("view", "view_as", "reshape", "reshape_as", "flatten", "unflatten", "squeeze", "unsqueeze", "expand"),
    *("expand_as", "getitem", "permute", "transpose", "mean"),
    *("Flatten", "Reshape", "Squeeze", "Unsqueeze", "Expand", "Transpose", "ReduceMean"),
}


class Squeeze(NamedTuple):
    """Squeeze-and-excitation: the width inside, biases or norms, and its two activations."""

    width: int
    bias: bool
    activation: str
    gate: str


def hides(node: Node) -> bool:
    """Whether a node changes nothing in evaluation, or is a reshaping of a vector."""
    return node.call in _HIDDEN or (node.size == (1, 1) and node.call in RESHAPING)


def read_swish(nodes: Sequence[Node], x: int, scale: int) -> str | None:
    """The activation that a map times a gate of itself is, if it is one."""
    node = nodes[scale]
    return _SWISHES[_GATES[node.call]] if node.call in _GATES and node.inputs == (x,) else None


def swish_of(nodes: Sequence[Node], node: Node) -> Node | None:
    """A product that is an activation, as one."""
    if node.kind != "product" or len(node.inputs) != 2:
        return None
    first, second = node.inputs
    swish = read_swish(nodes, first, second) or read_swish(nodes, second, first)
    return None if swish is None else node._replace(kind="same", call=swish)


def read_gate(nodes: Sequence[Node], x: int, scale: int, *, folded: bool) -> Squeeze:
    """The squeeze-and-excitation whose scale of map `x` is node `scale`. A file may lack biases of zeros.

    Raises:
        TraceError: it is another gate.
    """
    found, number = [], scale
    while number != x:
        node = nodes[number]
        if (swish := swish_of(nodes, node)) is not None:
            found.append(swish)
            number = min(node.inputs)
            continue
        if len(node.inputs) != 1 or number < x:
            raise TraceError(f"no block has a gate that reads several maps, as after {nodes[x].label}")
        if not (node.kind == "same" and (hides(node) or node.call in RESHAPING)):
            found.append(node)
        number = node.inputs[0]
    kinds = ["global" if is_pooled(node) else node.kind for node in found[::-1]]
    layers = [node for node in found[::-1] if node.kind in ("conv", "linear") and node.call != "conv1d"]
    acts = [ACTIVATIONS.get(node.call, "") for node in found if node.kind == "same" and not is_pooled(node)]
    plain = [kind for kind in kinds if kind != "norm"]
    norms = len(kinds) - len(plain)
    pools = [node for node in found if is_pooled(node)]
    is_usual = any(plain == ["global", kind, "same", kind, "gate"] for kind in ("conv", "linear"))
    if not is_usual or len(layers) != 2 or not all(acts) or found[0].call not in _GATES or pools[0].call not in MEANS:
        raise TraceError("no block has a gate like the one that reads " + nodes[x].label)
    biased = [layer.bias or (folded and not norms) for layer in layers]
    if (all(biased), norms) not in ((True, 0), (False, 2)) or any(biased) != all(biased):
        raise TraceError(f"no block has a gate with biases on some layers, as {layers[0].label}")
    return Squeeze(layers[0].width, all(biased), acts[0], _GATES[found[0].call])


def is_pooled(node: Node) -> bool:
    """Whether a node leaves one position: a pooling of a map that has no more is one, too."""
    return node.kind == "global" or (node.kind == "same" and node.call == "avg_pool")
