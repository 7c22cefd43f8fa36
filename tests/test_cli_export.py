"""`zen export` as a user runs it: files or a pipe, all or nothing, and one line where something is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from cli import ENVIRONMENT, Zen
from export_cases import EVERYTHING, PLAIN

from zen_cli.exporters import TARGETS, find_targets, registry
from zen_cli.exporters.files import module_name
from zen_cli.formats.plainnet import to_plainnet
from zen_cli.net.spec import parse_spec

Write = Callable[[str, str | bytes | dict[str, Any]], str]

SPEC = json.dumps(PLAIN.to_dict())
OTHER = json.dumps(EVERYTHING.to_dict())


def names(zen: Zen) -> set[str]:
    return {str(path.relative_to(zen.folder)) for path in zen.folder.rglob("*") if path.is_file()}


def test_a_pipe_gets_the_text_alone(zen: Zen) -> None:
    done = zen("export", "-", "--to", "plainnet", "--quiet", stdin=SPEC)
    assert (done.code, done.out, done.err) == (0, to_plainnet(PLAIN) + "\n", "")
    done = zen("export", "-", "--to", "json", stdin=SPEC)
    assert json.loads(done.out) == json.loads(SPEC)
    assert "the same network" in done.err
    assert names(zen) == set()


def test_several_specs_are_lines_that_read_back(zen: Zen) -> None:
    done = zen("export", "-", "--to", "json", "-q", stdin=f"{SPEC}\n{OTHER}\n")
    assert [parse_spec(json.loads(line)).id for line in done.out.splitlines()] == [PLAIN.id, EVERYTHING.id]
    assert zen("export", "-", "--to", "json", "-q", stdin=done.out).out == done.out


def test_what_score_writes_is_exported_with_its_provenance(zen: Zen) -> None:
    record = zen("score", "-", "--estimator", "mean-field", stdin=SPEC).out
    done = zen("export", "-", "--to", "torch,onnx", "-o", "out/", stdin=record)
    assert done.code == 0, done.err
    assert names(zen) == {"out/plain.py", "out/plain.onnx"}
    assert "mean-field, paper convention" in (zen.folder / "out" / "plain.py").read_text()
    for words in ("agrees to", "8 x 32 x 32", "parameters and MACs counted again", "without zen", "0.0001 allowed"):
        assert words in done.err
    assert done.out == ""


def test_several_networks_get_names_of_their_ids(zen: Zen) -> None:
    done = zen("export", "-", "--to", "svg,json", "-o", "out", stdin=f"{SPEC}\n{OTHER}\n")
    assert done.code == 0, done.err
    stems = {f"out/zennet_{spec.id}" for spec in (PLAIN, EVERYTHING)}
    assert names(zen) == {stem + suffix for stem in stems for suffix in (".svg", ".json")}


def test_a_single_file_has_the_name_that_was_given(zen: Zen) -> None:
    assert zen("export", "-", "--to", "torch", "-o", "mine.py", stdin=SPEC).code == 0
    assert names(zen) == {"mine.py"}
    assert "import mine" in (zen.folder / "mine.py").read_text()


def test_resolution_and_classes_come_from_the_options(zen: Zen) -> None:
    done = zen("export", "-", "--to", "json", "--resolution", "64", "--num-classes", "7", "-q", stdin=SPEC)
    assert (json.loads(done.out)["resolution"], json.loads(done.out)["num_classes"]) == (64, 7)


@pytest.mark.parametrize(
    ("words", "stdin", "message"),
    [
        (["--to", "tourch"], SPEC, ('"torch"',)),
        ([], SPEC, ("--to: missing", "onnx")),
        (["--to", "json"], "", ("stdin: is empty",)),
        (["--to", "json"], SPEC[:-1], ("stdin:1", "ends too early")),
        (["--to", "json"], '{"schema": "zen-score/1", "id": "0"}', ("a record without arch",)),
        (["--to", "json"], SPEC + "\n{}", ("stdin:2",)),
        (["--to", "onnx"], SPEC, ("-o: missing", "net.onnx")),
        (["--to", "torch,json"], SPEC, ("-o: missing", "folder")),
        (["--to", "torch"], f"{SPEC}\n{OTHER}", ("-o: missing", "2 networks")),
        (["--to", "torch", "--weights", "seed"], SPEC, ("-o: missing", "weights are not text")),
        (["--to", "torch", "-o", "a.py"], f"{SPEC}\n{OTHER}", ("2 networks for one file name", "folder")),
        (["--to", "torch", "-o", "out/"], f"{SPEC}\n{SPEC}", ("stdin:2", "stdin:1", "two networks for one file")),
        (["--to", "torch", "-o", "1-2.py"], SPEC, ("cannot import",)),
        (["--to", "torch", "-o", "net"], SPEC, ("-o net", "net.py", "net/")),
        (["--to", "torch", "-o", "net.txt"], SPEC, ("-o net.txt", "net.py", "net/")),
        (["--to", "torch", "-o", "file/out/"], SPEC, ("file", "is not a folder")),
        (["--to", "torch", "-o", "file/net.py"], SPEC, ("file", "is not a folder")),
        (["--to", "json", "-o", "file"], SPEC, ("file: exists", "--force")),
        (["--to", "json,svg", "-o", "file"], SPEC, ("file", "is not a folder")),
        (["--to", "plainnet"], OTHER, ("squeeze-and-excitation", "export to json")),
        (["--to", "onnx", "--weights", "none", "-o", "a.onnx"], SPEC, ("--weights", "onnx files hold weights")),
        (["--to", "onnx", "--weights", "sed", "-o", "a.onnx"], SPEC, ("--weights", '"seed"')),
        (["--to", "onnx", "--weights", "a.pt", "-o", "a.onnx"], SPEC, ("--weights", "no file")),
        (["--to", "onnx", "--weights", "file", "-o", "a.onnx"], SPEC, ("file", "not a checkpoint")),
        (["--to", "onnx", "--weights", "file", "-o", "out/"], f"{SPEC}\n{OTHER}", ("one checkpoint", "one by one")),
        (["--to", "torch", "-o", "a.py"], SPEC.replace('"width": 8', '"width": "8"'), ("width",)),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else None,
)
def test_bad_input_is_one_line_and_leaves_nothing(
    zen: Zen, write: Write, words: list[str], stdin: str, message: tuple[str, ...]
) -> None:
    write("file", "content")
    zen("export", "-", *words, stdin=stdin).fails(*message)
    assert names(zen) == {"file"}
    assert (zen.folder / "file").read_text() == "content"
    assert [path.name for path in zen.folder.iterdir()] == ["file"]


def test_one_existing_file_keeps_all_from_being_written_unless_forced(zen: Zen) -> None:
    (zen.folder / "out").mkdir()
    (zen.folder / "out" / "plain.svg").write_text("mine")
    words = ("export", "-", "--to", "json,svg,mermaid", "-o", "out")
    zen(*words, stdin=SPEC).fails("plain.svg: exists", "--force")
    assert names(zen) == {"out/plain.svg"}
    assert zen(*words, "--force", stdin=SPEC).code == 0
    assert names(zen) == {"out/plain.svg", "out/plain.json", "out/plain.mmd"}
    assert "<svg" in (zen.folder / "out" / "plain.svg").read_text()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write into every folder")
def test_a_folder_without_permission_is_refused_early(zen: Zen) -> None:
    folder = zen.folder / "locked"
    folder.mkdir(mode=0o500)
    zen("export", "-", "--to", "json", "-o", "locked/a.json", stdin=SPEC).fails("locked", "permission denied")


def test_a_missing_extra_names_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "find_spec", lambda name: None)
    for name, target in TARGETS.items():
        if target.extra is None:
            assert find_targets([name]) == [target]
        else:
            with pytest.raises(Exception, match=rf"--to {name}: needs .*pip install 'zen-cli\[{target.extra}\]'"):
                find_targets([name])


def test_names_can_be_imported() -> None:
    for name, wanted in (
        ("ZenNet 1.0M", "zennet_1_0m"),
        ("1M", "zennet_1m"),
        ("class", "zennet_class"),
        ("torch", "zennet_torch"),
        ("json", "zennet_json"),
        ("../../etc/passwd", "etc_passwd"),
        ("***", f"zennet_{PLAIN.id}"),
        ("x" * 200, "x" * 60),
    ):
        stem = module_name(PLAIN.replace(name=name))
        assert stem == wanted
        assert stem.isidentifier()


def test_the_help_lists_every_target(zen: Zen) -> None:
    text = " ".join(zen("export", "--help").out.split())
    for name in TARGETS:
        assert name in text


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


def test_every_target_is_completed() -> None:
    from zen_cli.cli.export import _NAMES
    from zen_cli.exporters import TARGETS

    assert tuple(TARGETS) == _NAMES
