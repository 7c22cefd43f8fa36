"""Every target: loaded in a process without zen, it computes what the network computes, and counts the same."""

from __future__ import annotations

import os
import re
import warnings
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from random import Random
from typing import Any
from xml.etree import ElementTree

import pytest
import torch
from export_cases import EVERYTHING, PLAIN, specs
from hypothesis import given, settings

from zen_cli.errors import RunError, SourceError
from zen_cli.exporters import TARGETS, Wish, export
from zen_cli.exporters import to_torch as to_torch
from zen_cli.exporters.check import TOLERANCE
from zen_cli.exporters.source_network import Network
from zen_cli.exporters.weights import random_images, read_tensors
from zen_cli.formats.plainnet import parse_plainnet
from zen_cli.nas.space import BUILTIN, load_space, to_spec
from zen_cli.net.spec import ArchSpec, parse_spec

INSTALLED = [name for name, row in TARGETS.items() if all(find_spec(module) for module in row.modules)]


def test_every_target_agrees_with_the_network(tmp_path: Path) -> None:
    targets = [name for name in INSTALLED if name != "plainnet"]
    done = export([EVERYTHING, PLAIN], targets, Wish(f"{tmp_path}/", "seed"))
    assert {row.target for row in done} == {*targets, "weights"}
    for row in done:
        assert row.path is not None
        assert row.path.read_bytes() == row.data
        if TARGETS.get(row.target, TARGETS["torch"]).runs:
            assert row.finding.difference is not None
            assert row.finding.difference <= TOLERANCE
            assert {shape[0] for shape in row.finding.shapes} == {1, 8}
    sides = {row.target: {shape[2] for shape in row.finding.shapes} for row in done if row.finding.shapes}
    assert all(len(sides[name]) == 2 for name in ("torch", "torchscript", "weights"))
    assert not list(tmp_path.glob("*.part"))


def test_members_of_every_space_and_published_networks_agree(published: list[dict[str, Any]], tmp_path: Path) -> None:
    rows = []
    for name, number in product(BUILTIN, range(2)):
        space: Any = load_space(name)
        rng, base = Random(number), space.seed(32)
        genome = space.start(base)
        for _ in range(20):
            genome = space.mutate(genome, rng)
        spec = to_spec(space.genes(genome, base), base).replace(resolution=32)
        rows.append(with_se(spec) if number else spec)
    for fact in published:
        if fact["name"].startswith(("zennet-0.5M", "zennet-400M")):
            spec = parse_plainnet(fact["structure"], resolution=32, num_classes=fact["num_classes"])
            rows += [spec, with_se(spec)]
    targets = [name for name in ("torch", "onnx") if name in INSTALLED]
    assert len(export(rows, targets, Wish(f"{tmp_path}/"))) == len(rows) * len(targets) == 10 * len(targets)


def with_se(spec: ArchSpec) -> ArchSpec:
    data = spec.to_dict()
    gated = [{**block, "se": 0.25} if block["op"] != "conv" else block for block in data["blocks"]]
    return parse_spec({**data, "blocks": gated})


def test_a_wrong_export_does_not_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = to_torch.torch_source
    for right, wrong, words in (
        ("torch.relu(residual", "(residual", "differs from the network"),
        ("import math", "import math, zen_cli", "must not be needed here"),
    ):
        monkeypatch.setattr(
            to_torch, "torch_source", lambda network, a=right, b=wrong: honest(network).replace(a, b, 1)
        )
        with pytest.raises(RunError, match=words):
            export([PLAIN], ["torch"], Wish(f"{tmp_path}/"))
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("spec", [EVERYTHING, PLAIN], ids=lambda spec: spec.name)
def test_the_comparison_sees_every_tensor(spec: ArchSpec) -> None:
    network = Network(spec)
    images = random_images(2, 3, 32, torch.Generator().manual_seed(1))
    net = network.reference
    with torch.no_grad():
        wanted = net(images)
        for name, tensor in net.state_dict().items():
            if not tensor.is_floating_point():
                continue
            kept = tensor.clone()
            tensor.copy_(tensor.roll(1, 0))
            change = float((net(images) - wanted).abs().max() / wanted.abs().max())
            tensor.copy_(kept)
            assert change > 10 * TOLERANCE, f"{name}: {change}"


@pytest.mark.parametrize("se", [False, True])
def test_rounding_stays_below_the_tolerance(published: list[dict[str, Any]], se: bool) -> None:
    for fact in published:
        if fact["params_without_shortcut_conv_bias"] > 8e6:
            continue
        spec = parse_plainnet(fact["structure"], resolution=32, num_classes=fact["num_classes"])
        net = Network(with_se(spec) if se else spec).reference
        images = random_images(8, 3, 32, torch.Generator().manual_seed(1))
        with torch.no_grad():
            single, double = net(images), net.double()(images.double())
        difference = (single - double).abs().amax(1) / double.abs().amax(1)
        assert float(difference.max()) < TOLERANCE, fact["name"]


def deep(depth: int) -> ArchSpec:
    """A chain without shortcuts: it amplifies rounding by a fifth in every layer."""
    block = {"op": "conv", "kernel": 3, "width": 16, "stride": 1, "depth": depth}
    return parse_spec({"resolution": 16, "num_classes": 10, "blocks": [block]})


def test_a_network_may_differ_by_what_float32_does_to_it(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    network = Network(deep(56))
    assert TOLERANCE < network.rounding < 1e-2
    (row,) = export([network.spec], ["onnx"], Wish(f"{tmp_path}/"))
    assert "float32 itself is off by" in row.finding.text()
    with pytest.raises(RunError, match="onnx: cannot be checked"):
        export([deep(90)], ["onnx"], Wish(f"{tmp_path}/"))


@given(specs())
@settings(max_examples=20)
def test_onnx_computes_the_network(spec: ArchSpec) -> None:
    runtime = pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    from zen_cli.exporters.to_onnx import write

    network = Network(spec)
    session = runtime.InferenceSession(write(network), providers=["CPUExecutionProvider"])
    for batch in (1, 3):
        images = torch.randn(batch, spec.in_channels, spec.resolution, spec.resolution)
        (logits,) = session.run(["logits"], {"images": images.numpy()})
        with torch.no_grad():
            wanted = network.reference(images)
        assert float((torch.from_numpy(logits) - wanted).abs().max()) <= TOLERANCE * float(wanted.abs().max())


def test_onnx_names_and_counts(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="the extra onnx is not installed")
    from zen_cli.exporters.to_onnx import OPSET, build_model

    network = Network(EVERYTHING)
    model = build_model(network)
    assert [row.version for row in model.opset_import] == [OPSET]
    names = {row.name for row in model.graph.initializer}
    assert names == {name for name in network.tensors if not name.endswith("num_batches_tracked")}
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    onnx.checker.check_model(model, full_check=True)


def test_the_seed_decides_the_weights() -> None:
    first, again, other = (Network(PLAIN, seed=seed).tensors for seed in (0, 0, 1))
    state = torch.random.get_rng_state()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["stem.conv.weight"], other["stem.conv.weight"])
    assert torch.equal(state, torch.random.get_rng_state())


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_a_trained_checkpoint_is_exported(suffix: str, tmp_path: Path) -> None:
    if suffix == ".safetensors":
        pytest.importorskip("safetensors", reason="the extra safetensors is not installed")
    net = Network(PLAIN, seed=5).module
    for tensor in net.parameters():
        tensor.data += 0.01
    path = tmp_path / f"trained{suffix}"
    if suffix == ".pt":
        torch.save({"state_dict": net.state_dict(), "epoch": 3}, path)
    else:
        from safetensors.torch import save_file

        save_file(net.state_dict(), path)
    export([PLAIN], ["torchscript"], Wish(f"{tmp_path}/out/", str(path)))
    images = torch.randn(2, 3, 32, 32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated in favour of torch.export, by a warning whose class changed
        loaded = torch.jit.load(tmp_path / "out" / "plain.torchscript")  # type: ignore[no-untyped-call]  # torch
    with torch.no_grad():
        torch.testing.assert_close(loaded(images), net(images))


def test_a_checkpoint_with_what_is_no_number_is_the_users_and_is_named(tmp_path: Path) -> None:
    state = Network(PLAIN, seed=5).module.state_dict()
    name = next(name for name, tensor in reversed(state.items()) if tensor.is_floating_point())
    state[name].view(-1)[0] = float("nan")
    torch.save(state, tmp_path / "nan.pt")
    with pytest.raises(SourceError, match=rf"nan\.pt: {re.escape(name)} holds what is no finite number; use "):
        export([PLAIN], ["torchscript"], Wish(f"{tmp_path}/out/", str(tmp_path / "nan.pt")))
    assert not (tmp_path / "out").exists()


def test_a_checkpoint_runs_no_code(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return os.mkdir, (str(tmp_path / "owned"),)

    torch.save({"state_dict": Trap()}, tmp_path / "trap.pt")
    with pytest.raises(Exception, match="loads safely"):
        read_tensors(tmp_path / "trap.pt")
    assert not (tmp_path / "owned").exists()


@given(specs())
@settings(max_examples=20)
def test_drawings_are_well_formed_and_name_every_part(spec: ArchSpec) -> None:
    network = Network(spec.replace(name='<&"] --> x'))
    for name in ("svg", "mermaid"):
        text = TARGETS[name].write(network).decode()
        assert all(part in text for part in ["x"])
        assert text.isprintable() or "\n" in text
    tree = ElementTree.fromstring(TARGETS["svg"].write(network))
    bars = [row for row in tree.iter("{http://www.w3.org/2000/svg}rect") if row.get("class") == "map-bar"]
    assert len(bars) == len(spec.units) + 1  # one in the legend
