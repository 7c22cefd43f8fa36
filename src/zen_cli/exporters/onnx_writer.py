"""The nodes and weights of an ONNX graph as they are added. Importing this needs onnx."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import ModelProto, helper
from torch import fx, nn

from ..errors import SpecError


class GraphWriter:
    """Nodes and weights as they are added; every method returns the name of the value that it computes.

    Weights are written into the model at once: each part of a model that is added to another one later is copied.

    Args:
        net: the module.
        shape: channels, height and width of an image.
    """

    def __init__(self, net: nn.Module, shape: tuple[int, int, int]) -> None:
        self.net = net
        self._image = shape
        self.model = ModelProto()
        self.nodes: list[Any] = []
        self._names: set[str] = set()
        self._values: dict[fx.Node, str] = {}

    def node(self, op: str, name: str, inputs: list[str], **attributes: Any) -> str:
        """An operation, named like the value that it computes."""
        unique, count = name, 1
        while unique in self._names:
            count += 1
            unique = f"{name}_{count}"
        self._names.add(unique)
        self.nodes.append(helper.make_node(op, inputs, [unique], unique, **attributes))
        return unique

    def tensors(self, module: str, *fields: str) -> list[str]:
        """Those weights of a module that it has, as initializers."""
        names = []
        for field in fields:
            tensor = getattr(self.net.get_submodule(module), field)
            if tensor is not None:
                names.append(f"{module}.{field}")
                self._add(names[-1], tensor.detach().numpy())
        return names

    def _add(self, name: str, values: NDArray[np.float32]) -> None:
        row = self.model.graph.initializer.add()
        row.name, row.data_type = name, helper.np_dtype_to_tensor_dtype(values.dtype)
        row.dims.extend(values.shape)
        row.raw_data = values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()

    def size_before(self, name: str) -> tuple[int, int]:
        """Height and width of the map that a module reads."""
        found: list[tuple[int, int]] = []
        hook = self.net.get_submodule(name).register_forward_pre_hook(lambda _, x: found.append(tuple(x[0].shape[2:])))
        with torch.no_grad():
            self.net(torch.zeros(1, *self._image))
        hook.remove()
        return found[0]

    def constant(self, number: float) -> str:
        """A number as an initializer."""
        name = f"number.{number!r}"
        if all(row.name != name for row in self.model.graph.initializer):
            self._add(name, np.array(number, dtype=np.float32))
        return name

    def keep(self, step: fx.Node, name: str) -> None:
        """Notes that a step of the trace computes a value."""
        self._values[step] = name

    def value(self, argument: Any) -> str:
        """The name of an argument that an operation computed."""
        if not isinstance(argument, fx.Node):
            raise SpecError(f"ONNX export knows no operation on {argument!r}; export to pt2 instead")
        return self._values[argument]
