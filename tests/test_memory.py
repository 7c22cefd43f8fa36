"""Bytes on a device: equal to a simulation of the exported graph, additive, and the published peaks."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import specs

from zen_cli.metrics import find
from zen_cli.metrics.settings import ScoreSettings
from zen_cli.net.module import build
from zen_cli.net.spec import ArchSpec, parse_spec
from zen_cli.target.graph import block_operations
from zen_cli.target.memory import ITEM_BYTES, block_footprint, footprint, live_bytes

IN_PLACE = {"Add", "BatchNormalization", "Flatten", "Mul", "Relu", "Sigmoid"}


def measured(spec: ArchSpec, dtype: str) -> tuple[int, int]:
    found = footprint(spec.genes, spec.in_channels, spec.resolution, spec.classifier).bytes(dtype)
    return found.weights, found.peak


def simulate(spec: ArchSpec) -> tuple[int, int]:
    """Elements of the weights and of the live tensors at the peak, by running through the nodes of the ONNX graph.

    Each value has a buffer; a node that may work in place takes over the largest buffer that nobody reads later.
    """
    onnx = pytest.importorskip("onnx")
    from zen_cli.exporters.onnx_graph import build_model

    shape = (spec.in_channels, spec.resolution, spec.resolution)
    model = build_model(build(spec).eval(), shape, spec.num_classes, None)
    graph = onnx.shape_inference.infer_shapes(model).graph
    constants = {row.name: math.prod(row.dims) for row in graph.initializer}

    def elements(value: Any) -> int:
        return math.prod(axis.dim_value or 1 for axis in value.type.tensor_type.shape.dim)

    sizes = {row.name: elements(row) for row in (*graph.input, *graph.value_info, *graph.output)}
    last = {name: index for index, node in enumerate(graph.node) for name in node.input}
    buffers, weights, peak = {"images": sizes["images"]}, 0, 0
    for index, node in enumerate(graph.node):
        read = [name for name in node.input if name not in constants]
        free = [name for name in read if last[name] == index]
        if node.op_type in ("Conv", "Gemm"):
            kernel = constants[node.input[1]]
            bias = next(iter(row.dims[0] for row in graph.initializer if row.name == node.input[1]))
            weights += kernel + bias * (node.op_type == "Conv" or len(node.input) > 2)  # a BN folded leaves a bias
        (out,) = node.output
        if node.op_type not in IN_PLACE:
            buffers[out] = sizes[out]
            peak = max(peak, sum(buffers.values()))
        else:
            peak = max(peak, sum(buffers.values()))
            taken = max(free, key=lambda name: buffers[name])
            buffers[out] = buffers.pop(taken)
        for name in free:
            buffers.pop(name, None)
    return weights, peak


@settings(max_examples=40)
@given(specs())
def test_memory_is_that_of_the_exported_graph(spec: ArchSpec) -> None:
    weights, peak = simulate(spec)
    for dtype, size in ITEM_BYTES.items():
        assert measured(spec, dtype) == (weights * size, peak * size)


ENDS: list[dict[str, Any]] = [
    {"head": [64, 32], "head_pool": {"kind": "max", "kernel": 2, "stride": 2}, "head_parts": 4},
    {"head": [16], "head_bias": False, "head_parts": 4},
    {"head_pool": {"kind": "avg", "kernel": 3, "stride": 2}},
]


@pytest.mark.parametrize("end", ENDS, ids=lambda end: str(len(end)))
def test_so_it_is_where_the_classifier_reads_parts_of_a_map(end: dict[str, Any]) -> None:
    blocks = [{"op": "conv", "width": 64, "bias": True}, {"op": "conv", "width": 8, "stride": 2}]
    spec = parse_spec({"resolution": 16, "num_classes": 10, "blocks": blocks, **end})
    weights, peak = simulate(spec)
    assert measured(spec, "int8") == (weights, peak)


def test_so_it_is_for_parallel_convolutions_but_that_a_norm_is_not_folded() -> None:
    blocks = [{"op": "repvgg", "width": 16, "stride": 2}, {"op": "repvgg", "width": 32, "depth": 2, "group_width": 4}]
    spec = parse_spec({"resolution": 16, "num_classes": 10, "blocks": blocks})
    weights, peak = simulate(spec)
    assert measured(spec, "int8") == (weights + 2 * 32, peak)


@given(specs(max_width=40), st.integers(1, 70_000))
def test_a_block_needs_what_its_operations_do_on_any_number_of_channels(spec: ArchSpec, width: int) -> None:
    for gene in spec.genes:
        for is_first in (False, True):
            rows = list(block_operations(gene, width, spec.resolution, first=is_first))
            weights, peak = sum(one.weights * times for one, times in rows), max(one.live for one, _ in rows)
            assert block_footprint(gene, width, spec.resolution, is_first) == (weights, peak)


@given(specs())
def test_folding_takes_one_parameter_a_channel_away(spec: ArchSpec) -> None:
    from torch import nn

    net = build(spec)
    channels = sum(module.num_features for module in net.modules() if isinstance(module, nn.BatchNorm2d))
    assert measured(spec, "int8")[0] == spec.cost.params - channels


@given(specs())
def test_the_peak_is_the_largest_of_the_operations(spec: ArchSpec) -> None:
    rows = live_bytes(spec.genes, spec.in_channels, spec.resolution, spec.classifier, "float16")
    assert max(size for _, size in rows) == measured(spec, "float16")[1]
    modules = dict(build(spec).named_modules())
    assert all(name in modules for name, _ in rows if name.rpartition(".")[2] not in ("pool", "add", "mul"))


# Shapes do not depend on groups, and the peaks of both are in layers without a shortcut.
V1 = [(32, 2), *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)), *[(512, 1)] * 5, (1024, 2), (1024, 1)]
V2 = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]


def plain(rows: list[tuple[int, int, int]]) -> ArchSpec:
    blocks = [{"op": "conv", "kernel": kernel, "width": width, "stride": stride} for kernel, width, stride in rows]
    return parse_spec({"resolution": 224, "num_classes": 1000, "blocks": blocks})


def test_the_published_peak_of_mobilenet_v1() -> None:
    rows, width = [(3, 32, 2)], 32
    for out, stride in V1[1:]:
        rows += [(3, width, stride), (1, out, 1)]
        width = out
    assert measured(plain(rows), "int8")[1] == 1_204_224


def test_the_published_peak_of_mobilenet_v2() -> None:
    rows, width = [(3, 32, 2)], 32
    for expansion, out, depth, stride in V2:
        for index in range(depth):
            inside = expansion * width
            rows += [(1, inside, 1)] * (expansion > 1) + [(3, inside, 1 if index else stride), (1, out, 1)]
            width = out
    assert measured(plain([*rows, (1, 1280, 1)]), "int8")[1] == 1_505_280


@pytest.mark.parametrize("name", ["memory", "weights"])
def test_a_metric_has_its_dtype_in_its_row(name: str, example_spec: ArchSpec) -> None:
    metric, values = find(name), {}
    for dtype in ITEM_BYTES:
        found = metric.evaluate(example_spec, ScoreSettings(estimator="mean-field", dtype=dtype))
        assert found.settings == {"dtype": dtype}
        values[dtype] = found.value
    assert values["float32"] == 2 * values["float16"] == 4 * values["int8"]


@pytest.fixture
def example_spec() -> ArchSpec:
    return plain([(3, 8, 2), (3, 16, 2)])
