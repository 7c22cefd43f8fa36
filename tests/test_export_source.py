"""The generated source: the same function as the training form, readable, safe, and what tools accept."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from export_cases import EVERYTHING, PLAIN, specs
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from zen_cli.exporters.about import facts, safe
from zen_cli.exporters.layout import lay_out
from zen_cli.exporters.source_network import Network
from zen_cli.exporters.to_timm import timm_source
from zen_cli.net.module import build
from zen_cli.net.spec import ArchSpec

ROOT = Path(__file__).parents[1]


@given(specs())
@settings(max_examples=20)
def test_the_source_is_the_training_form(spec: ArchSpec) -> None:
    network = Network(spec)
    images = torch.randn(2, spec.in_channels, spec.resolution, spec.resolution)
    with torch.no_grad():
        torch.testing.assert_close(network.module(images), network.reference(images), rtol=0, atol=0)
    assert sum(tensor.numel() for tensor in network.module.parameters()) == spec.cost.params


@given(specs())
@settings(max_examples=20)
def test_names_map_one_to_one_onto_the_module(spec: ArchSpec) -> None:
    network = Network(spec)
    assert list(network.names) == list(build(spec).state_dict())
    assert set(network.names.values()) == set(network.module.state_dict())


@given(specs())
@settings(max_examples=20)
def test_features_are_one_map_a_scale(spec: ArchSpec) -> None:
    layout = lay_out(spec)
    assert [unit for part in layout.parts for unit in part.units] == list(spec.units)
    strides = [part.reduction for part in layout.features]
    assert strides == sorted(set(strides))
    net = Network(spec).module
    with torch.no_grad():
        features = net.get_submodule("").forward_features(torch.randn(1, spec.in_channels, 33, 33))  # type: ignore[operator]  # generated
    assert [tuple(row.shape[1:]) for row in features] == [
        (part.width, -(-33 // part.reduction), -(-33 // part.reduction)) for part in layout.features
    ]


def test_residual_units_start_as_their_shortcut_where_asked_for() -> None:
    source: dict[str, object] = {"__name__": "net"}
    exec(Network(EVERYTHING).source, source)
    make = source["ZenNet"]
    assert callable(make)
    for zero, wanted in ((True, 0.0), (False, 1.0)):
        net = make(zero_init_residual=zero)
        last = [m.conv2 if hasattr(m, "conv2") and not hasattr(m, "conv3") else m.conv3 for m in net.stage1]
        last += [m.conv3 for m in net.stage2]
        assert {float(conv.bn.weight.detach().abs().max()) for conv in last} == {wanted}


def test_initialisation_has_hes_variance() -> None:
    source: dict[str, object] = {"__name__": "net"}
    exec(Network(EVERYTHING.replace(blocks=[{"op": "conv", "width": 64}, {"op": "conv", "width": 256}])).source, source)
    make = source["ZenNet"]
    assert callable(make)
    conv = make().head.conv
    assert isinstance(conv, nn.Conv2d)
    assert float(conv.weight.detach().std()) == pytest.approx((2 / (9 * 256)) ** 0.5, rel=0.02)


def test_another_number_of_classes_and_channels() -> None:
    source: dict[str, object] = {"__name__": "net"}
    exec(Network(PLAIN).source, source)
    make = source["ZenNet"]
    assert callable(make)
    assert make(num_classes=3, in_channels=5).eval()(torch.randn(1, 5, 40, 24)).shape == (1, 3)


@given(st.text(max_size=80))
@settings(max_examples=200)
def test_a_name_cannot_leave_its_docstring(text: str) -> None:
    name = "".join(char for char in text if ord(char) >= 32 and ord(char) != 127)
    record = {"zen": {"value": 1.0, "estimator": text}, "search": {"space": text, "budgets": {text: text}}}
    source = Network(PLAIN.replace(name=name), record).source
    tree = ast.parse(source)
    assert isinstance(tree.body[0], ast.Expr)
    assert ast.dump(ast.Module(tree.body[1:], [])) == _CODE
    assert safe(text) == re.sub(r"[\\\"'`{}<>\n]", "", safe(text))


_CODE = ast.dump(ast.Module(ast.parse(Network(PLAIN).source).body[1:], []))


def test_an_attack_in_a_record_is_only_text() -> None:
    attack = '"""\nraise SystemExit("owned")\n"""\\'
    network = Network(PLAIN, {"zen": {"value": 1.5, "norm": attack}, "search": {"algorithm": attack}})
    assert network.module(torch.zeros(1, 3, 32, 32)).shape == (1, 10)
    assert not any(char in row.text for row in facts(PLAIN, network.record) for char in '"\\\n')


def test_the_docstring_tells_cost_score_and_search() -> None:
    record = {
        "zen": {"value": 193.1, "std_error": 0.4, "estimator": "monte-carlo", "convention": "paper", "draws": 4},
        "search": {"space": "zennet-resnet", "algorithm": "evolution", "budgets": {"params": 1_000_000}, "seed": 3},
    }
    text = ast.get_docstring(ast.parse(Network(PLAIN, record).source)) or ""
    total = PLAIN.cost
    for words in (
        f"{total.params:,}",
        f"{total.macs:,}",
        PLAIN.id,
        "193.10 +- 0.40 nats",
        "space zennet-resnet",
        "1,000,000",
    ):
        assert words in text


def test_the_source_passes_ruff_and_mypy(tmp_path: Path) -> None:
    pytest.importorskip("mypy", reason="mypy is not installed")
    one = PLAIN.replace(blocks=[{"op": "basic", "width": 8, "mid_width": 8, "depth": 3}], num_classes=1)
    bare = PLAIN.replace(blocks=[{"op": "conv", "width": 8}])
    config = str(ROOT / "pyproject.toml")
    for number, spec in enumerate((EVERYTHING, PLAIN, one, bare)):
        network = Network(spec, module_name=f"net{number}")
        (tmp_path / f"net{number}.py").write_text(network.source)
        (tmp_path / f"net{number}_timm.py").write_text(timm_source(network, f"net{number}_timm"))
    for words in (["check"], ["format", "--check"]):
        ruff = subprocess.run(
            [sys.executable, "-m", "ruff", *words, "--no-cache", "--config", config, "."],
            cwd=tmp_path, capture_output=True, text=True,
        )  # fmt: skip
        assert ruff.returncode == 0, ruff.stdout
    command = [sys.executable, "-m", "mypy", "--strict", "--python-version", "3.10", "--cache-dir", str(tmp_path / "c")]
    plain = [str(path) for path in sorted(tmp_path.glob("net?.py"))]
    mypy = subprocess.run([*command, *plain], cwd=tmp_path, capture_output=True, text=True)
    assert mypy.returncode == 0, mypy.stdout


def test_the_file_checks_itself_without_zen(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text(Network(EVERYTHING).source)
    barrier = (
        "import sys; sys.modules['zen_cli'] = None; import runpy; runpy.run_path(sys.argv[1], run_name='__main__')"
    )
    child = subprocess.run([sys.executable, "-c", barrier, str(path)], cwd=tmp_path, capture_output=True, text=True)
    assert child.returncode == 0, child.stderr
    assert "as it should be" in child.stdout
    broken = path.read_text().replace("depth=2, mid_width=8", "depth=3, mid_width=8")
    path.write_text(broken)
    child = subprocess.run([sys.executable, "-c", barrier, str(path)], cwd=tmp_path, capture_output=True, text=True)
    assert child.returncode == 1
    assert "parameters, not" in child.stderr
