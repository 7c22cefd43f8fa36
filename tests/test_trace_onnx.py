"""ONNX files: the chain of the module that they were exported from, and every broken file in one line."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import torch
from cli_here import ZenHere
from torch import nn
from trace_modules import (
    Attention,
    Blur,
    ComputedPadding,
    Dense,
    Gate,
    Mixed,
    Net,
    Parallel,
    Pointwise,
    Residual,
    Resolutions,
    SamePadding,
    Several,
    Squeeze,
    classifier_of_convolutions,
)

from zen_cli.errors import TraceError
from zen_cli.net.module import build
from zen_cli.net.spec import parse_spec
from zen_cli.trace.blocks import spec_of
from zen_cli.trace.graph import Node
from zen_cli.trace.modules import network_of_module
from zen_cli.trace.onnx_file import onnx_network
from zen_cli.trace.onnx_graph import Operator, Reader
from zen_cli.trace.onnx_ops import read_operator

onnx = pytest.importorskip("onnx", reason="needs the extra onnx")

pytestmark = pytest.mark.filterwarnings("ignore")  # of the exporter
SCORE = ("score", "--estimator", "mean-field", "--quiet")


def export(module: nn.Module, path: Path, size: tuple[int, int, int] = (3, 16, 16), **options: object) -> Path:
    stream = io.BytesIO()
    torch.onnx.export(module.eval(), (torch.zeros(1, *size),), stream, dynamo=False, opset_version=17, **options)
    path.write_bytes(stream.getvalue())
    return path


POOL = nn.MaxPool2d(3, 2, 1)
MIDDLES = [
    Residual(),
    Parallel(),
    Squeeze(),
    Gate(),
    Pointwise(),
    Dense(),
    Mixed(),
    Resolutions(),
    Blur(),
    SamePadding(),
    ComputedPadding(),
    POOL,
]


@pytest.mark.parametrize("middle", MIDDLES, ids=lambda module: type(module).__name__)
def test_a_file_has_the_chain_of_its_module(tmp_path: Path, middle: nn.Module) -> None:
    module = Net(middle)
    expected = network_of_module(module, (3, 16, 16), source="test:module")
    found = onnx_network(export(module, tmp_path / "net.onnx"))
    assert found.chain == expected.chain
    assert found.cost.macs == expected.cost.macs
    assert found.source == "onnx:net.onnx" and found.name == "net"


def test_blocks_come_back_from_a_file_that_has_merged_norms(tmp_path: Path) -> None:
    gate = {"ratio": 0.25, "bias": True, "activation": "silu"}
    blocks = [
        {"op": "conv", "width": 8, "stride": 2},
        {"op": "basic", "width": 8, "mid_width": 8, "shortcut": "needed", "depth": 2},
        {"op": "mbconv", "width": 16, "expansion": 2, "stride": 2, "se": gate, "shortcut": "identity", "linear": True},
    ]
    spec = parse_spec({"resolution": 16, "num_classes": 5, "activation": "silu", "blocks": blocks, "head": [12]})
    found = onnx_network(export(build(spec), tmp_path / "net.onnx"))
    assert found.cost.params < spec.cost.params
    assert spec_of(found).id == spec.id


def test_a_convolution_that_reads_the_whole_map_is_a_linear_layer(tmp_path: Path) -> None:
    module = classifier_of_convolutions()
    expected = network_of_module(module, (3, 16, 16), source="test:module")
    found = onnx_network(export(module, tmp_path / "net.onnx"))
    assert (found.chain, spec_of(found).id) == (expected.chain, spec_of(expected).id)


def test_a_permutation_has_its_shape_where_the_file_says_none() -> None:
    reader = Reader({}, {})
    reader.put("x", Node("image", (), 3, (4, 5), 60, "image"), (1, 3, 4, 5), "NCHW")
    read_operator(reader, Operator("Transpose", ("x",), ("y",), {"perm": [0, 2, 3, 1]}, "permute"))
    assert reader.value("y")[1:] == ((1, 4, 5, 3), "NHWC")


def test_parameters_are_those_of_the_file(tmp_path: Path) -> None:
    head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    module = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 3), *head)
    expected = sum(parameter.numel() for parameter in module.parameters())
    assert onnx_network(export(module, tmp_path / "net.onnx")).cost.params == expected


def test_open_sides_need_a_resolution(tmp_path: Path, zen_here: ZenHere) -> None:
    axes = {"image": {0: "batch", 2: "height", 3: "width"}}
    export(Net(), zen_here.folder / "open.onnx", input_names=["image"], dynamic_axes=axes)
    zen_here(*SCORE, "open.onnx").fails("open.onnx: leaves height and width open; give the resolution")
    (row,) = zen_here(*SCORE, "open.onnx", "--resolution", "32").rows
    here = str(Path(__file__).parent)
    (other,) = zen_here(*SCORE, "--resolution", "32", "--path", here, "module:trace_modules:Net").rows
    assert row["chain"] == other["chain"]


def test_what_is_no_chain_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="it has attention"):
        onnx_network(export(Net(Attention()), tmp_path / "net.onnx"))


def test_bad_files_are_one_line_and_nothing_is_run(zen_here: ZenHere) -> None:
    data = export(Net(), zen_here.folder / "net.onnx").read_bytes()
    files = {
        "cut.onnx": (data[: len(data) // 2], "is no ONNX model, or is cut off"),
        "noise.onnx": (bytes(range(256)) * 9, "is no ONNX model, or is cut off"),
        "empty.onnx": (b"", "has 0 inputs"),
        "text.onnx": (b"SuperConvK3BNRELU(3,8,1,2)", "is no ONNX model, or is cut off"),
    }
    for name, (content, message) in files.items():
        (zen_here.folder / name).write_bytes(content)
        zen_here(*SCORE, name).fails(name, message)
    zen_here(*SCORE, "net.onnx", "--num-classes", "5").fails("--num-classes: has no effect on an ONNX file")
    zen_here(*SCORE, "net.onnx", "--resolution", "64").fails("is for images of side 16")
    with (zen_here.folder / "net.onnx").open("rb") as stream:
        zen_here(*SCORE, "-", stdin=stream.read()).fails("is an ONNX model; name its file")


def test_a_file_of_two_gigabytes_is_refused_unread(zen_here: ZenHere) -> None:
    with (zen_here.folder / "large.onnx").open("wb") as stream:
        stream.truncate(2**31)
    zen_here(*SCORE, "large.onnx").fails("has more than 2047 MiB; save its weights as external data")


def test_several_inputs_or_outputs_are_refused(tmp_path: Path, zen_here: ZenHere) -> None:
    class Two(nn.Module):
        def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return x + y

    stream = io.BytesIO()
    torch.onnx.export(Two(), (torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8)), stream, dynamo=False)
    (zen_here.folder / "two.onnx").write_bytes(stream.getvalue())
    zen_here(*SCORE, "two.onnx").fails("has 2 inputs; a network to score has one, the image")
    export(nn.Sequential(nn.Conv2d(3, 8, 3), Several()), zen_here.folder / "yolo.onnx")
    zen_here(*SCORE, "yolo.onnx").fails("has 3 outputs; export the one of the classifier alone")


def test_an_unknown_operator_is_named(tmp_path: Path) -> None:
    path = export(Net(Residual()), tmp_path / "net.onnx")
    model = onnx.load(str(path))
    for node in model.graph.node:
        if node.op_type == "Relu":
            node.op_type, node.domain = "FancyRelu", "my.domain"
    model.opset_import.append(onnx.helper.make_opsetid("my.domain", 1))
    onnx.save(model, str(path))
    with pytest.raises(TraceError, match="it has the operator FancyRelu, for which there is no rule"):
        onnx_network(path)


def test_a_missing_package_names_its_extra(zen_here: ZenHere, monkeypatch: pytest.MonkeyPatch) -> None:
    export(Net(), zen_here.folder / "net.onnx")
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    zen_here(*SCORE, "net.onnx").fails("net.onnx: is an ONNX model, and needs onnx; pip install 'zen-cli[onnx]'")
