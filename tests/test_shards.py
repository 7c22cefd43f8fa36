"""Shares of a stream on machines that know nothing of each other, and runs that go on where they were killed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from cli import Zen
from cli_here import ZenHere
from forks import fork_server
from hypothesis import given
from hypothesis import strategies as st

from zen_cli.errors import UsageError
from zen_cli.formats.done import Done
from zen_cli.formats.shards import parse_shard
from zen_cli.metrics import find
from zen_cli.metrics.settings import check_settings

NETWORKS = "".join(f"SuperConvK3BNRELU(3,{width},2,1)SuperConvK1BNRELU({width},16,1,1)\n" for width in range(8, 48))
# `zen` that is killed in the middle of its third record.
KILLED = """
import os, signal, zen_cli.cli.writing as writing
from zen_cli.cli import main
lines = []
def emit(data):
    lines.append(data)
    os.write(1, data if len(lines) < 3 else data[: len(data) // 2])
    if len(lines) == 3: os.kill(os.getpid(), signal.SIGKILL)
writing.emit = emit
main()
"""


@given(st.lists(st.integers(0, 2**64 - 1).map(lambda number: f"{number:016x}"), max_size=50), st.integers(1, 12))
def test_every_network_is_in_one_share(ids: list[str], count: int) -> None:
    shards = [parse_shard(f"{number}/{count}") for number in range(1, count + 1)]
    for network_id in ids:
        assert sum(shard.holds(network_id) for shard in shards) == 1


@pytest.mark.parametrize(
    "text", ["", "3", "0/8", "9/8", "1/0", "-1/8", "a/b", "1/8/2", "1.5/8", "\u0661/8", "1/9999999"]
)
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="shard: "):
        parse_shard(text)


def run(folder: Path, number: int, *, script: str = "from zen_cli.cli import main\nmain()\n") -> int:
    """A shard as a script of a cluster runs it: its output is appended to the file that says what is done."""
    part = folder / f"part-{number}.jsonl"
    words = ["score", "--estimator", "mean-field", "--quiet", "--shard", f"{number}/8", "--skip-done", str(part)]
    server = fork_server()
    with open(os.devnull, "rb") as none, open(part, "ab") as out, open(folder / "errors.txt", "ab") as errors:
        pipes = [none.fileno(), out.fileno(), errors.fileno()]
        number = server.fork(folder, script, *words, "networks.txt", descriptors=pipes)
    return os.waitstatus_to_exitcode(server.ask({"wait": number, "options": 0})[1])


def test_eight_shards_of_which_two_are_killed_and_run_again_are_one_run(tmp_path: Path, zen_here: ZenHere) -> None:
    (tmp_path / "networks.txt").write_text(NETWORKS)
    whole = zen_here("score", "--estimator", "mean-field", "networks.txt").out
    parts = [tmp_path / f"part-{number}.jsonl" for number in range(1, 9)]
    for number in (2, 5):
        assert run(tmp_path, number, script=KILLED) == -9
        assert not parts[number - 1].read_bytes().endswith(b"\n")
        assert parts[number - 1].read_bytes().count(b"\n") == 2
    assert [run(tmp_path, number) for number in range(1, 9)] == [0] * 8
    merged = b"".join(part.read_bytes() for part in parts).decode().splitlines()
    assert sorted(merged) == sorted(whole.splitlines())
    assert [run(tmp_path, number) for number in (2, 5)] == [0, 0]  # nothing is left to do
    assert sorted(merged) == sorted(b"".join(part.read_bytes() for part in parts).decode().splitlines())


def test_what_is_done_by_other_settings_is_not_done(zen_here: ZenHere, tmp_path: Path) -> None:
    (tmp_path / "net.txt").write_text("SuperConvK3BNRELU(3,8,2,1)\n")
    words = ["score", "--quiet", "--batch-size", "2", "net.txt"]
    (tmp_path / "done.jsonl").write_text(zen_here(*words).out)
    again = [*words, "--skip-done", "done.jsonl"]
    assert zen_here(*again).out == ""
    assert zen_here(*again, "--precision", "100").out == ""  # it is as precise as that
    for more in (
        ["--seed", "1"],
        ["--draws", "5"],
        ["--alpha", "0.02"],
        ["--convention", "zennas"],
        ["--proxies", "entropy"],
        ["--breakdown"],
        ["--precision-mode", "float64"],
    ):
        assert len(zen_here(*again, *more).rows) == 1, more
    precise = check_settings(batch_size=2, precision=1e-6)
    assert not Done([tmp_path / "done.jsonl"], precise).holds(_id(tmp_path))


def _id(folder: Path) -> str:
    return str(json.loads((folder / "done.jsonl").read_text())["id"])


def test_a_record_of_a_metric_counts_with_its_own_settings(zen_here: ZenHere, tmp_path: Path) -> None:
    words = ["score", "--estimator", "mean-field", "--proxies", "phi,entropy", "--draws", "2", "--batch-size", "2"]
    (tmp_path / "done.jsonl").write_text(zen_here(*words, "--quiet", "SuperConvK3BNRELU(3,8,2,1)").out)
    closed = {"estimator": "mean-field", "batch_size": 2}

    def holds(names: str, **more: object) -> bool:
        proxies = [find(name) for name in names.split(",")]
        settings = check_settings(**{**closed, "draws": 2, **more})
        return Done([tmp_path / "done.jsonl"], settings, proxies).holds(_id(tmp_path))

    assert holds("phi,entropy")
    assert holds("entropy", draws=3)  # nothing is drawn for it
    assert not holds("phi", draws=3)
    assert not holds("phi,synflow")


def test_a_network_is_passed_over_as_often_as_it_is_done(zen_here: ZenHere, tmp_path: Path) -> None:
    (tmp_path / "two.txt").write_text("SuperConvK3BNRELU(3,8,2,1)\n\nSuperConvK3BNRELU(3,8,2,1)\n")
    both = zen_here("score", "--estimator", "mean-field", "two.txt").out
    first, second = both.splitlines(keepends=True)
    (tmp_path / "done.jsonl").write_text(first)
    rest = zen_here("score", "--estimator", "mean-field", "--skip-done", "done.jsonl", "two.txt")
    assert rest.out == second
    assert "passed over: 1" in rest.err


def test_files_that_say_nothing_of_what_is_done_are_refused(zen: Zen, tmp_path: Path) -> None:
    (tmp_path / "text.jsonl").write_text("a,b\n1,2\n")
    for name, fault in (("missing.jsonl", "no such file"), (".", "directory"), ("text.jsonl", "holds no records")):
        done = zen.score("--skip-done", name, "SuperConvK3BNRELU(3,8,2,1)")
        done.fails("--skip-done: ", fault)
