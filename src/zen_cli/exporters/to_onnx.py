"""Target `onnx`: the network as an ONNX graph with a batch of any size."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import RunError
from .checker import Loaded
from .target import Target

if TYPE_CHECKING:
    import onnx

    from .source import ExportSource

MAX_BYTES = 2**31 - 2**16


def check_onnx(path: Path, _: dict[str, Any]) -> Loaded:
    """An ONNX model under onnxruntime."""
    import onnx
    import onnxruntime
    import torch

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    graph = onnx.load(path).graph
    statistics = {name for node in graph.node if node.op_type == "BatchNormalization" for name in node.input[3:5]}
    weights = (row for row in graph.initializer if row.name not in statistics and not row.name.startswith("number."))
    params = sum(math.prod(row.dims) for row in weights)
    return Loaded(
        lambda images: torch.from_numpy(session.run(["logits"], {"images": images.numpy()})[0]),
        params,
        count_onnx_macs(path),
    )


def count_onnx_macs(path: Path) -> int:
    """Multiply-adds for one image, from the shapes that ONNX infers."""
    import onnx

    graph = onnx.shape_inference.infer_shapes(onnx.load(path)).graph
    sides = {row.name: [axis.dim_value for axis in row.type.tensor_type.shape.dim[2:]] for row in graph.value_info}
    weights = {row.name: tuple(row.dims) for row in graph.initializer}
    total = 0
    for node in graph.node:
        if node.op_type in ("Conv", "Gemm"):
            area = math.prod(sides[node.output[0]]) if node.op_type == "Conv" else 1
            total += math.prod(weights[node.input[1]]) * area
    return total


class OnnxModel(Target):
    """An ONNX file in the lowest opset that the graph needs, or in the one that was chosen."""

    name, suffix, summary = "onnx", ".onnx", "an ONNX model"
    has_weights = can_merge = True
    needs, extra = ("onnx", "onnxruntime"), "onnx"
    check = staticmethod(check_onnx)

    def write(self, source: ExportSource, stem: str) -> bytes:
        size = sum(tensor.numel() * 4 for tensor in source.tensors.values())
        if size > MAX_BYTES:
            raise RunError(f"{size / 2**30:.1f} GiB of weights; an ONNX file holds 2, export to pt2 instead")
        data: bytes = onnx_model(source).SerializeToString()
        return data


def onnx_model(source: ExportSource) -> onnx.ModelProto:
    """The model of a network."""
    from onnx import helper

    from .about import facts, title, tool
    from .onnx_graph import build_model

    spec = source.spec
    shape = (spec.in_channels, *spec.image_size)
    model = build_model(
        source.module,
        shape,
        spec.num_classes or spec.blocks[-1].width,
        source.opset,
        producer_name=tool(),
        doc_string=title(spec),
    )
    rows = {row.label: row.text for row in facts(spec, source.record)}
    form = {"form": "batch normalisations and parallel branches are part of convolutions"} if source.merge else {}
    helper.set_model_props(model, rows | form)
    return model
