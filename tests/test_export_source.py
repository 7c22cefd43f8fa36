"""The generated source: the same function as the training form, readable, safe, and what tools accept."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import strategies
import torch
from export_cases import EVERYTHING, PLAIN, specs
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from torch import nn

from zen_cli.errors import SpecError
from zen_cli.exporters.about import facts, safe
from zen_cli.exporters.layout import lay_out
from zen_cli.exporters.source import ExportSource
from zen_cli.exporters.timm_source import timm_source
from zen_cli.exporters.torch_source import torch_source
from zen_cli.formats.loading import load
from zen_cli.net import unit_modules
from zen_cli.net.module import build
from zen_cli.net.spec import ArchSpec

ROOT = Path(__file__).parents[1]


def run_source(text: str, name: str = "net") -> dict[str, Any]:
    """What a file defines."""
    home: dict[str, Any] = {"__name__": name}
    exec(text, home)
    return home


@given(specs())
@settings(max_examples=14)
def test_the_source_is_the_training_form(spec: ArchSpec) -> None:
    source = ExportSource(spec)
    images = torch.randn(2, spec.in_channels, spec.resolution, spec.resolution)
    with torch.no_grad():
        torch.testing.assert_close(source.module(images), source.reference(images), rtol=0, atol=0)
    assert sum(tensor.numel() for tensor in source.module.parameters()) == spec.cost.params


@given(specs())
@settings(max_examples=14)
def test_names_map_one_to_one_onto_the_module(spec: ArchSpec) -> None:
    source = ExportSource(spec)
    assert list(source.names) == list(build(spec).state_dict())
    assert list(source.names.values()) == list(source.module.state_dict())


@given(specs())
@settings(max_examples=14)
def test_features_are_one_map_a_scale(spec: ArchSpec) -> None:
    layout = lay_out(spec)
    assert [unit for section in layout.sections for unit in section.units] == list(spec.units)
    strides = [section.reduction for section in layout.features]
    assert strides == sorted(set(strides))
    net: Any = ExportSource(spec).module
    with torch.no_grad():
        features = net.forward_features(torch.randn(1, spec.in_channels, 33, 33))
    assert [tuple(row.shape[1:]) for row in features] == [
        (section.width, -(-33 // section.reduction), -(-33 // section.reduction)) for section in layout.features
    ]
    assert net.feature_strides == tuple(strides)
    assert net.feature_widths == tuple(section.width for section in layout.features)


def test_residual_units_start_as_their_shortcut_where_asked_for() -> None:
    make = run_source(torch_source(EVERYTHING))["ZenNet"]
    for zero, wanted in ((True, 0.0), (False, 1.0)):
        net = make(zero_init_residual=zero)
        units = [module for module in net.modules() if hasattr(module, "shortcut")]
        assert len(units) == sum(unit.kind.is_residual for unit in EVERYTHING.units)
        last = [unit.conv3 if hasattr(unit, "conv3") else unit.conv2 for unit in units]
        assert {float(conv.bn.weight.detach().abs().max()) for conv in last} == {wanted}


def test_initialisation_has_hes_variance() -> None:
    spec = EVERYTHING.replace(blocks=[{"op": "conv", "width": 64}, {"op": "conv", "width": 256}])
    conv = run_source(torch_source(spec))["ZenNet"]().head.conv
    assert isinstance(conv, nn.Conv2d)
    assert float(conv.weight.detach().std()) == pytest.approx((2 / (9 * 256)) ** 0.5, rel=0.02)


def test_another_number_of_classes_and_channels() -> None:
    net = run_source(torch_source(PLAIN))["ZenNet"](num_classes=3, in_channels=5).eval()
    assert net(torch.randn(1, 5, 40, 24)).shape == (1, 3)


def test_the_classes_of_a_file_are_those_of_the_program_and_no_others() -> None:
    text = torch_source(PLAIN)
    for kind in (unit_modules.ConvBN, unit_modules.ConvBNReLU, unit_modules.Residual, unit_modules.Bottleneck):
        assert inspect.getsource(kind) in text
    assert not any(name in text for name in ("Basic", "InvertedResidual", "SqueezeExcitation", "ConvSE", "partial"))
    whole = torch_source(EVERYTHING)
    own = inspect.getmembers(unit_modules, inspect.isclass)
    classes = {name for name, kind in own if kind.__module__ == unit_modules.__name__}
    classes -= {"SameConv2d"}  # of another padding than that of the network
    assert {node.name for node in ast.parse(whole).body if isinstance(node, ast.ClassDef)} == {
        *classes,
        "Backbone",
        "ZenNet",
    }


@given(st.text(max_size=80))
@settings(max_examples=100)
def test_a_name_cannot_leave_its_docstring(text: str) -> None:
    name = "".join(char for char in text if ord(char) >= 32 and ord(char) != 127)
    record = {"zen": {"value": 1.0, "estimator": text}, "search": {"space": text, "limits": {text: text}}}
    try:
        spec = PLAIN.replace(name=name)
    except SpecError:
        spec = PLAIN  # a name that no spec may have
    tree = ast.parse(torch_source(spec, record))
    assert isinstance(tree.body[0], ast.Expr)
    assert ast.dump(ast.Module(tree.body[1:], [])) == _CODE
    assert safe(text) == re.sub(r"[\\\"'`{}<>\n]", "", safe(text))


_CODE = ast.dump(ast.Module(ast.parse(torch_source(PLAIN)).body[1:], []))


def test_an_attack_in_a_record_is_only_text() -> None:
    attack = '"""\nraise SystemExit("owned")\n"""\\'
    record = {"zen": {"value": 1.5, "norm": attack}, "search": {"algorithm": attack}}
    assert run_source(torch_source(PLAIN, record))["ZenNet"]
    assert not any(char in row.text for row in facts(PLAIN, record) for char in '"\\\n')


def test_the_docstring_tells_cost_score_and_search() -> None:
    record = {
        "zen": {"value": 193.1, "std_error": 0.4, "estimator": "monte-carlo", "convention": "paper", "draws": 4},
        "search": {"space": "zennet-resnet", "algorithm": "evolution", "limits": {"params": 1_000_000}, "seed": 3},
    }
    text = ast.get_docstring(ast.parse(torch_source(PLAIN, record))) or ""
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


@given(st.lists(strategies.specs(max_width=60_000, max_blocks=6), min_size=20, max_size=20))
@settings(max_examples=2, derandomize=True, phases=[Phase.generate])
def test_files_are_formatted_and_without_lint(tmp_path_factory: pytest.TempPathFactory, rows: list[ArchSpec]) -> None:
    folder = tmp_path_factory.mktemp("source")
    for number, spec in enumerate([EVERYTHING, PLAIN, *rows]):
        (folder / f"net{number}.py").write_text(torch_source(spec), encoding="utf-8")
        (folder / f"net{number}_timm.py").write_text(timm_source(ExportSource(spec), f"net{number}_timm"))
    for words in (["check"], ["format", "--check"]):
        command = [sys.executable, "-m", "ruff", *words, "--no-cache", "--config", str(ROOT / "pyproject.toml"), "."]
        ruff = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert ruff.returncode == 0, ruff.stdout


def test_files_pass_mypy(tmp_path: Path) -> None:
    """Without following imports: how the parts of a file fit each other, which is what differs from file to file."""
    pytest.importorskip("mypy", reason="mypy is not installed")
    one = PLAIN.replace(blocks=[{"op": "basic", "width": 8, "mid_width": 8, "depth": 3}], num_classes=1)
    bare = PLAIN.replace(blocks=[{"op": "conv", "width": 8}])
    for number, spec in enumerate((EVERYTHING, PLAIN, one, bare)):
        (tmp_path / f"net{number}.py").write_text(torch_source(spec), encoding="utf-8")
    wrong = torch_source(PLAIN).replace("mid_width=8, kernel=3", "mid_width=8, kernel='3'")
    (tmp_path / "wrong.py").write_text(wrong, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=skip", "--allow-subclassing-any"]
    command += ["--python-version", "3.10", "--cache-dir", str(tmp_path / "cache"), "."]
    mypy = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    faults = [line for line in mypy.stdout.splitlines() if "error" in line and not line.startswith("Found")]
    assert len(faults) == 2, mypy.stdout
    assert all(line.startswith("wrong.py") and '"kernel"' in line for line in faults)


def test_a_file_checks_itself(capsys: pytest.CaptureFixture[str]) -> None:
    text = torch_source(EVERYTHING)
    run_source(text, "__main__")
    assert "as it should be" in capsys.readouterr().out
    broken = text.replace("mid_width=8, kernel=3)", "mid_width=9, kernel=3)", 1)
    assert broken != text
    with pytest.raises(SystemExit, match="parameters, not"):
        run_source(broken, "__main__")


def test_the_documentation_shows_what_is_written() -> None:
    page = (ROOT / "docs" / "export.md").read_text(encoding="utf-8")
    shown = page.partition("```python\nclass ZenNet(Backbone):\n")[2].partition("```")[0]
    text = torch_source(load(ROOT / "examples" / "networks" / "zennet-0.5M.json"))
    assert shown.strip()
    for part in shown.split("\n\n"):
        assert part.rstrip("\n") in text
