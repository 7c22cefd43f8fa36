"""A graph as the parts that a block knows: convolutions with what follows each, and additions around them.

It is read from its output to the image. Nodes are numbered in the order in which they were computed, so two branches
meet where stepping back from the one with the higher number leads to the same node.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from ..errors import TraceError
from ..net.layers import ConvLayer
from .gates import ACTIVATIONS, Squeeze, hides, read_gate, read_swish
from .graph import Node, Window


class Layer(NamedTuple):
    """A convolution, the pooling before it, and what follows it; `activation` is empty where there is none."""

    conv: ConvLayer
    label: str
    bias: bool
    normed: bool = False
    activation: str = ""
    squeeze: Squeeze | None = None
    pool: Window | None = None


class Addition(NamedTuple):
    """Layers and a shortcut around them, which may have layers itself; the pooling before them, and what follows.

    With `adds_norm` the input is added, too, after a normalisation.
    """

    body: tuple[Layer, ...]
    shortcut: tuple[Layer, ...]
    pool: Window | None = None
    activation: str = ""
    adds_norm: bool = False


Part: TypeAlias = Layer | Addition


def layers_of(part: Part) -> tuple[Layer, ...]:
    """All convolutions of a part."""
    return (*part.body, *part.shortcut) if isinstance(part, Addition) else (part,)


class _Mark(NamedTuple):
    """What one step back has found: a node that counts, with what was read of it."""

    node: Node
    found: str | Squeeze | tuple[list[_Mark], list[_Mark]] | None = None


def read_parts(nodes: Sequence[Node], last: int, *, folded: bool) -> tuple[Part, ...]:
    """The parts from the image to the map of node `last`; `folded` as in `outline_of`.

    Raises:
        TraceError: something on the way is not part of any block; the message names it.
    """
    reader = _Reader(nodes, folded=folded)
    marks = []
    while nodes[last].kind != "image":
        mark, last = reader.back(last)
        marks += [mark] if mark is not None else []
    return tuple(_grouped(marks[::-1]))


class _Reader:
    """Steps back through a graph. Additions are read first to last, so that those before one are known."""

    def __init__(self, nodes: Sequence[Node], *, folded: bool) -> None:
        self._nodes = nodes
        self._folded = folded
        self._additions: dict[int, tuple[_Mark, int] | TraceError] = {}
        for number, node in enumerate(nodes):
            if node.kind == "sum":
                try:
                    self._additions[number] = self._addition(number)
                except TraceError as error:
                    self._additions[number] = error

    def back(self, number: int) -> tuple[_Mark | None, int]:
        """What a node is, if it counts, and the one that it was computed from."""
        node = self._nodes[number]
        if node.kind == "sum":
            known = self._additions[number]
            if isinstance(known, TraceError):
                raise known
            return known
        if node.kind == "product":
            return self._product(number)
        if node.kind == "conv" and len(node.inputs) > 1:
            raise TraceError(f"no block has kernels that the image mixes, as {node.label}")
        if len(node.inputs) != 1:
            raise self._fault(number, f"no block joins {len(node.inputs)} maps")
        if node.kind == "same" and hides(node):
            return None, node.inputs[0]
        if node.kind == "same" and node.call in ACTIVATIONS:
            return _Mark(node, ACTIVATIONS[node.call]), node.inputs[0]
        if node.kind in ("conv", "norm", "pool"):
            return _Mark(node), node.inputs[0]
        if node.kind == "pad":  # part of the convolution or the pooling after it
            return None, node.inputs[0]
        raise self._fault(number, f"no block has {node.call or node.label}")

    def _fault(self, number: int, text: str) -> TraceError:
        """What is wrong with a node, and the layer that it follows."""
        while number and self._nodes[number].layer is None:
            number = min(self._nodes[number].inputs, default=0)
        return TraceError(f"{text}, as after {self._nodes[number].label or 'the image'}")

    def _addition(self, number: int) -> tuple[_Mark, int]:
        node = self._nodes[number]
        if len(node.inputs) != 2:
            raise self._fault(number, f"no block adds {len(node.inputs)} maps")
        branches: tuple[list[_Mark], list[_Mark]] = ([], [])
        ends = list(node.inputs)
        while ends[0] != ends[1]:
            side = 0 if ends[0] > ends[1] else 1
            mark, ends[side] = self.back(ends[side])
            branches[side].extend([mark] if mark is not None else [])
        return _Mark(node, (branches[0][::-1], branches[1][::-1])), ends[0]

    def _product(self, number: int) -> tuple[_Mark, int]:
        node = self._nodes[number]
        if len(node.inputs) != 2:
            raise self._fault(number, "no block scales a map by a constant")
        for x, scale in (node.inputs, node.inputs[::-1]):
            if (swish := read_swish(self._nodes, x, scale)) is not None:
                return _Mark(node, swish), x
        for x, scale in (node.inputs, node.inputs[::-1]):
            if self._nodes[scale].size == (1, 1):
                return _Mark(node, read_gate(self._nodes, x, scale, folded=self._folded)), x
        raise self._fault(number, "no block multiplies maps with each other")


def _grouped(marks: Sequence[_Mark]) -> list[Part]:
    """The parts of marks in order."""
    parts: list[Part] = []
    pool: Window | None = None
    for node, found in marks:
        last = parts[-1] if parts else None
        if node.kind == "conv":
            assert node.layer is not None
            parts.append(Layer(node.layer, node.label, node.bias, pool=pool))
            pool = None
        elif node.kind == "sum" and isinstance(found, tuple):
            parts.append(_addition(*found)._replace(pool=pool))
            pool = None
        elif node.kind == "pool":
            if pool is not None or node.window is None or node.call == "conv2d":
                fault = "a fixed convolution" if pool is None else "two poolings in a row"
                raise TraceError(f"no block has {fault}, as {_place(last)}")
            pool = node.window
        elif pool is not None or last is None:
            raise TraceError(f"no block has {node.call or node.label} before its first convolution")
        elif node.kind == "norm":
            parts[-1] = _normed(last, node)
        elif isinstance(found, Squeeze):
            parts[-1] = _squeezed(last, found)
        else:
            parts[-1] = _activated(last, str(found))
    if pool is not None:
        raise TraceError(f"no block ends with a pooling, as {_place(parts[-1] if parts else None)}")
    return parts


def _place(part: Part | None) -> str:
    return "at the image" if part is None else f"after {layers_of(part)[0].label}"


def _normed(part: Part, node: Node) -> Layer:
    if isinstance(part, Addition) or part.normed or part.activation or part.squeeze:
        raise TraceError(
            f"no block has {node.call} after an addition or an activation, as where it comes first in a unit"
        )
    if not _is_batch_norm(node):
        raise TraceError(f"no block has {node.call}; {part.label} is followed by it")
    return part._replace(normed=True)


def _activated(part: Part, activation: str) -> Part:
    if part.activation or (isinstance(part, Layer) and part.squeeze):
        raise TraceError(f"no block has a second activation, or one after a gate, as {_place(part)}")
    return part._replace(activation=activation)


def _squeezed(part: Part, squeeze: Squeeze) -> Layer:
    if isinstance(part, Addition) or part.squeeze:
        raise TraceError(f"no block has a gate after an addition or another gate, as {_place(part)}")
    return part._replace(squeeze=squeeze)


def _addition(*branches: list[_Mark]) -> Addition:
    """The deeper branch is the body; a normalisation alone belongs to the addition beside it."""
    for branch, other in (branches, branches[::-1]):
        if len(branch) == 1 and _is_batch_norm(branch[0].node):
            beside = _grouped(other)
            if len(beside) == 1 and isinstance(beside[0], Addition) and _is_free(beside[0]):
                return beside[0]._replace(adds_norm=True)
    parts = [_grouped(branch) for branch in branches]
    if any(isinstance(part, Addition) for branch in parts for part in branch):
        first = next(layer for branch in parts for part in branch for layer in layers_of(part))
        raise TraceError(f"no block has an addition inside of another one, as around {first.label}")
    layers = [tuple(part for part in branch if isinstance(part, Layer)) for branch in parts]
    shortcut, body = sorted(layers, key=lambda branch: (len(branch), sum(layer.conv.kernel[0] for layer in branch)))
    return Addition(body, shortcut)


def _is_batch_norm(node: Node) -> bool:
    return node.call in ("batch_norm", "BatchNormalization")


def _is_free(part: Addition) -> bool:
    """Whether nothing is before or after an addition, so that a third map may be added."""
    return not part.activation and part.pool is None and not part.adds_norm
