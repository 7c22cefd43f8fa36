"""A graph of ONNX while it is read: its values, its constants, and the nodes so far. Nothing of it is run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .graph import Node
from .layouts import Shape

MOST_NUMBERS = 65_536  # of a tensor whose numbers are kept: those of fixed kernels and of shapes are looked at

MOST_FOLDED = 64  # of a tensor that the graph computes from constants


class Value(NamedTuple):
    """What is known of a value: its node (None for a constant), its shape, and its axes."""

    node: int | None
    shape: Shape = ()
    axes: str = ""


class Operator(NamedTuple):
    """One operator: its name, what it reads and makes, its attributes, and what messages call it."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    label: str

    def numbers(self, name: str) -> tuple[int, ...]:
        """An attribute that is a list of integers; empty where it is not given."""
        value = self.attributes.get(name, ())
        return tuple(map(int, value)) if isinstance(value, Sequence) and not isinstance(value, (str, bytes)) else ()

    def number(self, name: str, default: int) -> int:
        """An attribute that is an integer."""
        return int(self.attributes.get(name, default))

    def text(self, name: str) -> str:
        """An attribute that is a string."""
        value = self.attributes.get(name, "")
        return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


class Reader:
    """The nodes so far, and what is known of each value.

    Args:
        shapes: of values, by name, as far as they are known.
        constants: tensors of the file, by name.
    """

    def __init__(self, shapes: Mapping[str, Shape], constants: Mapping[str, Any]) -> None:
        self._shapes = shapes
        self._constants = constants
        self._values: dict[str, Value] = {}
        self._folded: dict[str, Any] = {}
        self.nodes: list[Node] = []

    def value(self, name: str) -> Value:
        """What is known of a value; one that no rule has put is a constant."""
        return self._values.get(name, Value(None))

    def shape(self, name: str, default: Shape) -> Shape:
        """The shape that the file says or implies; else a default."""
        return self._shapes.get(name, default)

    def constant(self, name: str) -> Shape | None:
        """The shape of a tensor of the file; None where it is no constant."""
        found = self._constants.get(name)
        if found is not None:
            return tuple(found.dims)
        return self._shapes.get(name) if self.value(name).node is None else None

    def integers(self, name: str) -> tuple[int, ...] | None:
        """The numbers of a small tensor of the file; None where they are not in it."""
        array = self.array(name)
        return None if array is None or array.size > MOST_FOLDED else tuple(int(number) for number in array.flatten())

    def is_repeated(self, name: str) -> bool:
        """Whether all channels of a depthwise weight have one kernel, as no trained weight has."""
        array = self.array(name)
        return array is not None and len(array) > 1 and bool((array == array[:1]).all())

    def layer_name(self, operator: Operator) -> str:
        """What a layer is called: by its weight where that has a name of a module, else by its operator."""
        weight = operator.inputs[1]
        return weight.removesuffix(".weight") if weight.endswith(".weight") else operator.label

    def add(self, node: Node) -> int:
        """A node that is no value of the file."""
        self.nodes.append(node)
        return len(self.nodes) - 1

    def put(self, name: str, node: Node, shape: Shape, axes: str) -> None:
        """Says what a value is."""
        self._values[name] = Value(self.add(node), shape, axes)

    def keep(self, name: str, array: Any) -> None:
        """Remembers the numbers of a small constant that the graph computes."""
        self._folded[name] = array

    def array(self, name: str) -> Any:
        """The numbers of a constant; None where they are not in the file, or are many."""
        from onnx import TensorProto, numpy_helper

        if name in self._folded:
            return self._folded[name]
        found = self._constants.get(name)
        if found is None or found.data_location == TensorProto.EXTERNAL or math.prod(found.dims) > MOST_NUMBERS:
            return None
        return numpy_helper.to_array(found)
