"""An ONNX file -> a network. The file is read as a graph: nothing of it is run, and no other file is opened."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import SourceError, TraceError, one_line, reason
from ..net.counting import Cost
from ..net.traced import TracedNetwork
from .chains import chain_of_graph
from .graph import Graph, Node
from .layouts import Shape
from .onnx_graph import MOST_NUMBERS, Operator, Reader
from .onnx_ops import read_operator

MOST_BYTES = 2**31 - 1  # of one file of protocol buffers


def onnx_network(path: Path, side: int | None = None) -> TracedNetwork:
    """The network of an ONNX file.

    Parameters are counted in the file, in which a BN may be part of the convolution before it.

    Args:
        path: of the file; weights in files beside it are not needed.
        side: of the image, where the file leaves it open.

    Raises:
        SourceError: the file cannot be read, or is damaged.
        TraceError: the side contradicts the file, or a chain does not stand for the graph.
    """
    try:
        model = _load(path)
        graph, params = graph_of_model(model, side)
        found = chain_of_graph(graph, folded=True)
    except (SourceError, TraceError) as error:
        raise type(error)(f"{path}: {error}") from None
    layers = len(found.chain)
    cost = Cost(params, graph.macs, graph.activations, layers, layers)
    name, source = one_line(path.stem)[:200], one_line(f"onnx:{path.name}")
    return TracedNetwork(name, source, found.chain, cost, *found[1:])


def _load(path: Path) -> Any:
    try:
        import onnx
    except ImportError:
        raise SourceError("is an ONNX model, and needs onnx; pip install 'zen-cli[onnx]'") from None
    try:
        if path.stat().st_size > MOST_BYTES:
            raise SourceError(f"has more than {MOST_BYTES >> 20} MiB; save its weights as external data")
        return onnx.load(path, load_external_data=False)
    except OSError as error:
        raise SourceError(f"cannot be read, {reason(error)}") from None
    except SourceError:
        raise
    except Exception as error:  # DecodeError of protobuf, of which there are several
        raise SourceError(f"is no ONNX model, or is cut off ({type(error).__name__}); export it again") from None


def graph_of_model(model: Any, side: int | None = None) -> tuple[Graph, int]:
    """The graph of a model, and its number of parameters."""
    import onnx
    from onnx import inliner

    if model.functions:
        model = inliner.inline_local_functions(model)
    constants = _constants(model)
    image, size = _input(model, constants, side)
    if len(model.graph.output) != 1:
        raise TraceError(f"has {len(model.graph.output)} outputs; export the one of the classifier alone")
    shapes = _shapes(model)
    reader = Reader(shapes, constants)
    reader.put(image, Node("image", (), size[1], (size[2], size[3]), math.prod(size), "image"), size, "NCHW")
    for index, node in enumerate(model.graph.node):
        attributes = {row.name: onnx.helper.get_attribute_value(row) for row in node.attribute}
        label = node.name or f"{node.op_type}_{index}"
        operator = Operator(node.op_type, tuple(node.input), tuple(filter(None, node.output)), attributes, label)
        try:
            read_operator(reader, operator)
        except (IndexError, ValueError, AssertionError) as error:
            raise TraceError(f"{operator.name} {operator.label} is damaged: {error or 'an input is missing'}") from None
    output = reader.value(model.graph.output[0].name).node
    if output is None:
        raise TraceError("its output does not depend on the image")
    return Graph(tuple(reader.nodes), output), _params(model, constants)


def _constants(model: Any) -> dict[str, Any]:
    """The tensors of a model by name; the graph depends on the shape of large ones alone."""
    from onnx import TensorProto, helper

    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        for row in node.attribute if node.op_type == "Constant" else ():
            if row.name == "value":
                constants[node.output[0]] = row.t
            elif row.name in ("value_int", "value_ints"):
                numbers = [*row.ints] or [row.i]
                constants[node.output[0]] = helper.make_tensor(row.name, TensorProto.INT64, [len(numbers)], numbers)
    for tensor in constants.values():
        if math.prod(tensor.dims) > MOST_NUMBERS:
            for data in ("raw_data", "float_data", "double_data", "int32_data"):
                tensor.ClearField(data)
    return constants


def _input(model: Any, constants: Mapping[str, Any], side: int | None) -> tuple[str, tuple[int, int, int, int]]:
    """The name and shape of the image, of which the model takes one."""
    inputs = [value for value in model.graph.input if value.name not in constants]
    if len(inputs) != 1:
        raise TraceError(f"has {len(inputs)} inputs; a network to score has one, the image")
    dims = inputs[0].type.tensor_type.shape.dim
    if len(dims) != 4:
        raise TraceError(f"its input has {len(dims)} dimensions; a network to score takes images, N x C x H x W")
    dims[0].dim_value = 1
    for dim in dims[2:]:
        if side is not None and dim.dim_value not in (0, side):
            raise TraceError(
                f"is for images of side {dim.dim_value}; leave the resolution out, or export it for {side}"
            )
        if dim.dim_value < 1 and side is None:
            raise TraceError("leaves height and width open; give the resolution")
        dim.dim_value = dim.dim_value or side or 0
    if dims[1].dim_value < 1:
        raise TraceError("its input has no fixed number of channels; export it with one")
    return inputs[0].name, (1, dims[1].dim_value, dims[2].dim_value, dims[3].dim_value)


def _shapes(model: Any) -> dict[str, Shape]:
    """The shapes of values that follow from those of the input."""
    import onnx

    for value in (*model.graph.value_info, *model.graph.output):  # as they were for another batch
        value.type.tensor_type.ClearField("shape")
    try:
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    except Exception as error:
        raise TraceError(f"its shapes contradict each other: {one_line(str(error))[:200]}") from None
    shapes = {}
    for value in (*inferred.graph.value_info, *inferred.graph.output):
        dims = value.type.tensor_type.shape.dim
        if dims and all(dim.HasField("dim_value") for dim in dims):
            shapes[value.name] = tuple(dim.dim_value for dim in dims)
    return shapes


def _params(model: Any, constants: Mapping[str, Any]) -> int:
    """Numbers in the weights: of tensors of real numbers that operators read, but for running statistics."""
    import onnx

    real = {onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16, onnx.TensorProto.DOUBLE}
    stored = {tensor.name for tensor in model.graph.initializer}
    used: set[str] = set()
    for node in model.graph.node:
        used.update(node.input[:3] if node.op_type == "BatchNormalization" else node.input)
    tensors = (constants[name] for name in used & stored)
    return sum(math.prod(tensor.dims) for tensor in tensors if tensor.dims and tensor.data_type in real)
