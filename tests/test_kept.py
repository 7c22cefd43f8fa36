"""Every search is kept: found again by name, listed, resumed after a kill; and keeping never costs an answer."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cli import ENVIRONMENT, Result
from cli_here import ZenHere
from search_process import EVALUATIONS, PROBLEM, end, run, start, wait_for

from zen_cli.errors import SourceError, UsageError
from zen_cli.nas import keeping
from zen_cli.nas.kept import describe, find_network, find_run, list_runs
from zen_cli.nas.request import check_request

SHORT = [*PROBLEM, "--budget", "1024evals"]
QUICK = {"preset": "cifar-1m", "budget": ("512evals",), "verify": 0}


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state directory of this test's own; the folder of its runs."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setitem(ENVIRONMENT, "XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "zen" / "runs"


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The answer of the search that is not kept."""
    done = run(tmp_path_factory.mktemp("plain"), *PROBLEM, "--budget", EVALUATIONS, "--no-keep")
    assert (done.code, done.err) == (0, "")
    return done.out


@pytest.fixture
def zen(state: Path, zen_here: ZenHere) -> ZenHere:
    """Runs `zen` in this process, with that state directory."""
    return zen_here


def score(zen: ZenHere, word: str) -> Result:
    return zen("score", "--estimator", "mean-field", word)


def add_run(state: Path, number: int, records: list[dict[str, object]]) -> Path:
    """A kept run with an answer of these records, as `results.jsonl` has them."""
    path = state / f"run-{number}"
    path.mkdir(parents=True)
    (path / "settings.json").write_text('{"schema":"zen-run/1"}')
    (path / "results.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    os.utime(path / "results.jsonl", (number, number))
    return path


def test_keeping_a_search_changes_nothing_and_its_networks_are_read_by_name(
    state: Path, zen: ZenHere, undisturbed: str
) -> None:
    done = run(zen.folder, *PROBLEM, "--budget", EVALUATIONS)
    assert (done.code, done.out, done.err) == (0, undisturbed, "")
    assert (state / "run-1" / "results.jsonl").read_text() == undisturbed
    assert (state / "run-1").stat().st_mode & 0o077 == 0  # its user's alone
    for place, row in enumerate(done.rows, 1):
        for word in (f"last:{place}", f"run-1:{place}", row["id"], row["id"][:12], row["name"]):
            found = score(zen, word)
            assert (found.code, found.err) == (0, "")
            assert found.rows[0]["id"] == row["id"]
            assert found.rows[0]["arch"] == row["arch"]
    assert score(zen, "last").out == score(zen, "last:1").out
    exported = zen("export", "last", "--to", "json", "--quiet")
    assert json.loads(exported.out) == done.rows[0]["arch"]


def test_no_keep_writes_nothing(state: Path, zen: ZenHere) -> None:
    assert zen("search", *SHORT, "--no-keep").code == 0
    assert not state.exists()
    zen("search", *SHORT, "--no-keep", "--out", "run").fails("--no-keep", "no effect")


def test_a_killed_search_is_listed_and_resumed(state: Path, zen: ZenHere, undisturbed: str) -> None:
    process = start(zen.folder, *PROBLEM, "--budget", EVALUATIONS)
    wait_for(state / "run-1" / "checkpoint.json", process)
    process.send_signal(signal.SIGSTOP)
    assert [row["state"] for row in zen("runs").rows] == ["running"]
    zen("runs", "--delete", "run-1").fails("run-1", "still running")
    process.kill()
    process.communicate()
    (row,) = zen("runs").rows
    assert (row["state"], row["networks"]) == ("cut short", 0)
    assert row["problem"] == "zennet-resnet at 16, params 200k, sublayers 10, evolution"
    assert row["best"] > 0
    score(zen, "run-1").fails("run-1", "no answer yet", "resume")
    done = run(zen.folder, "--resume", "last", "--quiet")
    assert (done.code, done.out) == (0, undisturbed)
    assert [row["state"] for row in zen("runs").rows] == ["done"]
    assert score(zen, "last").rows[0]["id"] == done.rows[0]["id"]


def test_an_interrupted_search_is_resumed_by_its_name(state: Path, zen: ZenHere, undisturbed: str) -> None:
    process = start(zen.folder, *PROBLEM, "--budget", EVALUATIONS)
    wait_for(state / "run-1" / "checkpoint.json", process)
    process.send_signal(signal.SIGINT)
    assert end(process).code == 130
    assert [(row["state"], row["networks"]) for row in zen("runs").rows] == [("interrupted", 3)]
    assert run(zen.folder, "--resume", "run-1", "--quiet").out == undisturbed


def test_two_searches_at_once_do_not_disturb_each_other(state: Path, zen: ZenHere, undisturbed: str) -> None:
    both = [start(zen.folder, *PROBLEM, "--budget", EVALUATIONS) for _ in range(2)]
    for process in both:
        done = end(process)
        assert (done.code, done.out, done.err) == (0, undisturbed, "")
    assert [(row["run"], row["state"]) for row in zen("runs").rows] == [("run-2", "done"), ("run-1", "done")]


def test_a_home_that_cannot_be_written_is_one_warning(zen: ZenHere, undisturbed: str) -> None:
    (zen.folder / "file").touch()
    done = run(zen.folder, *PROBLEM, "--budget", EVALUATIONS, variables={"XDG_STATE_HOME": str(zen.folder / "file")})
    assert (done.code, done.out) == (0, undisturbed)
    done.warns("warning: this search is not kept", "file/zen", code=0)


def test_a_home_that_is_not_there_is_not_made(zen: ZenHere) -> None:
    variables = {"XDG_STATE_HOME": "", "HOME": str(zen.folder / "home")}
    done = run(zen.folder, *SHORT, variables=variables)
    done.warns("warning: this search is not kept", "no home directory", code=0)
    assert len(done.rows) == 3
    assert not (zen.folder / "home").exists()


def limit_files() -> None:
    """A process that may write no file above 2 KiB, which is what a full disk looks like to it."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048))


def test_a_disk_that_becomes_full_is_one_warning(state: Path, zen: ZenHere, undisturbed: str) -> None:
    done = run(zen.folder, *PROBLEM, "--budget", EVALUATIONS, preexec_fn=limit_files)
    assert (done.code, done.out) == (0, undisturbed)
    done.warns("warning: this search is not kept", "cannot be written", code=0)
    assert not list(state.rglob("*.part"))


def test_an_answer_that_nobody_reads_is_kept(state: Path, zen: ZenHere, undisturbed: str) -> None:
    command = [sys.executable, "-m", "zen_cli", "search", *PROBLEM, "--budget", EVALUATIONS]
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(command, cwd=zen.folder, env=ENVIRONMENT, stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (state / "run-1" / "results.jsonl").read_text() == undisturbed


def test_what_finds_nothing_leaves_no_run(state: Path, zen: ZenHere) -> None:
    limit = PROBLEM.index("--max-params") + 1
    zen("search", *PROBLEM[:limit], "1k", *PROBLEM[limit + 1 :]).fails("--max-params")
    assert zen("runs").rows == []
    assert list(state.iterdir()) == []


def test_the_newest_are_kept_and_none_that_runs_is_removed(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "KEPT", 3)
    settings = check_request(QUICK)
    runs: list[keeping.KeptRun] = []
    for _ in range(6):
        one = keeping.keep(settings, pytest.fail)
        assert one is not None
        one.write_results(b"{}\n")
        runs.append(one)
        if len(runs) != 2:
            one.close()
    assert [row.run for row in list_runs()] == ["run-6", "run-5", "run-4", "run-2"]
    assert [row.state for row in list_runs()] == ["done", "done", "done", "running"]
    runs[1].close()
    other = keeping.keep(settings, pytest.fail)
    assert other is not None
    other.close()
    assert [row.run for row in list_runs()] == ["run-6", "run-5"]  # the other one found nothing


def test_a_run_in_a_directory_of_its_own_is_known_as_well(state: Path, zen: ZenHere) -> None:
    answer = zen("search", *SHORT, "--out", "mine").out
    assert [(row["run"], row["path"]) for row in zen("runs").rows] == [("run-1", str(zen.folder / "mine"))]
    assert score(zen, "last").rows[0]["id"] == json.loads(answer.splitlines()[0])["id"]
    assert zen("search", "--resume", "mine", "--quiet").out == answer
    assert zen("search", "--resume", "run-1", "--quiet").out == answer
    assert len(zen("runs").rows) == 1
    assert zen("runs", "--delete", "run-1").code == 0
    assert (zen.folder / "mine" / "results.jsonl").read_text() == answer
    assert zen("runs").rows == []


def test_deleting(state: Path, zen: ZenHere) -> None:
    for number in (1, 2, 3):
        add_run(state, number, [{"id": f"{number}" * 16, "name": "a"}])
    zen("runs", "--delete").fails("--delete", "name the runs")
    zen("runs", "--all").fails("--all", "--delete")
    zen("runs", "--delete", "run-9").fails("run-9", "no kept run")
    assert zen("runs", "--delete", "run-2").err == "zen: deleted run-2\n"
    assert [row["run"] for row in zen("runs").rows] == ["run-3", "run-1"]
    assert [row["run"] for row in zen("runs", "run-1").rows] == ["run-1"]
    assert zen("runs", "--delete", "--all", "--quiet").err == ""
    assert zen("runs").out == ""


def test_words_that_mean_a_network(state: Path) -> None:
    add_run(state, 1, [{"id": "aaaa1111", "name": "mobile-aaaa1111", "run": 1}])
    add_run(state, 2, [{"id": "aaaa2222", "name": "mobile-aaaa", "run": 2}, {"id": "bbbb3333", "name": None}])
    add_run(state, 10, [{"id": "aaaa1111", "name": "mobile-aaaa1111", "run": 10}])

    def found(word: str) -> object:
        row = find_network(word)
        return None if row is None else json.loads(row)

    assert (
        found("last")
        == found("run-10")
        == found("aaaa1111")
        == {"id": "aaaa1111", "name": "mobile-aaaa1111", "run": 10}
    )
    assert found("run-1") == {"id": "aaaa1111", "name": "mobile-aaaa1111", "run": 1}
    assert found("run-2:2") == found("bbbb") == {"id": "bbbb3333", "name": None}
    assert found("mobile-aaaa") == {"id": "aaaa2222", "name": "mobile-aaaa", "run": 2}  # a whole name, and a beginning
    assert found("aaaa2") == {"id": "aaaa2222", "name": "mobile-aaaa", "run": 2}
    for word in ("aaa", "cccc", "net.json", "folder/net.json", "last:", "run-1:x", "\0"):
        assert found(word) is None
    for word, error, text in (
        ("aaaa", UsageError, "2 kept networks"),
        ("mobile", UsageError, "2 kept networks"),
        ("last:0", SourceError, "choose 1 to 1"),
        ("run-2:3", SourceError, "choose 1 to 2"),
        ("run-3", SourceError, "the newest are run-10, run-2, run-1"),
    ):
        with pytest.raises(error, match=text):
            find_network(word)


def test_words_without_a_search(state: Path, zen: ZenHere) -> None:
    score(zen, "last").fails("last", "no answer")
    score(zen, "run-1").fails("run-1", "none is kept yet")
    score(zen, "mobile-1234").fails("mobile-1234", "cannot be read")
    zen("search", "--resume", "last").fails("--resume", "last", "none is kept yet")
    assert zen("runs", "--format", "table").out.splitlines()[-1] == "no search is kept yet"
    with pytest.raises(UsageError, match="missing"):
        find_run("missing")


def test_a_file_comes_before_a_word(state: Path, zen: ZenHere, write: Callable[[str, str], str]) -> None:
    add_run(state, 1, [{"id": "x", "name": "y"}])
    write("last", "SuperConvK3BNRELU(3,8,1,1)")
    assert score(zen, "last").rows[0]["cost"]["layers"] == 1


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b'{"id":"aaaa"', b'{"limits":3,"space_document":[]}'])
def test_damaged_files_are_no_traceback(state: Path, zen: ZenHere, body: bytes) -> None:
    path = add_run(state, 1, [])
    for name in ("settings.json", "results.jsonl", "history.jsonl", "checkpoint.json"):
        (path / name).write_bytes(body)
    listed = zen("runs")
    assert (listed.code, listed.err) == (0, "")
    assert [row["run"] for row in listed.rows] == ["run-1"]
    assert score(zen, "aaaa").code == 2
    assert zen("runs", "--delete", "run-1").code == 0


def test_the_problem_in_a_few_words() -> None:
    settings = check_request({**QUICK, "limit": ("depth_width_ratio=0.5",)})
    body = settings.model_dump(by_alias=True, mode="json")
    words = "zennet-resnet at 32, params 1.05M, macs 160M, sublayers 18, depth_width_ratio 0.5"
    assert sorted(describe(body).split(", ")) == sorted(words.split(", "))
    assert describe({**body, "algorithm": "exact", "proxy": "even"}).endswith(", even, exact")


@pytest.fixture
def terminal(state: Path, tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Runs a command on a terminal; gives what it wrote there."""
    import pty

    def command(*words: str, columns: int = 80) -> str:
        end, other = pty.openpty()
        environment = ENVIRONMENT | {"TERM": "xterm", "COLUMNS": str(columns)}
        process = subprocess.Popen(
            [sys.executable, "-m", "zen_cli", *words],
            cwd=tmp_path,
            env=environment,
            stdin=other,
            stdout=other,
            stderr=other,
        )
        os.close(other)
        seen = b""
        while True:
            try:
                data = os.read(end, 65_536)
            except OSError:  # the other end is closed
                break
            if not data:
                break
            seen += data
        assert process.wait(60) == 0
        os.close(end)
        return seen.decode().replace("\r\n", "\n")

    return command


@pytest.mark.parametrize("columns", [40, 120])
def test_a_search_on_a_terminal_ends_with_commands_that_can_be_copied(
    terminal: Callable[..., str], zen: ZenHere, columns: int
) -> None:
    words = [word for word in SHORT if word != "--quiet"]
    seen = terminal("search", *words, columns=columns)
    lines = seen[seen.index("next:") :].splitlines()[1:]
    name = score(zen, "last").rows[0]["name"]
    assert lines == [
        f"  zen export {name} --to onnx -o {name}.onnx",
        f"  zen score {name} --draws 32",
        "  zen report run-1",
        "  zen runs",
    ]
    for line in lines[:2] if columns == 120 else ():
        assert zen(*line.split()[1:], "--quiet").code == 0
    assert columns == 120 or "next:" not in terminal("search", *words, "--no-keep")
