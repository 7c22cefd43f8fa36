"""Networks that are traced, as a user names them: records that read back, layers by name, and every bad input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from cli_here import ZenHere
from torch import nn
from trace_modules import Dense, Net, Residual

from zen_cli import load, score
from zen_cli.errors import SpecError, TraceError, UsageError
from zen_cli.net.traced import TracedNetwork, parse_chain

HERE = str(Path(__file__).parent)
FORM = ("score", "--estimator", "mean-field", "--format", "jsonl", "--path", HERE)


def module(factory: str) -> str:
    return f"module:trace_modules:{factory}"


def test_a_module_is_scored_by_both_estimators(zen_here: ZenHere) -> None:
    for options in ([], ["--estimator", "monte-carlo", "--draws", "2", "--batch-size", "2", "--device", "cpu"]):
        done = zen_here(*FORM, *options, module("make"), "--resolution", "16")
        assert done.code == 0
        assert "imported trace_modules and called make: this alone runs code that you name" in done.err
        (row,) = done.rows
        assert row["source"] == row["name"] == module("make")
        assert "arch" not in row and len(row["chain"]) == row["cost"]["layers"] == 2


def test_arguments_reach_the_factory(zen_here: ZenHere) -> None:
    done = zen_here(*FORM, module("make"), "--arg", "width=16", "--arg", "classes=3", "--resolution", "16")
    assert done.rows[0]["cost"]["params"] == sum(p.numel() for p in Net(width=16, classes=3).parameters())


def test_channels_are_those_of_the_first_convolution(zen_here: ZenHere) -> None:
    assert zen_here(*FORM, module("gray")).rows[0]["chain"][0]["in_width"] == 1


def test_what_a_factory_prints_is_no_data(zen_here: ZenHere) -> None:
    done = zen_here(*FORM, module("prints"))
    assert len(done.rows) == 1 and "made by the factory" in done.err


def test_a_record_reads_back_to_the_same_record(zen_here: ZenHere) -> None:
    first = zen_here(*FORM, module("ready"), module("Net"), "--resolution", "32").out
    again = zen_here("score", "--estimator", "mean-field", "-", stdin=first).out
    assert first == again
    (zen_here.folder / "kept.jsonl").write_text(first)
    assert zen_here("score", "--estimator", "mean-field", "kept.jsonl").out == first
    network = load(zen_here.folder / "kept.jsonl") if first.count("\n") == 1 else None
    assert network is None or isinstance(network, TracedNetwork)


def test_a_breakdown_names_the_layers_of_the_module(zen_here: ZenHere) -> None:
    done = zen_here(*FORM, module("make"), "--breakdown")
    assert [layer["module"] for layer in done.rows[0]["breakdown"]["layers"]] == ["stem.0", "end.0"]
    table = zen_here(
        "score", "--estimator", "mean-field", "--path", HERE, module("make"), "--breakdown", "--format", "table"
    )
    assert "stem.0" in table.out and "3x3/2" in table.out


BAD = [
    (["module:trace_modules:fails"], "the factory failed with ValueError: first line second line"),
    (["module:trace_modules:leaves"], "the factory failed with SystemExit: 7"),
    (["module:trace_modules:number"], "the factory returned int; it must return an nn.Module"),
    (["module:trace_modules:NeedsGpu"], "the factory failed with RuntimeError: Found no NVIDIA driver"),
    (["module:trace_modules:text"], "text of trace_modules is str, which cannot be called"),
    (["module:trace_modules:mak"], 'trace_modules has no mak; did you mean "make"?'),
    (["module:trace_module:make"], "there is no module trace_module; name the folder that it is in by path"),
    (["module:trace_modules"], "is no name of a factory; write module:PACKAGE.MODULE:FACTORY"),
    (["module:trace_modules:__import__('os')"], "is no name of a factory"),
    (["module:trace_modules:make", "--arg", "width"], "--arg: 'width' is no argument; write it like width=2"),
    (["module:trace_modules:make", "--arg", "a=1", "--arg", "a=2"], "--arg: a is given twice"),
    (["module:trace_modules:make", "--arg", "depth=2"], "the factory failed with TypeError"),
    (["module:trace_modules:make", "--num-classes", "3"], "--num-classes: has no effect on module:"),
    (["module:trace_modules:make", "--path", "nowhere"], "--path: nowhere is no folder"),
    (["module:trace_modules:Star"], "it multiplies feature maps with each other"),
    (["SuperConvK3BNRELU(3,8,1,2)", "--arg", "width=2"], "--arg: has no effect without module:"),
]


@pytest.mark.parametrize(("words", "message"), BAD)
def test_a_bad_module_is_one_line(zen_here: ZenHere, words: list[str], message: str) -> None:
    done = zen_here("score", "--estimator", "mean-field", "--path", HERE, *words, "--quiet")
    done.fails(message)


def test_a_bad_network_does_not_stop_the_others(zen_here: ZenHere) -> None:
    done = zen_here(*FORM, module("fails"), module("make"), "--quiet")
    assert done.code == 2 and len(done.rows) == 1


def test_notes_are_said_once_with_the_first_place(zen_here: ZenHere) -> None:
    (zen_here.folder / "nets.py").write_text(
        "from trace_modules import Dense, Net\n\ndef dense():\n    return Net(Dense())\n"
    )
    done = zen_here("score", "--estimator", "mean-field", "--path", ".", "module:nets:dense", "module:nets:dense")
    assert done.err.count("it joins branches by concatenation") == 1


RECORD: dict[str, Any] = {
    "source": "other:net",
    "chain": [{"in_width": 3, "out_width": 8, "kernel": [3, 3], "in_size": [8, 8], "padding": [1, 1]}],
    "cost": {"params": 1, "macs": 2, "activations": 3, "layers": 1, "sublayers": 1},
}
LAYER = RECORD["chain"][0]
POOL = {"kind": "max", "kernel": [1, 1], "stride": [1, 1], "padding": [0, 0]}
BROKEN: list[tuple[dict[str, Any], str]] = [
    ({"chain": []}, "chain: is empty"),
    ({"chain": "x"}, "chain: must be an array"),
    ({"chain": [{**LAYER, "kernel": [9, 9]}] * 2, "padding": 0}, ""),
    ({"chain": [{**LAYER, "kernel": [11, 3]}]}, "chain[0].kernel: is larger than the padded map"),
    ({"chain": [{**LAYER, "groups": 2}]}, "chain[0].groups: 2 does not divide the widths 3 and 8"),
    ({"chain": [{**LAYER, "kernel": 3}]}, "chain[0].kernel: must be an array"),
    ({"chain": [{**LAYER, "colour": 3}]}, "chain[0].colour: unknown key"),
    ({"chain": [{**LAYER, "in_width": 10**9}]}, "chain[0].in_width"),
    ({"chain": [{**LAYER, "activation": False}]}, "chain: ends with a layer without activation"),
    (
        {"chain": [{**LAYER, "pool": {"kind": "sum", "kernel": [1, 1], "stride": [1, 1], "padding": [0, 0]}}]},
        "pool.kind",
    ),
    ({"cost": {"params": 1}}, "cost: must hold params, macs"),
    ({"cost": {**RECORD["cost"], "macs": 1.5}}, "cost.macs: must be a whole number"),
    ({"source": None}, "source: must be a string"),
    ({"source": "a\u202eb"}, "source: holds a control character"),
]


@pytest.mark.parametrize(("change", "message"), BROKEN)
def test_a_broken_record_of_layers_is_one_line(zen_here: ZenHere, change: dict[str, Any], message: str) -> None:
    document = json.dumps({**RECORD, **change})
    if not message:
        assert zen_here("score", "--estimator", "mean-field", "-", stdin=document).code == 0
        return
    zen_here("score", "--estimator", "mean-field", "-", stdin=document).fails(message)


def test_a_record_of_layers_has_its_size(zen_here: ZenHere) -> None:
    done = zen_here("score", "--resolution", "32", "-", stdin=json.dumps(RECORD))
    done.fails("resolution: cannot change in a record of layers; score its source")


def test_the_parts_of_a_record_are_read_strictly() -> None:
    assert parse_chain(RECORD, "here").cost.macs == 2
    with pytest.raises(SpecError, match=r"^here: chain: holds 10001 layers"):
        parse_chain({**RECORD, "chain": [LAYER] * 10_001}, "here")


def test_python_takes_a_module_and_the_size_of_its_images() -> None:
    record = score(Net(Residual()), input_size=(3, 16, 16), estimator="mean-field", breakdown=True)
    assert record.name == "Net" and record.source == "trace_modules.Net"
    assert record.breakdown is not None and record.breakdown.layers[1].module == "middle.one.0"
    with pytest.raises(UsageError, match="input_size: a module does not say which images it takes"):
        score(Net())
    with pytest.raises(UsageError, match=r"input_size: .* is no channels, height and width"):
        score(Net(), input_size=(16, 16))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="input_size: has no effect"):
        score(load_of(), input_size=(3, 16, 16))
    with pytest.raises(TraceError, match="a chain needs two convolutions"):
        score(nn.Sequential(nn.Flatten(), nn.Linear(12, 2)), input_size=(3, 2, 2))


def load_of() -> TracedNetwork:
    return parse_chain(RECORD, "here")


def test_tracing_takes_no_random_numbers() -> None:
    state = torch.get_rng_state()
    first, second = (score(Net(Dense()), input_size=(3, 16, 16), estimator="mean-field").id for _ in range(2))
    assert first == second
    assert not torch.equal(torch.get_rng_state(), state)  # the modules did


def test_timm_is_traced_without_weights(zen_here: ZenHere) -> None:
    pytest.importorskip("timm", reason="needs the extra timm")
    done = zen_here("score", "--estimator", "mean-field", "timm:resnet18", "torchvision:resnet18", "--quiet")
    first, second = done.rows
    assert first["chain"] == second["chain"] and first["cost"] == second["cost"]
    assert first["cost"]["params"] == 11_689_512
    zen_here("score", "timm:resnet1", "--quiet").fails('timm has no model of this name; did you mean "resnet')
    zen_here("score", "timm:hf-hub:a/b", "--quiet").fails("timm has no model of this name")
    zen_here("score", "timm:vit_tiny_patch16_224", "--quiet").fails("it has attention")
    zen_here("score", "torchvision:deeplabv3_resnet50", "--quiet").fails("torchvision has no classifier of this name")


def test_a_missing_package_names_its_extra(zen_here: ZenHere, monkeypatch: pytest.MonkeyPatch) -> None:
    for package, name in (("timm", "timm:resnet18"), ("torchvision", "torchvision:resnet18")):
        monkeypatch.setitem(__import__("sys").modules, package, None)
        zen_here("score", name, "--quiet").fails(f"{name}: needs {package}; pip install 'zen-cli[timm]'")
