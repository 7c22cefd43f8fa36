"""`zen score` as users meet it: what goes in, what comes out, and what a mistake looks like."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from cli import ENVIRONMENT, Result, Zen
from forks import bare_server

from zen_cli import parse_spec

GOOD = {"name": "good", "resolution": 8, "num_classes": 10, "blocks": [{"op": "conv", "width": 8}]}
LINE = json.dumps(GOOD)
ID = parse_spec(GOOD).id
Write = Callable[..., str]


def test_a_record_holds_the_score_its_settings_the_cost_and_the_network(zen: Zen, write: Write) -> None:
    (row,) = zen.score(write("a.json", GOOD)).rows
    assert list(row) == ["schema", "id", "name", "zen", "cost", "arch"]
    assert (row["schema"], row["id"], row["name"]) == ("zen-score/1", ID, "good")
    assert row["zen"]["estimator"] == "mean-field"
    assert row["zen"]["std_error"] is None
    counts = {"params": 322, "macs": 13904, "activations": 512, "layers": 1, "sublayers": 1}
    assert row["cost"] == {**counts, "weights": 4 * (322 - 8), "memory": 4 * (3 * 64 + 512), "dtype": "float32"}
    assert parse_spec(row["arch"]).id == ID


def test_monte_carlo_is_the_default_and_a_quiet_one_says_nothing_on_stderr(zen: Zen) -> None:
    done = zen("score", "--quiet", "--batch-size", "2", "-", stdin=LINE)
    assert (done.code, done.err) == (0, "")
    (row,) = done.rows
    assert row["zen"] | {"value": 0, "std_error": 0} == {
        "value": 0,
        "std_error": 0,
        "estimator": "monte-carlo",
        "convention": "paper",
        "norm": "frobenius",
        "alpha": 0.01,
        "batch_size": 2,
        "draws": 4,
        "seed": 0,
        "device": row["zen"]["device"],
        "precision_mode": "float32",
    }
    assert row["zen"]["std_error"] > 0
    assert done.out == zen("score", "--batch-size", "2", "-", stdin=LINE).out
    assert done.out != zen("score", "--batch-size", "2", "--seed", "1", "-", stdin=LINE).out


def test_what_it_writes_it_reads(zen: Zen, write: Write) -> None:
    first = zen.score(write("a.jsonl", f"{LINE}\nSuperConvK3BNRELU(3,8,1,2)\n"))
    for style in ("jsonl", "json"):
        written = zen.score("--format", style, "a.jsonl")
        assert zen.score("-", stdin=written.out).out == first.out
    assert [row["name"] for row in first.rows] == ["good", "a:2"]


def test_structure_strings_are_words_too_and_take_resolution_and_classes(zen: Zen) -> None:
    (row,) = zen.score("SuperConvK3BNRELU(3,8,1,2)", "--resolution", "8", "--num-classes", "10").rows
    assert (row["arch"]["resolution"], row["arch"]["num_classes"]) == (8, 10)


def test_the_breakdown_is_json_and_a_table_with_bars(zen: Zen, write: Write) -> None:
    write("a.json", {**GOOD, "blocks": [{"op": "conv", "width": 64, "depth": 40}]})
    (row,) = zen.score("--breakdown", "a.json").rows
    breakdown = row["breakdown"]
    assert [layer["layer"] for layer in breakdown["layers"]] == list(range(1, 41))
    assert breakdown["layers"][-1]["total"] + breakdown["log_delta"] == pytest.approx(row["zen"]["value"])
    table = zen.score("--breakdown", "--format", "table", "a.json").out
    assert "█" in table
    assert f"Δ saturates at layer {breakdown['saturation_layer']}" in table


def test_a_table_names_network_and_settings(zen: Zen) -> None:
    out = zen.score("--format", "table", "--convention", "zennas", "-", stdin=LINE).out
    assert "good" in out
    assert ID in out
    assert "mean-field, zennas convention, l1 norm, alpha 0.01" in out


def test_one_bad_item_is_reported_with_its_place_and_the_good_ones_are_scored(zen: Zen) -> None:
    bad = json.dumps({**GOOD, "resolution": 0})
    done = zen.score("-", stdin=f"{LINE}\n{bad}\n{LINE}\n")
    done.warns("stdin:2: resolution: 0 is too small; use at least 1")
    assert [row["id"] for row in done.rows] == [ID, ID]
    done = zen.score("-", stdin=f"[{LINE}, {bad}, {LINE}]")
    done.warns("stdin:1: [1]: resolution: 0 is too small")
    assert len(done.rows) == 2


def test_a_bad_file_does_not_stop_the_next_one(zen: Zen, write: Write) -> None:
    done = zen.score("none.json", write("a.json", GOOD))
    done.warns("none.json: cannot be read, no such file")
    assert len(done.rows) == 1


def test_a_file_of_something_else_does_not_fill_the_screen(zen: Zen) -> None:
    done = zen.score("-", stdin="some prose\n" * 1000 + LINE)
    done.fails('stdin:1: "some prose" is neither JSON nor a structure string (and 9 more lines)')
    done = zen.score("-", stdin=f"{LINE}\n" + "some prose\n" * 20 + LINE)
    assert len(done.rows) == 2
    assert len(done.err.splitlines()) == 20


def test_fail_fast_stops_at_the_first(zen: Zen) -> None:
    done = zen.score("--fail-fast", "-", stdin=f"{LINE}\n{{}}\n{LINE}\n{{}}\n")
    done.warns("stdin:2: blocks: missing; add it")
    assert len(done.rows) == 1


def test_a_table_of_what_was_scored_is_shown_although_something_failed(zen: Zen) -> None:
    done = zen.score("--fail-fast", "--format", "table", "-", stdin=f"{LINE}\n{{}}\n")
    assert done.code == 2
    assert "good" in done.out


BAD_BLOCK = {**GOOD, "blocks": [{"op": "convv", "width": 8}]}
BAD_INPUT: list[tuple[bytes, str]] = [
    (b"", "stdin: is empty; give a spec"),
    (b"\xff\xfe\x00", "stdin: is text in UTF-16; save it as UTF-8"),
    (b"a\x00", "stdin: is binary data, not text"),
    (b"caf\xe9", "stdin:1: is not UTF-8 (byte 4)"),
    (b"hello", 'stdin:1: "hello" is neither JSON nor a structure string'),
    (b"3", 'stdin:1: "3" is neither JSON nor a structure string'),
    (b"[3]", "stdin:1: [0]: an architecture is a JSON object with blocks, not a number"),
    (b'{"blocks": [{"op":\n', "stdin:1: not valid JSON, it ends too early"),
    (b"[" * 100_000, "stdin:1: nested deeper than 64 levels"),
    (json.dumps(BAD_BLOCK).encode(), 'blocks[0].op: unknown op "convv"; did you mean "conv"?'),
    (b'{"schema": "zen-arch/9", "blocks": []}', 'schema: "zen-arch/9" is not known'),
    (b'{"schema": "zen-score/9", "arch": {}}', 'schema: "zen-score/9" is not known'),
    (b'{"schema": "zen-score/1"}', "a record without arch"),
    (b'{"arch": {"blocks": 3}}', "stdin:1: arch: blocks: must be an array, not 3"),
    (b"SuperConvK3BNRELU(3,8,1,1)SuperResK3K3(16,8,1,8,1)", "column 40: SuperResK3K3 takes 16 channels"),
    (b"SuperConvK3BNRELU(3,8,1,1)SuperRes(8,8,1,8,1)", "column 27: unknown block SuperRes"),
]


@pytest.mark.parametrize(("data", "message"), BAD_INPUT, ids=lambda value: repr(value[:40]))
def test_bad_input_is_one_line_that_says_where_and_what(zen: Zen, data: bytes, message: str) -> None:
    zen.score("-", stdin=data).fails(message)


BAD_WORDS: list[tuple[tuple[str, ...], str]] = [
    (("none.json",), "none.json: cannot be read, no such file or directory"),
    ((".",), ".: is a directory; name files, such as ./*.json"),
    (("",), "an empty file name; name a file, or - for stdin"),
    (("--draws", "0", "-"), "--draws: '0' is too small; use at least 1"),
    (("--draws", "x", "-"), "--draws: 'x' is not a number; use a whole number from 1 to 1000000"),
    (("--draws", "2.5", "-"), "--draws: '2.5' is not a whole number; use a whole number from 1 to 1000000"),
    (("--draws", "1e9", "-"), "--draws: '1e9' is too large; use at most 1000000"),
    (("--resolution", "2x2x4", "-"), "--resolution: '2x2x4' is no size of an image; write it like 224 or 432x768"),
    (("--resolution", "432x", "-"), "--resolution: '432x' is no size of an image; write it like 224 or 432x768"),
    (("--top", "0", "-"), "--top: '0' is too small; use at least 1"),
    (("--draws", "2", "--precision", "0.1", "-"), "--draws: given together with precision"),
    (("--alpha", "nan", "-"), "--alpha: 'nan' is not a number; write it like 0.01 or 1e-4"),
    (("--batch-size", "0", "-"), "--batch-size: '0' is too small; use at least 1"),
    (("--seed", "-1", "-"), "--seed: '-1' is too small; use at least 0"),
    (("--estimator", "magic", "-"), "--estimator: unknown 'magic'"),
    (("--convention", "papper", "-"), 'did you mean "paper"?'),
    (("--norm", "l2", "-"), "--norm: unknown 'l2'"),
    (("--format", "tabel", "-"), 'did you mean "table"?'),
    (("--device", "tpu", "-"), "--device: unknown 'tpu'"),
    (("--device", "cuda:999", "-"), "--device: cuda:999 does not exist"),
    (("--resolution", "0", "-"), "--resolution: '0' is too small"),
    (("--num-classes", "-3", "-"), "--num-classes: '-3' is too small"),
    (("--colour", "-"), "--colour"),
]


@pytest.mark.parametrize(("words", "message"), BAD_WORDS, ids=str)
def test_a_wrong_word_is_one_line_that_says_where_and_what(zen: Zen, words: tuple[str, ...], message: str) -> None:
    zen("score", *words, stdin=LINE).fails(message)


def test_an_unknown_command_is_one_line(zen: Zen) -> None:
    zen("scroe").fails("scroe")


def test_a_network_that_cannot_fit_is_refused_by_monte_carlo(zen: Zen) -> None:
    block = {"op": "conv", "width": 65536, "kernel": 31, "depth": 2}
    zen("score", "-", "--quiet", stdin=json.dumps({**GOOD, "blocks": [block]})).fails("good: ", "mean-field")


def test_a_cost_beyond_64_bits_is_refused_rather_than_written(zen: Zen) -> None:
    block = {"op": "conv", "width": 65536, "kernel": 31, "depth": 1000}
    huge = {**GOOD, "resolution": 16384, "blocks": [block] * 10}
    zen.score("-", stdin=json.dumps(huge)).fails("good: needs ", "use smaller widths")


def test_a_closed_pipe_ends_quietly() -> None:
    lines = "\n".join([LINE] * 3000)
    command = [sys.executable, "-m", "zen_cli", "score", "--estimator", "mean-field", "-"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write("\n".join([LINE] * 8).encode() + b"\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["id"] == ID  # written before the input ends: it streams
        process.stdout.close()
        with suppress(BrokenPipeError):
            process.stdin.write(lines.encode())
            process.stdin.flush()
        with suppress(BrokenPipeError):
            process.stdin.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", [["--format", "jsonl"], ["--format", "table"], ["--format", "json"], ["--schema"]])
def test_a_full_disk_is_an_error_in_one_line(words: list[str], unbuffered: str) -> None:
    command = [sys.executable, "-m", "zen_cli", "score", "--estimator", "mean-field", *words, "-"]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            command,
            input=LINE.encode(),
            stdout=full,
            stderr=subprocess.PIPE,
            env={**ENVIRONMENT, "PYTHONUNBUFFERED": unbuffered},
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == b"zen: stdout: cannot be written, no space left on device\n"


def test_the_schema_is_json_schema(zen: Zen) -> None:
    schema = json.loads(zen("score", "--schema").out)
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert schema["title"] == "zen-arch/1"


def test_help_and_version_are_on_stdout(zen: Zen) -> None:
    done = zen("score", "--help")
    assert (done.code, done.err) == (0, "")
    for option in ("--estimator", "--convention", "--norm", "--alpha", "--batch-size", "--draws", "--precision"):
        assert option in done.out
    assert zen("--version").out.startswith("zen ")
    assert "score" in zen().out


def python(folder: Path, script: str, *words: str, **variables: str) -> Result:
    """A script that calls the command with a network on stdin, in a process that has not loaded torch."""
    process = bare_server().start(folder, script, *words, **variables)
    out, err = process.communicate(LINE.encode())
    return Result(process.wait(), out.decode(), err.decode())


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("zen sc", "score"),
        ("zen score --est", "--estimator"),
        ("zen score --estimator m", "monte-carlo mean-field"),
        ("zen score --format j", "json jsonl"),
        ("zen score --format c", "csv"),
        ("zen score --sort zen", "zen"),
        ("zen score --columns name,par", "name,params"),
        ("zen search --preset imagenet-4", "imagenet-400m"),
        ("zen search --algorithm e", "evolution exact"),
        ("zen export --to torch,t", "torch,timm torch,torchscript"),
    ],
)
def test_the_shell_completes_commands_options_and_values(words: str, expected: str, tmp_path: Path) -> None:
    variables = {"_ZEN_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    script = "import sys; sys.argv = ['zen']; from zen_cli.cli import main; main()"
    done = python(tmp_path, script, **variables)
    assert done.out.split() == expected.split()


def test_ctrl_c_ends_with_130(tmp_path: Path) -> None:
    script = (
        "import zen_cli.metrics.scoring, sys\n"
        "def stop(*_, **__): raise KeyboardInterrupt\n"
        "zen_cli.metrics.scoring.score_and_count = stop\n"
        "sys.argv = ['zen', 'score', '--estimator', 'mean-field', '-']\n"
        "from zen_cli.cli import main; main()\n"
    )
    done = python(tmp_path, script)
    assert done.code == 130
    assert "Traceback" not in done.err


@pytest.mark.parametrize("words", ["score -", "export - --to json"])
def test_a_closed_stdin_is_an_empty_one(words: str) -> None:
    command = f"exec {sys.executable} -m zen_cli {words} <&-"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("zen: stdin: is empty; ")


def test_a_warning_is_one_line(tmp_path: Path) -> None:
    script = (
        "import sys, warnings, zen_cli.metrics.scoring\n"
        "def warn(*_, **__): warnings.warn('slow,\\n and more'); sys.exit(0)\n"
        "zen_cli.metrics.scoring.score_and_count = warn\n"
        "sys.argv = ['zen', 'score', '--estimator', 'mean-field', '-']\n"
        "from zen_cli.cli import main; main()\n"
    )
    done = python(tmp_path, script)
    assert done.err == "zen: warning: slow, and more\n"


def test_without_torch_the_closed_form_works_and_monte_carlo_says_what_to_install(tmp_path: Path) -> None:
    script = (
        "import sys; sys.modules['torch'] = None\n"
        "sys.argv = ['zen', 'score', *sys.argv[1:], '-']\n"
        "from zen_cli.cli import main; main()\n"
    )

    def run(*words: str) -> tuple[int, str]:
        done = python(tmp_path, script, *words)
        return done.code, done.err

    assert run("--estimator", "mean-field") == (0, "")
    code, message = run()
    assert code == 1
    assert (
        message == "zen: torch is not installed; pip install torch, or score by --estimator mean-field and by metrics "
        "with a closed form\n"
    )
