"""How the calls of PyTorch become nodes: poolings, reductions, paddings, and all that has no weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from torch import Tensor

from ..net.layers import BN_EPS, Pair
from .graph import Kind, Node, Window
from .layouts import after_reduction, axes_after, permuted, span
from .recorder import Call, Record, Value, tensors

Rule: TypeAlias = Callable[[Record, Call], None]

_TRANSPOSED = {"transpose", "swapaxes", "swapdims"}
SLOPE = 0.01  # of a leaky ReLU by default
_RESHAPED = {"view", "reshape", "view_as", "reshape_as", "flatten", "unflatten", "squeeze", "unsqueeze", "stack"}


def sources_of(record: Record, call: Call) -> list[tuple[Tensor, Value, int]]:
    """The tensors among the arguments that depend on the image, with their nodes."""
    found = []
    for tensor in tensors((call.args, call.kwargs)):
        value = record.value(tensor)
        if value.node is not None:
            found.append((tensor, value, value.node))
    return found


def put(record: Record, call: Call, kind: Kind, label: str = "", eps: float = 0.0) -> None:
    """One node a result, which has the layout of the largest argument as far as its shape allows."""
    sources = sources_of(record, call)
    inputs = tuple(node for _, _, node in sources)
    tensor, value, node = max(sources, key=lambda source: source[0].numel())
    before = record.nodes[node]
    for result in tensors(call.result):
        axes = _axes(call, value.axes, tuple(tensor.shape), tuple(result.shape), before)
        width, size = span(axes, tuple(result.shape), before)
        made = Node(kind, inputs, width, size, result.numel(), label or call.name, call=_function(call), eps=eps)
        record.put(result, made, axes)


def _function(call: Call) -> str:
    """The name of a call; `relu6` where it cuts off there, and nothing known where a slope is not as usual."""
    suffix = "_val" if call.name == "hardtanh" else ""
    if call.name in ("hardtanh", "clamp", "clip"):
        bounds = call.argument(1, "min" + suffix), call.argument(2, "max" + suffix)
        return "relu6" if bounds == (0, 6) else call.name
    if call.name == "leaky_relu" and call.argument(1, "negative_slope", SLOPE) != SLOPE:
        return "a leaky_relu of another slope"
    return call.name


def _axes(call: Call, axes: str, before: tuple[int, ...], after: tuple[int, ...], node: Node) -> str:
    """The axes of a result of a call on a tensor with these axes."""
    if call.name == "permute":
        order = call.args[1:] if len(call.args) > 2 else call.argument(1, "dims")
        return permuted(axes, [int(dim) for dim in order])
    if call.name in _TRANSPOSED:
        dims = list(range(len(before)))
        first, second = int(call.argument(1, "dim0")), int(call.argument(2, "dim1"))
        dims[first], dims[second] = dims[second], dims[first]
        return permuted(axes, dims)
    return axes_after(axes, before, after, node, reshaped=call.name in _RESHAPED)


def as_kind(kind: Kind) -> Rule:
    """A call that makes nodes of this kind, and does nothing else that a chain sees."""
    return lambda record, call: put(record, call, kind)


def batch_norm(record: Record, call: Call) -> None:
    """A batch normalisation."""
    put(record, call, "norm", eps=float(call.argument(7, "eps", BN_EPS)))


def as_fault(text: str) -> Rule:
    """A call that a chain cannot express."""
    return lambda record, call: put(record, call, "fault", text)


def unknown(record: Record, call: Call) -> None:
    """A call that no rule covers."""
    put(record, call, "fault", f"it calls {call.name}, for which there is no rule")


def pool(kind: str, at: int = 1) -> Rule:
    """A pooling, whose kernel is its argument `at`; one that leaves one position is global."""

    def rule(record: Record, call: Call) -> None:
        x, result = call.argument(0, "input"), next(tensors(call.result))
        kernel = pair_of(call.argument(at, "kernel_size"))
        stride = pair_of(call.argument(at + 1, "stride") or kernel)
        _put_pool(
            record,
            x,
            result,
            Window(kind, kernel, stride, pair_of(call.argument(at + 2, "padding", 0) if at == 1 else 0)),
        )

    return rule


def adaptive_pool(kind: str) -> Rule:
    """A pooling to a size, with evenly spaced windows."""

    def rule(record: Record, call: Call) -> None:
        x, result = call.argument(0, "input"), next(tensors(call.result))
        sides, outs = x.shape[-2:], result.shape[-2:]
        stride = (max(1, sides[0] // outs[0]), max(1, sides[1] // outs[1]))
        kernel = (sides[0] - (outs[0] - 1) * stride[0], sides[1] - (outs[1] - 1) * stride[1])
        _put_pool(record, x, result, Window(kind, kernel, stride, (0, 0)))

    return rule


def _put_pool(record: Record, x: Tensor, result: Tensor, window: Window) -> None:
    node = record.value(x).node
    inputs = () if node is None else (node,)
    size = (int(result.shape[-2]), int(result.shape[-1]))
    kind: Kind = "global" if size == (1, 1) else "pool"
    if tuple(x.shape) == tuple(result.shape) and window.kernel == (1, 1):
        kind = "same"
    width = int(result.shape[-3])
    name = f"{window.kind}_pool"
    record.put(result, Node(kind, inputs, width, size, result.numel(), name, window=window, call=name), "NCHW")


def reduce(record: Record, call: Call) -> None:
    """Mean, maximum and so on over some dimensions: global where it leaves one position, else a step of a norm."""
    sources = sources_of(record, call)
    tensor, value, node = sources[0]
    if len(sources) > 1:  # the larger of two maps
        put(record, call, "sum")
        return
    before, dims = record.nodes[node], _dims(call)
    for result in tensors(call.result):
        shape = tuple(result.shape)
        axes, is_global = after_reduction(value.axes, dims, tuple(tensor.shape), shape)
        width, size = span(axes, shape, before)
        kind: Kind = "global" if is_global else "norm" if call.name.startswith(("var", "std")) else "same"
        made = Node(kind, (node,), width, (1, 1) if is_global else size, result.numel(), call.name, call=call.name)
        record.put(result, made, axes)


def _dims(call: Call) -> Sequence[int] | None:
    """The dimensions that a call reduces; None for all."""
    given = call.argument(2 if "norm" in call.name else 1, "dim")
    if isinstance(given, Sequence):
        return [int(dim) for dim in given]
    return [given] if isinstance(given, int) and not isinstance(given, bool) else None


def pad(record: Record, call: Call) -> None:
    """A margin around a map; zeros beside its channels change nothing."""
    x, amounts = call.argument(0, "input"), [int(amount) for amount in call.argument(1, "pad")]
    value, result = record.value(x), call.result
    left, right, top, bottom = (*amounts, 0, 0, 0, 0)[:4]
    if value.axes != "NCHW" or any(amounts[4:]) or value.node is None:
        put(record, call, "same")  # channels of zeros, or of another layout
        return
    size = (int(result.shape[-2]), int(result.shape[-1]))
    margin, mode = (top, bottom, left, right), str(call.argument(2, "mode", "constant"))
    node = Node("pad", (value.node,), int(result.shape[1]), size, result.numel(), "pad", margin=margin, call=mode)
    record.put(result, node, "NCHW")


def pair_of(value: Any) -> Pair:
    """An argument for both axes: one number, or two."""
    if isinstance(value, Sequence):
        return (int(value[0]), int(value[-1]))
    return (int(value), int(value))
