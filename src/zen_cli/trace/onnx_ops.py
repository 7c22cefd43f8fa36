"""What each operator of ONNX is in the graph: a table from its name to a rule. What is not in it is a fault."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

from ..net.layers import BN_EPS, ConvLayer, Pair
from .graph import Kind, Margin, Node, Window, mixing_layer, reads_all
from .layouts import SPATIAL, Shape, after_reduction, axes_after, permuted, span
from .onnx_constants import fold
from .onnx_graph import Operator, Reader, Value

Rule: TypeAlias = Callable[[Reader, Operator], None]


def read_operator(reader: Reader, operator: Operator) -> None:
    """Puts the results of an operator into a graph."""
    if operator.name == "Shape" or not any(reader.value(name).node is not None for name in operator.inputs):
        fold(reader, operator)
        return  # a constant, as everything is that no rule has put
    RULES.get(operator.name, _unknown)(reader, operator)


def _put(reader: Reader, operator: Operator, kind: Kind, label: str = "") -> None:
    """One node a result, which has the layout of the largest input as far as its shape allows."""
    values = [value for name in operator.inputs if (value := reader.value(name)).node is not None]
    value = max(values, key=lambda known: math.prod(known.shape))
    node = value.node
    assert node is not None
    before, inputs = reader.nodes[node], tuple(known.node for known in values if known.node is not None)
    for name in operator.outputs:
        shape = reader.shape(name, _usual_shape(operator, value.shape))
        if operator.name == "Transpose":
            axes = permuted(value.axes, operator.numbers("perm"))
        else:
            axes = axes_after(value.axes, value.shape, shape, before, reshaped=operator.name in _RESHAPED)
        width, size = span(axes, shape, before)
        made = Node(
            kind,
            inputs,
            width,
            size,
            math.prod(shape),
            label or operator.label,
            call=_function(reader, operator),
            eps=float(operator.attributes.get("epsilon", BN_EPS)) if operator.name == "BatchNormalization" else 0.0,
        )
        reader.put(name, made, shape, axes)


def _function(reader: Reader, operator: Operator) -> str:
    """The name of an operator; `relu6` where a range is cut off there."""
    if operator.name != "Clip":
        return operator.name
    low, high = (reader.array(name) if name else None for name in (*operator.inputs[1:3], "", "")[:2])
    return "relu6" if low is not None and high is not None and (float(low), float(high)) == (0, 6) else "Clip"


def _usual_shape(operator: Operator, shape: Shape) -> Shape:
    """The shape after an operator that flattens or permutes, where a file does not say it; else the same."""
    if operator.name == "Transpose":
        return tuple(shape[dim] for dim in operator.numbers("perm") or range(len(shape))[::-1])
    axis = operator.number("axis", 1)
    return (math.prod(shape[:axis]), math.prod(shape[axis:])) if operator.name == "Flatten" else shape


def _as(kind: Kind) -> Rule:
    return lambda reader, operator: _put(reader, operator, kind)


def _fault(text: str) -> Rule:
    return lambda reader, operator: _put(reader, operator, "fault", text)


def _unknown(reader: Reader, operator: Operator) -> None:
    _put(reader, operator, "fault", f"it has the operator {operator.name}, for which there is no rule")


def _conv(reader: Reader, operator: Operator) -> None:
    x, mixed = reader.value(operator.inputs[0]), reader.value(operator.inputs[1])
    weight = reader.constant(operator.inputs[1]) if mixed.node is None else mixed.shape
    mixture = None if mixed.node is None else mixing_layer(reader.nodes, mixed.node)
    if not weight or x.node is None or (mixed.node is not None and mixture is None):
        _put(reader, operator, "fault", "it has convolutions whose weights are computed from the image")
        return
    if len(weight) != 4:
        vector = reader.nodes[x.node].size == (1, 1)
        _put(reader, operator, "linear" if vector else "fault", "it has convolutions in another number of dimensions")
        return
    out, fan_in, *kernel = weight
    taps, groups = (kernel[0], kernel[1]), operator.number("group", 1)
    stride, dilation = _pair(operator, "strides"), _pair(operator, "dilations")
    spans = (dilation[0] * (taps[0] - 1) + 1, dilation[1] * (taps[1] - 1) + 1)
    node, size, padding = _padded(reader, operator, x, spans, stride)
    layer = ConvLayer(fan_in * groups, out, taps, size, stride, padding, dilation, groups)
    shape = (1, out, *layer.out_size)
    count = math.prod(shape)
    if groups > 1 and fan_in == 1 and reader.is_repeated(operator.inputs[1]):  # a fixed kernel, as of anti-aliasing
        window = Window("avg", taps, stride, padding)
        made = Node("pool", (node,), out, layer.out_size, count, operator.label, window=window, call="Conv")
    else:
        is_linear = mixture is None and reads_all(layer)
        made = Node(
            "linear" if is_linear else "conv",
            (node,) if mixed.node is None else (node, mixed.node),
            out,
            layer.out_size,
            count,
            reader.layer_name(operator) if mixture is None else mixture.label,
            None if is_linear else layer,
            macs=math.prod(weight) * math.prod(layer.out_size),
            activations=0 if is_linear else count,
            bias=len(operator.inputs) > 2,
        )
    reader.put(operator.outputs[0], made, shape, "NCHW")


def _padded(reader: Reader, operator: Operator, x: Value, spans: Pair, stride: Pair) -> tuple[int, Pair, Pair]:
    """(node, size, padding) of what a window reads: where the margins differ, they become a node of their own."""
    assert x.node is not None
    height, width = x.shape[-2:]
    top, left, bottom, right = operator.numbers("pads") or (0, 0, 0, 0)
    way = operator.text("auto_pad")
    if way.startswith("SAME"):
        needs = [
            max(0, (math.ceil(side / stride[axis]) - 1) * stride[axis] + spans[axis] - side)
            for axis, side in enumerate((height, width))
        ]
        top, left = needs[0] // 2, needs[1] // 2
        bottom, right = needs[0] - top, needs[1] - left
    if (top, left) == (bottom, right):
        return x.node, (height, width), (top, left)
    margin: Margin = (top, bottom, left, right)
    size = (height + top + bottom, width + left + right)
    before = reader.nodes[x.node]
    numel = before.width * math.prod(size)
    return reader.add(Node("pad", (x.node,), before.width, size, numel, "Pad", margin=margin)), size, (0, 0)


def _linear(reader: Reader, operator: Operator) -> None:
    """Gemm or MatMul: with a weight a linear layer, of two maps attention; one that leaves a vector pools."""
    x, other = (reader.value(name) for name in operator.inputs[:2])
    weight = reader.constant(operator.inputs[1])
    if x.node is not None and other.node is not None:
        count = math.prod(reader.shape(operator.outputs[0], x.shape))
        pools = count <= max(reader.nodes[x.node].width, reader.nodes[other.node].width)
        _put(reader, operator, "global" if pools else "fault", "it has attention")
        return
    if x.node is None or weight is None or len(weight) != 2:
        _unknown(reader, operator)
        return
    if x.axes and x.axes[-1] in SPATIAL:
        _put(reader, operator, "fault", "it mixes positions by linear layers")
        return
    fan_in, out = weight[::-1] if operator.number("transB", 0) else weight
    before, shape = reader.nodes[x.node], (*x.shape[:-1], out)
    size, axes = (1, 1), "NC"
    if len(shape) == 4:
        size, axes = (shape[1], shape[2]), "NHWC"
    elif len(shape) == 3:
        size, axes = before.size if math.prod(before.size) == shape[1] else (shape[1], 1), "NTC"
    is_map = math.prod(size) > 1
    layer = ConvLayer(fan_in, out, (1, 1), size) if is_map else None
    made = Node(
        "conv" if is_map else "linear",
        (x.node,),
        out,
        size,
        math.prod(shape),
        reader.layer_name(operator),
        layer,
        macs=math.prod(shape) * fan_in,
        bias=len(operator.inputs) > 2,
    )
    reader.put(operator.outputs[0], made, shape, axes)


def _pool(kind: str) -> Rule:
    def rule(reader: Reader, operator: Operator) -> None:
        x = reader.value(operator.inputs[0])
        kernel, stride = _pair(operator, "kernel_shape"), _pair(operator, "strides")
        node, size, padding = _padded(reader, operator, x, kernel, stride)
        shape = reader.shape(operator.outputs[0], ())
        if len(shape) != 4:
            spare = [size[axis] + 2 * padding[axis] - kernel[axis] for axis in (0, 1)]
            if operator.number("ceil_mode", 0):
                spare = [-(-room // stride[axis]) * stride[axis] for axis, room in enumerate(spare)]
            shape = (1, reader.nodes[node].width, *(room // stride[axis] + 1 for axis, room in enumerate(spare)))
        window = Window(kind, kernel, stride, padding)
        out: Pair = (shape[2], shape[3])
        made: Kind = "global" if out == (1, 1) else "pool"
        reader.put(
            operator.outputs[0],
            Node(made, (node,), shape[1], out, math.prod(shape), operator.label, window=window, call=f"{kind}_pool"),
            shape,
            "NCHW",
        )

    return rule


def _global(reader: Reader, operator: Operator) -> None:
    x = reader.value(operator.inputs[0])
    assert x.node is not None
    width = reader.nodes[x.node].width
    made = Node("global", (x.node,), width, (1, 1), width, operator.label, call=operator.name)
    reader.put(operator.outputs[0], made, (1, width, 1, 1), "NCHW")


def _reduce(reader: Reader, operator: Operator) -> None:
    x = reader.value(operator.inputs[0])
    assert x.node is not None
    before, dims = reader.nodes[x.node], operator.numbers("axes") or None
    if dims is None and len(operator.inputs) > 1:
        dims = reader.integers(operator.inputs[1])
    reduced = set(range(len(x.shape))) if dims is None else {dim % len(x.shape) for dim in dims}
    if operator.number("keepdims", 1):
        shape = tuple(1 if dim in reduced else length for dim, length in enumerate(x.shape))
    else:
        shape = tuple(length for dim, length in enumerate(x.shape) if dim not in reduced)
    axes, is_global = after_reduction(x.axes, dims, x.shape, shape)
    width, size = span(axes, shape, before)
    kind: Kind = "global" if is_global else "same"
    place = (1, 1) if is_global else size
    made = Node(kind, (x.node,), width, place, math.prod(shape), operator.label, call=operator.name)
    reader.put(operator.outputs[0], made, shape, axes)


def _pad(reader: Reader, operator: Operator) -> None:
    x = reader.value(operator.inputs[0])
    pads = operator.numbers("pads") or reader.integers(operator.inputs[1] if len(operator.inputs) > 1 else "")
    if pads is None:
        _put(reader, operator, "fault", "the margins of a padding are not in the file; export it with fixed sizes")
        return
    if x.axes != "NCHW" or len(pads) != 8 or any((pads[0], pads[1], pads[4], pads[5])) or x.node is None:
        _put(reader, operator, "same")
        return
    margin: Margin = (pads[2], pads[6], pads[3], pads[7])
    shape = (*x.shape[:2], x.shape[2] + pads[2] + pads[6], x.shape[3] + pads[3] + pads[7])
    size, mode = (shape[2], shape[3]), operator.text("mode")
    made = Node("pad", (x.node,), shape[1], size, math.prod(shape), "Pad", margin=margin, call=mode)
    reader.put(operator.outputs[0], made, shape, "NCHW")


def _pair(operator: Operator, name: str) -> Pair:
    numbers: Sequence[int] = operator.numbers(name) or (1, 1)
    return numbers[0], numbers[-1]


def _table(rule: Rule, names: str) -> dict[str, Rule]:
    return dict.fromkeys(names.split(), rule)


_RESHAPED = {"Reshape", "Flatten", "Squeeze", "Unsqueeze", "DepthToSpace", "SpaceToDepth"}
RULES: dict[str, Rule] = {
    **_table(_conv, "Conv"),
    **_table(_linear, "Gemm MatMul"),
    **_table(_pool("max"), "MaxPool"),
    **_table(_pool("avg"), "AveragePool LpPool"),
    **_table(_global, "GlobalAveragePool GlobalMaxPool GlobalLpPool"),
    **_table(
        _reduce,
        "ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceSumSquare ReduceLogSumExp",
    ),
    **_table(_pad, "Pad"),
    **_table(_fault("it has attention"), "Attention MultiHeadAttention"),
    **_table(_fault("it has transposed convolutions"), "ConvTranspose"),
    **_table(_fault("it has recurrent layers"), "LSTM GRU RNN"),
    **_table(_fault("its graph depends on numbers of the image"), "If Loop Scan NonZero"),
    **_table(
        _as("norm"),
        "BatchNormalization InstanceNormalization LayerNormalization GroupNormalization RMSNormalization "
        "LpNormalization MeanVarianceNormalization LRN",
    ),
    **_table(_as("gate"), "Sigmoid HardSigmoid Softmax LogSoftmax Tanh Greater Less GreaterOrEqual LessOrEqual Equal"),
    **_table(_as("sum"), "Add Sub Sum Max Min Mean Where"),
    **_table(_as("product"), "Mul Div"),
    **_table(_as("concat"), "Concat"),
    **_table(
        _as("same"),
        "Relu LeakyRelu PRelu Elu Selu Celu Gelu Swish HardSwish Mish Softplus Softsign ThresholdedRelu Clip Shrink "
        "Dropout Identity Cast CastLike Reshape Flatten Squeeze Unsqueeze Transpose Expand Tile Slice Split Gather "
        "GatherElements DepthToSpace SpaceToDepth Resize Upsample Neg Abs Exp Log Pow Sqrt Reciprocal Sign Floor Ceil "
        "Round Erf Sin Cos Not",
    ),
}
