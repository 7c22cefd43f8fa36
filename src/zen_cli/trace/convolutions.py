"""How the calls of PyTorch that have weights become nodes: convolutions, linear layers, products of matrices."""

from __future__ import annotations

import math

from torch import Tensor

from ..net.layers import ConvLayer
from .graph import Kind, Node, Window, mixing_layer, reads_all
from .layouts import SPATIAL
from .recorder import Call, Record, tensors
from .rules import pair_of, put, sources_of, unknown


def conv2d(record: Record, call: Call) -> None:
    """A convolution; one whose kernel is fixed, as of anti-aliasing, averages.

    One whose kernel is a mixture of learned kernels, which a vector of the image weighs, reads that mixture as well
    (CondConv, arXiv 1904.04971).
    """
    weight = call.argument(1, "weight")
    known = record.value(weight)
    mixture = None if known.node is None else mixing_layer(record.nodes, known.node)
    if known.node is not None and mixture is None:
        put(record, call, "fault", "it has convolutions whose weights are computed from the image")
        return
    x, (out, fan_in, *kernel) = call.argument(0, "input"), weight.shape
    stride, dilation = pair_of(call.argument(3, "stride", 1)), pair_of(call.argument(5, "dilation", 1))
    padding = call.argument(4, "padding", 0)
    taps = (kernel[0], kernel[1])
    if padding == "same":
        padding = [dilation[axis] * (taps[axis] - 1) // 2 for axis in (0, 1)]
    edges = (0, 0) if padding == "valid" else pair_of(padding)
    groups, (height, width) = int(call.argument(6, "groups", 1)), x.shape[-2:]
    result: Tensor = call.result
    size = (int(result.shape[-2]), int(result.shape[-1]))
    node = record.value(x).node
    inputs = () if node is None else (node,)
    if mixture is None and not known.learned:  # a kernel that is fixed, as of anti-aliasing
        window = Window("avg", taps, stride, edges)
        made = Node("pool", inputs, out, size, result.numel(), "conv2d", window=window, call="conv2d")
        record.put(result, made, "NCHW")
        return
    layer = ConvLayer(fan_in * groups, out, taps, (height, width), stride, edges, dilation, groups)
    batch = result.numel() // (out * math.prod(size))
    is_linear = mixture is None and reads_all(layer)
    record.put(
        result,
        Node(
            "linear" if is_linear else "conv",
            inputs if known.node is None else (*inputs, known.node),
            out,
            size,
            result.numel(),
            known.label.removesuffix(".weight") if mixture is None else mixture.label,
            None if is_linear else layer,
            macs=weight.numel() * math.prod(size) * batch,
            activations=0 if is_linear else result.numel(),
            bias=call.argument(2, "bias") is not None,
        ),
        "NCHW",
    )


def conv1d(record: Record, call: Call) -> None:
    """A convolution along the channels of a vector, as in efficient channel attention."""
    found, weight = sources_of(record, call), call.argument(1, "weight")
    node = found[0][2]
    if record.nodes[node].size != (1, 1) or record.value(weight).node is not None:
        put(record, call, "fault", "it has convolutions in one dimension")
        return
    before, result = record.nodes[node], call.result
    macs = weight[0].numel() * result.numel()
    record.put(
        result, Node("linear", (node,), before.width, (1, 1), result.numel(), "conv1d", macs=macs, call="conv1d")
    )


def linear(record: Record, call: Call) -> None:
    """A linear layer; its weight is [out, in]."""
    x, weight = call.argument(0, "input"), call.argument(1, "weight")
    known = record.value(weight)
    if known.node is not None:
        put(record, call, "fault", "it has layers whose weights are computed from the image")
        return
    out, fan_in = weight.shape
    _pointwise(record, call, x, known.label, fan_in, out, bias=call.argument(2, "bias") is not None)


def _pointwise(record: Record, call: Call, x: Tensor, label: str, fan_in: int, out: int, *, bias: bool) -> None:
    """A linear layer on the last dimension: on maps a 1x1 convolution."""
    value, result = record.value(x), call.result
    node = value.node
    if node is None:
        return
    if value.axes and value.axes[-1] in SPATIAL:
        put(record, call, "fault", "it mixes positions by linear layers")
        return
    before, shape = record.nodes[node], tuple(x.shape)
    positions = math.prod(shape[:-1])
    macs = positions * fan_in * out
    name = label.removesuffix(".weight")
    if len(shape) == 4:
        size, axes = (shape[1], shape[2]), "NHWC"
    elif len(shape) == 3:
        size, axes = before.size if math.prod(before.size) == shape[1] else (shape[1], 1), "NTC"
    else:
        size, axes = (1, 1), "NC"
    is_map = math.prod(size) > 1
    layer = ConvLayer(fan_in, out, (1, 1), size) if is_map else None
    kind: Kind = "conv" if is_map else "linear"
    record.put(result, Node(kind, (node,), out, size, result.numel(), name, layer, macs=macs, bias=bias), axes)


def product_of_matrices(record: Record, call: Call) -> None:
    """With a weight a linear layer, of two maps attention; one that leaves a vector pools with weights."""
    sources = sources_of(record, call)
    if len(sources) > 1:
        node = record.nodes[sources[0][2]]
        if call.result.numel() <= max(record.nodes[source[2]].width for source in sources) or node.size == (1, 1):
            put(record, call, "global")
            return
        put(record, call, "fault", "it has attention")
        return
    x = sources[0][0]
    others = [tensor for tensor in tensors((call.args, call.kwargs)) if record.value(tensor).node is None]
    weight = others[0] if others else None
    if call.name not in ("matmul", "mm", "rmatmul") or weight is None or weight.dim() != 2 or call.args[0] is not x:
        unknown(record, call)
        return
    _pointwise(record, call, x, record.value(weight).label, weight.shape[0], weight.shape[1], bias=False)
