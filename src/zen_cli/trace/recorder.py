"""Records one forward pass of a module as a graph, through the hook that PyTorch has for that.

Symbolic tracing fails on a twelfth of the models of timm and torchvision, and hooks on modules do not see what is
called as a function, so that they give wrong orders; a record of calls is complete by construction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from ..errors import TraceError
from .graph import Node

# What makes Python wait for the numbers in a tensor.
_READS = {"item", "tolist", "__bool__", "__float__", "__int__", "__index__", "nonzero", "numpy", "unique", "equal"}


class Value(NamedTuple):
    """What is known of a tensor.

    Attributes:
        node: its node; None for a constant.
        axes: what each dimension is: N images, C channels, H, W, T positions in a row; empty where that is not known.
        label: of a constant, the parameter that it was computed from.
        learned: of a constant, whether a parameter is among what it was computed from.
    """

    node: int | None
    axes: str = ""
    label: str = ""
    learned: bool = False


class Call(NamedTuple):
    """One call of PyTorch: its name without underscores, its arguments, and its result."""

    name: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    result: Any

    def argument(self, index: int, name: str, default: Any = None) -> Any:
        """An argument by its place or its name."""
        return self.args[index] if index < len(self.args) else self.kwargs.get(name, default)


class Record(TorchFunctionMode):
    """While it is entered, every call of PyTorch becomes a node.

    Args:
        image: the input.
        constants: names of the parameters and buffers, by `id`, and whether each is a parameter.
        rule: makes the nodes of a call.
    """

    def __init__(
        self, image: Tensor, constants: Mapping[int, tuple[str, bool]], rule: Callable[[Record, Call], None]
    ) -> None:
        super().__init__()
        self._rule = rule
        self._constants = constants
        self._values: dict[int, Value] = {}
        self._alive: list[Tensor] = []  # so that no two tensors of the pass have one id
        self.nodes: list[Node] = []
        _, width, *size = image.shape
        self.put(image, Node("image", (), width, (size[0], size[1]), image.numel(), "image"), "NCHW")

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name = str(getattr(func, "__name__", func))
        if name in _READS and any(self.value(tensor).node is not None for tensor in tensors((args, kwargs))):
            raise TraceError("its forward pass depends on numbers of the image, so it has no one graph")
        result = torch.empty_like(args[0]) if _is_shape_alone(name, args) else func(*args, **kwargs)
        changed = args[0] if name == "__setitem__" else result
        if any(True for _ in tensors(changed)):
            self._rule(self, Call(name.strip("_"), args, kwargs, changed))
        return result

    def value(self, tensor: Tensor) -> Value:
        """What is known of a tensor; one that no call has made is a constant."""
        known = self._values.get(id(tensor))
        if known is None:
            label, learned = self._constants.get(id(tensor), ("", False))
            return Value(None, "", label, learned)
        return known

    def put(self, tensor: Tensor, node: Node | None, axes: str = "", *, number: int | None = None) -> int | None:
        """Says what a tensor is: a new node, or that of this number."""
        if node is not None:
            self.nodes.append(node)
            number = len(self.nodes) - 1
        self._keep(tensor, Value(number, axes))
        return number

    def put_constant(self, tensor: Tensor, label: str, *, learned: bool) -> None:
        """Says that a tensor does not depend on the image."""
        self._keep(tensor, Value(None, "", label, learned))

    def _keep(self, tensor: Tensor, value: Value) -> None:
        self._values[id(tensor)] = value
        self._alive.append(tensor)


def _is_shape_alone(name: str, args: tuple[Any, ...]) -> bool:
    """Whether a call is a BN on a tensor without numbers, for which PyTorch would import its compiler: some seconds."""
    return name == "batch_norm" and bool(args) and args[0].is_meta


def tensors(value: Any) -> Iterator[Tensor]:
    """The tensors in arguments or results, in order."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from tensors(item)
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from tensors(item)
