"""The ONNX graph: the function of the module under every opset that it claims; what it does not know is refused."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from export_cases import EVERYTHING, PLAIN, specs
from hypothesis import given, settings
from torch import Tensor, nn

from zen_cli.errors import SpecError, UsageError
from zen_cli.exporters.check import TOLERANCE, Checker
from zen_cli.exporters.plan import ExportOptions
from zen_cli.exporters.run import export
from zen_cli.exporters.source import ExportSource
from zen_cli.net.spec import ArchSpec

onnx: Any = pytest.importorskip("onnx", reason="the extra onnx is not installed")
runtime: Any = pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")

from zen_cli.exporters.onnx_graph import LOWEST, build_model, write_graph  # noqa: E402 - they need onnx
from zen_cli.exporters.to_onnx import onnx_model  # noqa: E402


def session(model: Any) -> Any:
    return runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


@given(specs())
@settings(max_examples=14)
def test_onnx_computes_the_network(spec: ArchSpec) -> None:
    source = ExportSource(spec)
    run = session(onnx_model(source)).run
    for batch in (1, 3):
        images = torch.randn(batch, spec.in_channels, spec.resolution, spec.resolution)
        (logits,) = run(["logits"], {"images": images.numpy()})
        with torch.no_grad():
            wanted = source.reference(images)
        assert float((torch.from_numpy(logits) - wanted).abs().max()) <= TOLERANCE * float(wanted.abs().max())


def test_names_are_those_of_the_torch_file() -> None:
    source = ExportSource(EVERYTHING)
    model = onnx_model(source)
    names = {row.name for row in model.graph.initializer}
    assert names == {name for name in source.tensors if not name.endswith("num_batches_tracked")}
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    assert [row.name for row in model.graph.output] == ["logits"]
    nodes = [node.name for node in model.graph.node]
    assert len(set(nodes)) == len(nodes)
    assert {"stem.conv", "stage2.1.se.sigmoid", "stage2.1.add", "classifier"} <= set(nodes)
    assert onnx_model(ExportSource(EVERYTHING)).SerializeToString() == model.SerializeToString()


def test_a_merged_file_has_no_norm_and_the_same_logits() -> None:
    source, images = ExportSource(EVERYTHING, merge=True), torch.randn(2, 3, 32, 32)
    model = onnx_model(source)
    assert not any(node.op_type == "BatchNormalization" for node in model.graph.node)
    (logits,) = session(model).run(None, {"images": images.numpy()})
    with torch.no_grad():
        wanted = source.reference(images)
    assert float((torch.from_numpy(logits) - wanted).abs().max()) <= TOLERANCE * float(wanted.abs().max())
    norms = [part for part in source.reference.modules() if isinstance(part, nn.BatchNorm2d)]
    params = EVERYTHING.cost.params - sum(norm.num_features for norm in norms)  # a bias for a scale and a shift
    assert source.counts == {"params": params, "macs": EVERYTHING.cost.macs}
    assert sum(math.prod(row.dims) for row in model.graph.initializer) == params


def test_every_opset_from_the_lowest_gives_the_same_logits() -> None:
    images, source = torch.randn(2, 3, 32, 32).numpy(), ExportSource(EVERYTHING)
    lowest = onnx_model(source)
    assert ([row.version for row in lowest.opset_import], lowest.ir_version) == ([9], 4)
    (wanted,) = session(lowest).run(None, {"images": images})
    tried = 0
    for opset in range(9, onnx.defs.onnx_opset_version() + 1):
        source.opset = opset
        model = onnx_model(source)
        assert [row.version for row in model.opset_import] == [opset]
        assert list(model.graph.node) == list(lowest.graph.node)
        try:
            run = session(model).run
        except Exception as error:
            assert "under development" in str(error)  # newer than this onnxruntime
            continue
        assert abs(run(None, {"images": images})[0] - wanted).max() == 0
        tried += 1
    assert tried >= 10


def test_the_lowest_opset_is_that_of_the_definitions() -> None:
    """An operation of the graph is not defined as it is written before its lowest opset."""
    for node in onnx_model(ExportSource(EVERYTHING)).graph.node:
        attributes = {row.name for row in node.attribute}
        schema = onnx.defs.get_schema(node.op_type, LOWEST[node.op_type])
        assert attributes <= set(schema.attributes), node.op_type
        assert len(node.input) <= schema.max_input
    before = onnx.defs.get_schema("BatchNormalization", LOWEST["BatchNormalization"] - 1)
    assert "spatial" in before.attributes


def test_an_opset_that_cannot_express_the_network_is_refused(tmp_path: Path, checker: Checker) -> None:
    highest = onnx.defs.onnx_opset_version()
    for opset, words in ((8, "8 has no BatchNormalization as"), (highest + 1, f"{highest + 1} is not known")):
        with pytest.raises(UsageError, match=rf"opset: {words}.*; use 9 to {highest}"):
            export([PLAIN], ["onnx"], ExportOptions(f"{tmp_path}/", opset=opset), checker=checker)
    with pytest.raises(UsageError, match="opset: is of ONNX files"):
        export([PLAIN], ["torch"], ExportOptions(f"{tmp_path}/", opset=17), checker=checker)
    (row,) = export([PLAIN], ["onnx"], ExportOptions(f"{tmp_path}/", opset=17), checker=checker)
    assert row.path is not None
    assert [row.version for row in onnx.load(row.path).opset_import] == [17]


class Odd(nn.Module):
    """A module with an operation of one's choice."""

    def __init__(self, operation: Any) -> None:
        super().__init__()
        self.operation = operation

    def forward(self, x: Tensor) -> Any:
        return self.operation(x)


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        (nn.Mish(), "knows no Mish"),
        (torch.tanh, "does not know torch.tanh"),
        (lambda x: x + 1, "knows no operation on 1"),
        (lambda x: x.mean(1), "means over height and width only"),
        (lambda x: x.flatten(2), "vectors of all of a map only"),
        (lambda x: x.softmax(1), "does not know softmax"),
        (nn.Conv2d(3, 3, 3, padding="same"), "a number of zeros around only"),
        (nn.Conv2d(3, 3, 3, padding=1, padding_mode="reflect"), "a number of zeros around only"),
    ],
)
def test_an_operation_that_is_not_in_the_table_is_refused(operation: Any, words: str) -> None:
    with pytest.raises(SpecError, match=f"ONNX export .*{words}; export to pt2 instead"):
        write_graph(Odd(operation), (3, 8, 8))


def test_biases_dilations_and_equal_names_are_written() -> None:
    conv = nn.Conv2d(3, 10, 3, padding=2, dilation=2)
    net = nn.Sequential(conv, Odd(lambda x: torch.relu(torch.relu(x)).mean((2, 3))), nn.Linear(10, 10)).eval()
    model = build_model(net, (3, 8, 8), 10, None)
    images = torch.randn(2, 3, 8, 8)
    (logits,) = session(model).run(None, {"images": images.numpy()})
    with torch.no_grad():
        torch.testing.assert_close(torch.from_numpy(logits), net(images))
