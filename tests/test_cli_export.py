"""`zen export` as a user runs it: files or a pipe, all or nothing, and one line where something is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cli import ENVIRONMENT, Zen
from cli_here import ZenHere
from export_cases import EVERYTHING, PLAIN

from zen_cli.cli.options import choices
from zen_cli.exporters import table
from zen_cli.exporters.check import Checker
from zen_cli.exporters.plan import RESERVED, module_name
from zen_cli.exporters.table import TARGETS, find_targets
from zen_cli.formats.plainnet import to_plainnet
from zen_cli.net.spec import parse_spec

Write = Callable[[str, str | bytes | dict[str, Any]], str]

SPEC = json.dumps(PLAIN.to_dict())
OTHER = json.dumps(EVERYTHING.to_dict())


def names(zen: Zen | ZenHere) -> set[str]:
    return {str(path.relative_to(zen.folder)) for path in zen.folder.rglob("*") if path.is_file()}


def test_a_pipe_gets_the_text_alone(zen_here: ZenHere) -> None:
    done = zen_here("export", "-", "--to", "plainnet", "--quiet", stdin=SPEC)
    assert (done.code, done.out, done.err) == (0, to_plainnet(PLAIN) + "\n", "")
    done = zen_here("export", "-", "--to", "json", "-o", "-", stdin=SPEC)
    assert json.loads(done.out) == json.loads(SPEC)
    assert "the same network" in done.err
    assert names(zen_here) == set()


def test_several_specs_are_lines_that_read_back(zen_here: ZenHere) -> None:
    done = zen_here("export", "-", "--to", "json", "-q", stdin=f"{SPEC}\n{OTHER}\n")
    assert [parse_spec(json.loads(line)).id for line in done.out.splitlines()] == [PLAIN.id, EVERYTHING.id]
    assert zen_here("export", "-", "--to", "json", "-q", stdin=done.out).out == done.out


def test_what_score_writes_is_exported_with_its_provenance(zen_here: ZenHere) -> None:
    record = zen_here("score", "-", "--estimator", "mean-field", stdin=SPEC).out
    done = zen_here("export", "-", "--to", "torch,onnx", "-o", "out/", stdin=record)
    assert done.code == 0, done.err
    assert names(zen_here) == {"out/plain.py", "out/plain.onnx"}
    assert "mean-field, paper convention" in (zen_here.folder / "out" / "plain.py").read_text()
    for words in ("agrees to", "8 x 32 x 32", "parameters and MACs counted again", "without zen", "0.0001 allowed"):
        assert words in done.err
    assert done.out == ""


def test_several_networks_get_names_of_their_ids(zen_here: ZenHere) -> None:
    done = zen_here("export", "-", "--to", "svg,json", "-o", "out", stdin=f"{SPEC}\n{OTHER}\n")
    assert done.code == 0, done.err
    stems = {f"out/zennet_{spec.id}" for spec in (PLAIN, EVERYTHING)}
    assert names(zen_here) == {stem + suffix for stem in stems for suffix in (".svg", ".json")}


def test_a_single_file_has_the_name_that_was_given(zen_here: ZenHere) -> None:
    assert zen_here("export", "-", "--to", "torch", "-o", "mine.py", "--weights", "seed", stdin=SPEC).code == 0
    assert names(zen_here) == {"mine.py", "mine.pt"}
    assert "import mine " in (zen_here.folder / "mine.py").read_text()


def test_resolution_and_classes_come_from_the_options(zen_here: ZenHere) -> None:
    done = zen_here("export", "-", "--to", "json", "--resolution", "64", "--num-classes", "7", "-q", stdin=SPEC)
    assert (json.loads(done.out)["resolution"], json.loads(done.out)["num_classes"]) == (64, 7)


@pytest.mark.parametrize(
    ("words", "stdin", "message"),
    [
        (["--to", "tourch"], SPEC, ("--to: unknown", '"torch"')),
        ([], SPEC, ("--to: missing", "onnx")),
        (["--to", "json"], "", ("stdin: is empty",)),
        (["--to", "json"], SPEC[:-1], ("stdin:1", "ends too early")),
        (["--to", "json"], '{"schema": "zen-score/1", "id": "0"}', ("a record without arch",)),
        (["--to", "json"], SPEC + "\n{}", ("stdin:2",)),
        (["--to", "onnx"], SPEC, ("--out: missing", "net.onnx")),
        (["--to", "torch,json"], SPEC, ("--out: missing", "folder")),
        (["--to", "torch"], f"{SPEC}\n{OTHER}", ("--out: missing", "2 networks")),
        (["--to", "torch", "--weights", "seed"], SPEC, ("--out: missing", "weights are not text")),
        (["--to", "torch", "-o", "a.py"], f"{SPEC}\n{OTHER}", ("one file name for several networks", "folder")),
        (["--to", "torch", "-o", "out/"], f"{SPEC}\n{SPEC}", ("stdin:2", "stdin:1", "two networks for one file")),
        (["--to", "torch", "-o", "1-2.py"], SPEC, ("cannot import",)),
        (["--to", "torch", "-o", "class.py"], SPEC, ("cannot import",)),
        (["--to", "torch", "-o", "sympy.py"], SPEC, ("instead of sympy", "net_sympy.py")),
        (["--to", "torch", "-o", "net"], SPEC, ("--out: net", "net.py", "net/")),
        (["--to", "torch", "-o", "net.txt"], SPEC, ("--out: net.txt", "net.py", "net/")),
        (["--to", "torch", "-o", "file/out/"], SPEC, ("file", "is not a folder")),
        (["--to", "torch", "-o", "file/net.py"], SPEC, ("file", "is not a folder")),
        (["--to", "json", "-o", "file"], SPEC, ("file: exists", "--force")),
        (["--to", "json,svg", "-o", "file"], SPEC, ("file", "is not a folder")),
        (["--to", "plainnet"], OTHER, ("stdin:1: plainnet:", "squeeze-and-excitation", "export to json")),
        (["--to", "onnx", "--weights", "none", "-o", "a.onnx"], SPEC, ("--weights", "onnx files have weights")),
        (["--to", "onnx", "--weights", "sed", "-o", "a.onnx"], SPEC, ("--weights", '"seed"')),
        (["--to", "onnx", "--weights", "a.pt", "-o", "a.onnx"], SPEC, ("--weights", "no file")),
        (["--to", "onnx", "--weights", "file", "-o", "a.onnx"], SPEC, ("file", "not a checkpoint")),
        (["--to", "onnx", "--weights", "file", "-o", "out/"], f"{SPEC}\n{OTHER}", ("one checkpoint", "one by one")),
        (["--to", "svg", "--weights", "seed", "-o", "a.svg"], SPEC, ("--weights", "svg files have none")),
        (["--to", "onnx", "--opset", "8", "-o", "a.onnx"], SPEC, ("--opset: 8", "use 9 to")),
        (
            ["--to", "onnx,torch", "--merge", "-o", "out/"],
            SPEC,
            ("--merge: is for files that only run",),
        ),
        (["--to", "torch", "--opset", "17"], SPEC, ("--opset: is of ONNX files",)),
        (["--to", "json", "--seed", "-1"], SPEC, ("--seed: '-1' is too small; use at least 0",)),
        (["--to", "torch", "-o", "a.py"], SPEC.replace('"width": 8', '"width": "8"'), ("width",)),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else None,
)
def test_bad_input_is_one_line_and_leaves_nothing(
    zen_here: ZenHere, write: Write, words: list[str], stdin: str, message: tuple[str, ...]
) -> None:
    write("file", "content")
    zen_here("export", "-", *words, stdin=stdin).fails(*message)
    assert names(zen_here) == {"file"}
    assert (zen_here.folder / "file").read_text() == "content"
    assert [path.name for path in zen_here.folder.iterdir()] == ["file"]


def test_one_existing_file_keeps_all_from_being_written_unless_forced(zen_here: ZenHere) -> None:
    (zen_here.folder / "out").mkdir()
    (zen_here.folder / "out" / "plain.svg").write_text("mine")
    words = ("export", "-", "--to", "json,svg,mermaid", "-o", "out")
    zen_here(*words, stdin=SPEC).fails("plain.svg: exists", "--force")
    assert names(zen_here) == {"out/plain.svg"}
    assert zen_here(*words, "--force", stdin=SPEC).code == 0
    assert names(zen_here) == {"out/plain.svg", "out/plain.json", "out/plain.mmd"}
    assert "<svg" in (zen_here.folder / "out" / "plain.svg").read_text()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write into every folder")
def test_a_folder_without_permission_is_refused_early(zen_here: ZenHere) -> None:
    folder = zen_here.folder / "locked"
    folder.mkdir(mode=0o500)
    for place in ("locked/a.json", "locked/new/a.json"):
        zen_here("export", "-", "--to", "json", "-o", place, stdin=SPEC).fails("locked", "permission denied")


def test_a_missing_extra_names_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "find_spec", lambda name: name == "torch" or None)
    for name, target in TARGETS.items():
        if target.needs:
            with pytest.raises(Exception, match=rf"to: {name} needs .*pip install 'zen-cli\[{target.extra}\]'"):
                find_targets([name])
        else:
            assert find_targets([name]) == [target]


def test_without_torch_the_targets_that_need_none_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "find_spec", lambda name: None if name == "torch" else name)
    for name, target in TARGETS.items():
        if target.check is None:
            assert find_targets([name]) == [target]
        else:
            with pytest.raises(Exception, match=f"to: {name} needs torch.*, or use json, plainnet, mermaid, svg"):
                find_targets([name])


def test_names_can_be_imported_and_shadow_no_module() -> None:
    for name, wanted in (
        ("ZenNet 1.0M", "zennet_1_0m"),
        ("1M", "zennet_1m"),
        ("class", "zennet_class"),
        ("torch", "zennet_torch"),
        ("sympy", "zennet_sympy"),
        ("PIL", "zennet_pil"),
        ("json", "zennet_json"),
        ("../../etc/passwd", "etc_passwd"),
        ("***", f"zennet_{PLAIN.id}"),
        ("x" * 200, "x" * 60),
    ):
        stem = module_name(PLAIN.replace(name=name))
        assert stem == wanted
        assert stem.isidentifier()


def test_reserved_names_are_all_that_the_packages_of_the_targets_import(checker: Checker, tmp_path: Path) -> None:
    """By a file that imports them where exported files are loaded, and says the names as its fault."""
    import torch

    needed = {name for target in TARGETS.values() for name in target.needs}
    modules = ["torch", "torch.export", "torch.utils.flop_counter", "torch._dynamo", *sorted(needed)]
    script = (
        "import sys, importlib\n"
        f"for name in {modules!r}:\n"
        "    try: importlib.import_module(name)\n"
        "    except ImportError: pass\n"
        "own = {name.partition('.')[0] for name, row in sys.modules.items() if getattr(row, '__file__', None)}\n"
        "raise RuntimeError(' '.join(own))"
    )
    (tmp_path / "net.py").write_text(script, encoding="utf-8")
    torch.save({"tensors": {}, "cases": [(torch.zeros(1), torch.zeros(1))]}, tmp_path / "reference.pt")
    job = {"reference": str(tmp_path / "reference.pt"), "source": "", "files": [["torch", str(tmp_path / "net.py")]]}
    (tmp_path / "job.json").write_text(json.dumps(job), encoding="utf-8")
    (row,) = checker.rows(tmp_path)
    kind, *found = row["error"].split()
    assert kind == "RuntimeError:"
    assert {"torch", *(name for name in needed if find_spec(name))} <= set(found)
    own = {name for name in found if not name.startswith(("__", "_sysconfigdata", "exported_"))}
    assert own <= RESERVED | sys.stdlib_module_names


def test_the_help_and_the_completion_list_every_target(zen_here: ZenHere) -> None:
    text = " ".join(zen_here("export", "--help").out.split())
    for name in TARGETS:
        assert name in text
    assert choices(*TARGETS)("torch,") == [f"torch,{name}" for name in TARGETS if name != "torch"]


def test_what_triton_would_report_at_the_end_is_left_to_be_collected(
    zen_here: ZenHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `torch.export` loads prints what was not taken down; it was forty lines."""
    frozen: list[bool] = []
    monkeypatch.setattr("gc.freeze", lambda: frozen.append("triton" in sys.modules))
    monkeypatch.delitem(sys.modules, "triton", raising=False)
    assert zen_here("--version").code == 0
    monkeypatch.setitem(sys.modules, "triton", ModuleType("triton"))
    assert zen_here("--version").code == 0
    assert frozen == [False]


def test_a_closed_pipe_ends_quietly() -> None:
    wide = PLAIN.replace(blocks=[{"op": "conv", "width": 8}] * 900)
    child = subprocess.Popen(
        [sys.executable, "-m", "zen_cli", "export", "-", "--to", "svg", "-q"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT,
    )  # fmt: skip
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdout.close()
    child.stdin.write(json.dumps(wide.to_dict()).encode())
    child.stdin.close()
    assert child.stderr.read() == b""
    child.stderr.close()
    assert child.wait() == 0
