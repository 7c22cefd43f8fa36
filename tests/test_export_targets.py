"""Every target: loaded in a process without zen, it computes what the network computes, and counts the same."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Any
from xml.etree import ElementTree

import pytest
import torch
from export_cases import EVERYTHING, PLAIN, specs, with_se
from hypothesis import given, settings

from zen_cli.errors import RunError
from zen_cli.exporters import torch_source
from zen_cli.exporters.check import TOLERANCE, Checker
from zen_cli.exporters.plan import ExportOptions
from zen_cli.exporters.run import export
from zen_cli.exporters.source import ExportSource
from zen_cli.exporters.table import TARGETS
from zen_cli.exporters.weights import random_images
from zen_cli.formats.plainnet import parse_plainnet
from zen_cli.nas.space import BUILTIN, load_space, to_spec
from zen_cli.net.spec import ArchSpec, parse_spec

INSTALLED = [name for name, row in TARGETS.items() if all(find_spec(module) for module in row.needs)]


def test_every_target_agrees_with_the_network(tmp_path: Path, checker: Checker) -> None:
    targets = [name for name in INSTALLED if name != "plainnet"]
    headless = PLAIN.replace(name=None, blocks=[{"op": "basic", "width": 8, "mid_width": 4, "stride": 2}])
    options = ExportOptions(f"{tmp_path}/", "seed")
    done = export([EVERYTHING, headless], targets, options, checker=checker)
    assert {row.target for row in done} == {*targets, "weights"}
    for row in done:
        assert row.path is not None
        assert row.path.stat().st_size
        target = TARGETS.get(row.target, TARGETS["torch"])
        if target.check is None:
            assert row.finding.words
            continue
        assert row.finding.difference is not None
        assert row.finding.difference <= TOLERANCE
        assert {shape[0] for shape in row.finding.shapes} == {1, 8}
        assert len({shape[2] for shape in row.finding.shapes}) == (2 if target.any_side else 1)
    assert {path.suffix for path in tmp_path.iterdir()} == {Path(str(row.path)).suffix for row in done}


def test_members_of_every_space_and_a_published_network_agree(
    published: list[dict[str, Any]], tmp_path: Path, checker: Checker
) -> None:
    rows = []
    for number, name in enumerate(BUILTIN):
        space: Any = load_space(name)
        rng, base = Random(number), space.seed(32)
        genome = space.smallest(base)[0]
        for _ in range(8):
            genome = space.mutate(genome, rng)
        spec = to_spec(space.genes(genome, base), base).replace(resolution=32)
        rows.append(with_se(spec) if number % 2 else spec)
    (fact,) = [fact for fact in published if fact["name"] == "zennet-400M-se"]
    rows.append(with_se(parse_plainnet(fact["structure"], resolution=32, num_classes=fact["num_classes"])))
    targets = [name for name in ("torch", "onnx") if name in INSTALLED]
    done = export(rows, targets, ExportOptions(f"{tmp_path}/"), checker=checker)
    assert len(done) == len(rows) * len(targets)
    assert len(rows) == len(BUILTIN) + 1


def test_a_wrong_export_does_not_pass(tmp_path: Path, checker: Checker, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = torch_source.torch_source
    for right, wrong, words in (
        ("torch.relu(self.residual(x)", "(self.residual(x)", "torch: differs from the network"),
        ("import math", "import math, zen_cli", "torch: does not pass its check: .*must not be needed here"),
        ("feature_strides = (1, 2)", "feature_strides = (1, 3)", r"a feature map is \(16, 16\) at stride 3"),
        ("mid_width=8, kernel=3)", "mid_width=8, kernel=1)", "size mismatch"),
    ):
        assert right in honest(PLAIN)
        monkeypatch.setattr(
            torch_source, "torch_source", lambda *words, a=right, b=wrong: honest(*words).replace(a, b, 1)
        )
        with pytest.raises(RunError, match=words):
            export([PLAIN], ["torch"], ExportOptions(f"{tmp_path}/"), checker=checker)
        assert not list(tmp_path.iterdir())


def test_a_file_that_ends_the_process_that_checks_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = torch_source.torch_source
    monkeypatch.setattr(
        torch_source,
        "torch_source",
        lambda *words: honest(*words) + "import os, sys\nsys.stderr.write('gone')\nos._exit(3)\n",
    )
    with pytest.raises(RunError, match="the check of exported files failed: gone"):
        export([PLAIN], ["torch"], ExportOptions(f"{tmp_path}/"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("spec", [EVERYTHING, PLAIN], ids=lambda spec: spec.name)
def test_the_comparison_sees_every_tensor(spec: ArchSpec) -> None:
    images = random_images(2, 3, 32, torch.Generator().manual_seed(1))
    net = ExportSource(spec).reference
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
    for fact in [fact for fact in published if fact["name"] in ("zennet-1.0M", "zennet-400M-se")]:  # deep and small
        spec = parse_plainnet(fact["structure"], resolution=32, num_classes=fact["num_classes"])
        net = ExportSource(with_se(spec) if se else spec).reference
        images = random_images(8, 3, 32, torch.Generator().manual_seed(1))
        with torch.no_grad():
            single, double = net(images), net.double()(images.double())
        difference = (single - double).abs().amax(1) / double.abs().amax(1)
        assert float(difference.max()) < TOLERANCE, fact["name"]


def deep(depth: int) -> ArchSpec:
    """A chain without shortcuts: it amplifies rounding by a fifth in every layer."""
    block = {"op": "conv", "kernel": 3, "width": 16, "stride": 1, "depth": depth}
    return parse_spec({"resolution": 16, "num_classes": 10, "blocks": [block]})


def test_a_network_may_differ_by_what_float32_does_to_it(tmp_path: Path, checker: Checker) -> None:
    pytest.importorskip("onnxruntime")
    source = ExportSource(deep(56))
    assert TOLERANCE < source.rounding < 1e-2
    (row,) = export([source.spec], ["onnx"], ExportOptions(f"{tmp_path}/"), checker=checker)
    assert "float32 itself is off by" in row.finding.text()
    with pytest.raises(RunError, match="onnx: cannot be checked"):
        export([deep(90)], ["onnx"], ExportOptions(f"{tmp_path}/"), checker=checker)


def test_the_seed_decides_the_weights() -> None:
    first, again, other = (ExportSource(PLAIN, seed=seed).tensors for seed in (0, 0, 1))
    state = torch.random.get_rng_state()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["stem.conv.weight"], other["stem.conv.weight"])
    assert torch.equal(state, torch.random.get_rng_state())


@given(specs())
@settings(max_examples=20)
def test_drawings_are_well_formed_and_name_every_section(spec: ArchSpec) -> None:
    source = ExportSource(spec.replace(name='<&"] --> x'))
    for name in ("svg", "mermaid"):
        text = TARGETS[name].write(source, "x").decode()
        assert "stage1" in text or "stem" in text
        assert text.isprintable() or "\n" in text
    tree = ElementTree.fromstring(TARGETS["svg"].write(source, "x"))
    bars = [row for row in tree.iter("{http://www.w3.org/2000/svg}rect") if row.get("class") == "map-bar"]
    assert len(bars) == len(spec.units) + 1  # one in the legend
