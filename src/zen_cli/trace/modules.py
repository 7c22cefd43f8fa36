"""A module of PyTorch -> its graph: one forward pass, recorded, on tensors without numbers where that works."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.overrides import TorchFunctionMode

from ..errors import TraceError, one_line
from ..net.counting import Cost
from ..net.traced import TracedNetwork
from .calls import record_call
from .chains import chain_of_graph
from .graph import Graph
from .recorder import Record, tensors


def trace_module(module: nn.Module, input_size: tuple[int, int, int]) -> Graph:
    """The graph of a module's forward pass on one image.

    The module is run in evaluation mode and left as it was; nothing is drawn and nothing is written to it.

    Args:
        module: a network that takes one batch of images.
        input_size: channels, height and width of an image.

    Raises:
        TraceError: it cannot be run so, or does not return one tensor.
    """
    if any(isinstance(part, torch.jit.ScriptModule) for part in module.modules()):
        raise TraceError("it is compiled by TorchScript, which hides its layers; give the module that it was made from")
    with _evaluating(module), torch.no_grad():
        try:
            return _record(module, input_size, torch.device("meta"))
        except TraceError:
            raise
        except Exception:  # of the module: it may hold tensors of its own, or look at the device
            device = next((tensor.device for tensor in module.parameters()), torch.device("cpu"))
            if device.type == "meta":
                raise
            return _record(module, input_size, device)


def _record(module: nn.Module, input_size: tuple[int, int, int], device: torch.device) -> Graph:
    image = torch.zeros(1, *input_size, device=device)
    parameters, buffers = dict(module.named_parameters()), dict(module.named_buffers())
    given: dict[str, Tensor] = {**parameters, **buffers}
    if device.type == "meta":
        given = {name: tensor.to(device) for name, tensor in given.items()}
    constants = {id(tensor): (name, name in parameters) for name, tensor in given.items()}
    record = Record(image, constants, record_call)
    with record:
        output = functional_call(module, given, (image,))
    found = list(tensors(_plain(output)))
    numbers = [record.value(tensor).node for tensor in found]
    if len(found) != 1:
        raise TraceError(f"it returns {len(found)} tensors; wrap it so that it returns the one of the classifier")
    if numbers[0] is None:
        raise TraceError("its output does not depend on the image")
    return Graph(tuple(record.nodes), numbers[0])


def _plain(output: Any) -> Any:
    """A result as tensors, dicts and sequences; an output object of another library by its fields."""
    return vars(output) if hasattr(output, "__dict__") and not isinstance(output, (Tensor, dict)) else output


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    """The module in evaluation mode; afterwards every part is in the mode in which it was."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, mode in modes:
            part.training = mode


def network_of_module(
    module: nn.Module, input_size: tuple[int, int, int], *, source: str, name: str | None = None
) -> TracedNetwork:
    """The network of a module, with the cost of the module.

    Args:
        module: a network that takes one batch of images.
        input_size: channels, height and width of an image.
        source: where it came from.
        name: what to call it.

    Raises:
        TraceError: the module cannot be run on the image, or a chain does not stand for it.
    """
    try:
        graph = trace_module(module, input_size)
    except TraceError:
        raise
    except Exception as error:
        size = " x ".join(map(str, input_size))
        raise TraceError(f"cannot be run on an image of {size}: {failure(error)}") from None
    found = chain_of_graph(graph)
    params = sum(parameter.numel() for parameter in module.parameters())
    layers = len(found.chain)
    cost = Cost(params, graph.macs, graph.activations, layers, layers)
    return TracedNetwork(name, source, found.chain, cost, found.labels, found.notes, found.outline, module)


def failure(error: BaseException) -> str:
    """What an exception of somebody else's code says, in one line."""
    return one_line(f"{type(error).__name__}: {error}")


@contextmanager
def without_memory() -> Iterator[None]:
    """What is built inside has parameters without numbers, which take neither memory nor time to draw."""
    with _OnMeta():
        yield


class _OnMeta(TorchFunctionMode):
    """Makes large tensors on `meta`. What a constructor computes with, such as the rates of a stochastic depth, has
    numbers as usual.
    """

    _MADE = (torch.empty, torch.zeros, torch.ones, torch.full, torch.rand, torch.randn)

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func in self._MADE and kwargs.get("device") is None:
            kwargs["device"] = "meta"
        return func(*args, **kwargs)
