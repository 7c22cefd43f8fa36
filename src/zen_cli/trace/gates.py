"""What a graph multiplies maps by: swish written as a product, and squeeze-and-excitation; and the classifier."""

from __future__ import annotations

from collections.abc import Collection, Sequence
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
_MEANS = {"mean", "avg_pool", "ReduceMean", "GlobalAveragePool"}
_HIDDEN = {
    *("dropout", "dropout2d", "alpha_dropout", "feature_dropout", "feature_alpha_dropout", "contiguous", "clone"),
    *("to", "type", "type_as", "float", "detach", "requires_grad", "identity", "as_subclass"),
    *("Dropout", "Identity", "Cast", "CastLike"),
}
_RESHAPING = {
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


class Classifier(NamedTuple):
    """What follows the last map: its node, hidden layers and what follows them, and the classes; 0 for none."""

    last: int
    hidden: tuple[int, ...]
    activation: str
    num_classes: int


def hides(node: Node) -> bool:
    """Whether a node changes nothing in evaluation, or is a reshaping of a vector."""
    return node.call in _HIDDEN or (node.size == (1, 1) and node.call in _RESHAPING)


def read_swish(nodes: Sequence[Node], x: int, scale: int) -> str | None:
    """The activation that a map times a gate of itself is, if it is one."""
    node = nodes[scale]
    return _SWISHES[_GATES[node.call]] if node.call in _GATES and node.inputs == (x,) else None


def _swish_of(nodes: Sequence[Node], node: Node) -> Node | None:
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
        if (swish := _swish_of(nodes, node)) is not None:
            found.append(swish)
            number = min(node.inputs)
            continue
        if len(node.inputs) != 1 or number < x:
            raise TraceError(f"no block has a gate that reads several maps, as after {nodes[x].label}")
        if not (node.kind == "same" and (hides(node) or node.call in _RESHAPING)):
            found.append(node)
        number = node.inputs[0]
    kinds = ["global" if _is_pooled(node) else node.kind for node in found[::-1]]
    layers = [node for node in found[::-1] if node.kind in ("conv", "linear") and node.call != "conv1d"]
    acts = [ACTIVATIONS.get(node.call, "") for node in found if node.kind == "same" and not _is_pooled(node)]
    plain = [kind for kind in kinds if kind != "norm"]
    norms = len(kinds) - len(plain)
    pools = [node for node in found if _is_pooled(node)]
    is_usual = any(plain == ["global", kind, "same", kind, "gate"] for kind in ("conv", "linear"))
    if not is_usual or len(layers) != 2 or not all(acts) or found[0].call not in _GATES or pools[0].call not in _MEANS:
        raise TraceError("no block has a gate like the one that reads " + nodes[x].label)
    biased = [layer.bias or (folded and not norms) for layer in layers]
    if (all(biased), norms) not in ((True, 0), (False, 2)) or any(biased) != all(biased):
        raise TraceError(f"no block has a gate with biases on some layers, as {layers[0].label}")
    return Squeeze(layers[0].width, all(biased), acts[0], _GATES[found[0].call])


def read_classifier(nodes: Sequence[Node], output: int, convs: Collection[int], *, folded: bool) -> Classifier:
    """The layers after the last map of a chain, whose convolutions are `convs`. A file may lack biases of zeros.

    Raises:
        TraceError: no spec has such an end.
    """
    layers: list[Node] = []
    activations: list[str] = []
    number = output
    while number not in convs:
        node = _swish_of(nodes, nodes[number]) or nodes[number]
        if node.kind in ("sum", "product", "pool"):
            raise TraceError("no global pool comes after its last map")
        if _is_pooled(node):
            if node.call not in _MEANS:
                raise TraceError(f"a spec has average pooling before the classifier, and it has {node.call}")
            number = node.inputs[0]
            break
        if node.kind in ("linear", "conv") and node.call != "conv1d":
            layers.append(node)
        elif node.kind == "same" and node.call in ACTIVATIONS:
            activations.append(ACTIVATIONS[node.call])
        elif not (node.kind == "same" and (hides(node) or node.call in _RESHAPING)):
            raise TraceError(f"no spec has {node.call or node.label} after the last map")
        number = min(node.inputs)
    else:
        raise TraceError("no global pool comes after its last map")
    layers = layers[::-1]
    if len(activations) != max(0, len(layers) - 1) or len(set(activations)) > 1:
        raise TraceError("the layers after its last map have activations that differ, or none")
    if any(not layer.bias for layer in layers) and not folded:
        raise TraceError(f"{layers[0].label} after the last map has no bias, and those of a spec have one")
    widths = [layer.width for layer in layers]
    return Classifier(
        number, tuple(widths[:-1]), activations[0] if activations else "relu", widths[-1] if widths else 0
    )


def _is_pooled(node: Node) -> bool:
    """Whether a node leaves one position: a pooling of a map that has no more is one, too."""
    return node.kind == "global" or (node.kind == "same" and node.call == "avg_pool")
