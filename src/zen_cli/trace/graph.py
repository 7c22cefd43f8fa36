"""The graph of one forward pass: what was computed from what, in the few kinds of node that a chain distinguishes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

from ..net.layers import ConvLayer, Pair

Kind: TypeAlias = Literal[
    "image",  # the input
    "constant",  # a weight, or what follows from weights alone
    "conv",  # a convolution, or a linear layer on every position
    "pool",  # a pooling, or a convolution whose kernel is fixed
    "pad",  # zeros or copies around a map
    "same",  # activation, dropout, reshaping: nothing that a chain sees
    "norm",  # a normalisation
    "gate",  # sigmoid, softmax, tanh
    "global",  # a map reduced to one position
    "linear",  # a linear layer on such a vector
    "sum",  # an addition
    "product",  # a product
    "concat",  # channels of several maps side by side
    "fault",  # what a chain cannot express; `label` says what
]
Margin: TypeAlias = tuple[int, int, int, int]  # top, bottom, left, right


class Window(NamedTuple):
    """Kernel of a pooling."""

    kind: str
    kernel: Pair
    stride: Pair
    padding: Pair


class Node(NamedTuple):
    """One step of a forward pass on one image.

    Attributes:
        kind: what it does.
        inputs: the numbers of the nodes that it reads; those of a convolution are two where its kernel is computed.
        width: channels of its output.
        size: height and width of its output; (1, 1) for a vector.
        numel: elements of its output.
        label: the module or the operator, for messages; of a fault, what is wrong.
        call: the function or the operator that made it, where a spec depends on which one it is.
        layer: of a convolution.
        window: of a pooling.
        margin: of a padding.
        macs: multiply-adds of a convolution or a linear layer.
        activations: output elements of a convolution.
        bias: whether a convolution has one.
        eps: of a batch normalisation.
    """

    kind: Kind
    inputs: tuple[int, ...] = ()
    width: int = 0
    size: Pair = (1, 1)
    numel: int = 0
    label: str = ""
    layer: ConvLayer | None = None
    window: Window | None = None
    margin: Margin = (0, 0, 0, 0)
    macs: int = 0
    activations: int = 0
    bias: bool = False
    call: str = ""
    eps: float = 0.0


class Graph(NamedTuple):
    """The nodes in the order in which they were computed, and the number of the output."""

    nodes: tuple[Node, ...]
    output: int

    @property
    def macs(self) -> int:
        """Multiply-adds of all convolutions and linear layers."""
        return sum(node.macs for node in self.nodes)

    @property
    def activations(self) -> int:
        """Output elements of all convolutions."""
        return sum(node.activations for node in self.nodes)


def reads_all(layer: ConvLayer) -> bool:
    """Whether a convolution is a linear layer: it reads each position of its map once, and leaves one (VGG in timm)."""
    is_larger = layer.in_size != (1, 1) and layer.kernel == layer.in_size
    return is_larger and layer.padding == (0, 0) and layer.dilation == (1, 1) and layer.groups == 1


def mixing_layer(nodes: Sequence[Node], number: int) -> Node | None:
    """The linear layer that mixes learned kernels into the weight that is this node, if there is one."""
    node = nodes[number]
    while node.kind == "same" and node.size == (1, 1) and len(node.inputs) == 1:
        node = nodes[node.inputs[0]]
    return node if node.kind == "linear" and node.call != "conv1d" else None
