"""The run directory: whatever ends a search, it goes on as if nothing had happened, and nothing is lost."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from cli import Zen
from search_process import EVALUATIONS, MAIN, PROBLEM, end, run, start, wait_for

from zen_cli.errors import SourceError
from zen_cli.nas.answer import search
from zen_cli.nas.rundir import RunDirectory


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The answer of the search that nothing disturbs, without a run directory."""
    done = run(tmp_path_factory.mktemp("plain"), *PROBLEM, "--budget", EVALUATIONS)
    assert (done.code, done.err) == (0, "")
    assert len(done.rows) == 3
    return done.out


@pytest.fixture(scope="module")
def partway(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a finished run of three quarters of the evaluations, to be copied."""
    folder = tmp_path_factory.mktemp("part")
    done = run(folder, *PROBLEM, "--budget", "12288evals", "--out", "run")
    assert (done.code, done.err) == (0, "")
    return folder / "run"


@pytest.fixture
def begun(partway: Path, tmp_path: Path) -> Path:
    """A run directory of three quarters of the evaluations."""
    import shutil

    shutil.copytree(partway, tmp_path / "run")
    return tmp_path / "run"


def finishes(folder: Path, undisturbed: str, *, says: str = "") -> None:
    """`--resume` with the whole budget gives the undisturbed answer, on stdout and in the directory."""
    done = run(folder, "--resume", "run", "--budget", EVALUATIONS, "--quiet")
    assert done.code == 0, done.err
    assert done.out == undisturbed
    assert (folder / "run" / "results.jsonl").read_text() == undisturbed
    assert says in done.err
    assert len(done.err.splitlines()) == bool(says)


def test_a_run_directory_changes_nothing_about_the_answer(tmp_path: Path, undisturbed: str) -> None:
    done = run(tmp_path, *PROBLEM, "--budget", EVALUATIONS, "--out", "run")
    assert (done.code, done.out, done.err) == (0, undisturbed, "")
    assert (tmp_path / "run" / "results.jsonl").read_text() == undisturbed
    rows = [json.loads(line) for line in (tmp_path / "run" / "history.jsonl").read_text().splitlines()]
    assert [row["evaluations"] for row in rows] == list(range(512, 16384 + 1, 512))
    best = [row["best"] for row in rows]
    assert best == sorted(best)
    assert best[-1] == json.loads(undisturbed.splitlines()[0])["search"]["score"]
    assert all(row["median"] <= row["best"] for row in rows)
    again = run(tmp_path, "--resume", "run", "--quiet")
    assert (again.code, again.out, again.err) == (0, undisturbed, "")


def test_without_out_nothing_is_written(tmp_path: Path) -> None:
    assert run(tmp_path, *PROBLEM, "--budget", "1000evals").code == 0
    assert list(tmp_path.iterdir()) == []


def test_a_longer_budget_continues_to_what_a_long_search_finds(begun: Path, undisturbed: str) -> None:
    finishes(begun.parent, undisturbed)


def test_a_damaged_checkpoint_falls_back_to_the_one_before(begun: Path, undisturbed: str) -> None:
    newest = begun / "checkpoint.json"
    newest.write_bytes(newest.read_bytes()[:-1000])
    finishes(begun.parent, undisturbed, says="checkpoint.json: is damaged; going on from checkpoint.previous.json")


def test_a_checkpoint_with_one_wrong_digit_is_damaged(begun: Path, undisturbed: str) -> None:
    newest = begun / "checkpoint.json"
    state = json.loads(newest.read_bytes())
    state["state"]["algorithm"]["proposals"] += 1
    newest.write_text(json.dumps(state))
    finishes(begun.parent, undisturbed, says="going on from checkpoint.previous.json")


def test_a_kill_between_the_two_renames_of_a_checkpoint(begun: Path, undisturbed: str) -> None:
    (begun / "checkpoint.json").rename(begun / "checkpoint.new.json")
    finishes(begun.parent, undisturbed)


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"schema":"zen-checkpoint/9"}', b"\xff\x00"])
def test_checkpoints_that_are_all_damaged_are_an_error(begun: Path, content: bytes) -> None:
    for name in ("checkpoint.json", "checkpoint.previous.json"):
        (begun / name).write_bytes(content)
    run(begun.parent, "--resume", "run", "--quiet").fails("checkpoint.json", "start a new run")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--seed", "1"], ["seed", "0", "1"]),
        (["--max-params", "1M"], ["--max-params", "200000", "1000000"]),
        (["--max-layers", "30"], ["--max-layers"]),
        (["--space", "zennet-mobile"], ["space", "zennet-resnet", "zennet-mobile"]),
        (["--resolution", "32"], ["resolution", "16", "32"]),
        (["--population", "100"], ["population", "512", "100"]),
        (["--lineages", "8"], ["lineages"]),
        (["--norm", "l1"], ["norm"]),
        (["--proxy", "balanced"], ["proxy"]),
        (["--algorithm", "exact"], ["algorithm"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_what_would_change_the_search_is_refused(begun: Path, words: list[str], named: list[str]) -> None:
    before = {path.name: path.read_bytes() for path in begun.iterdir()}
    run(begun.parent, "--resume", "run", "--quiet", *words).fails("--resume: ", *named)
    assert {path.name: path.read_bytes() for path in begun.iterdir()} == before


def test_the_same_settings_written_again_are_no_change(begun: Path) -> None:
    done = run(begun.parent, "--resume", "run", *PROBLEM, "--seed", "0", "--space", "zennet-resnet", "--top", "2")
    assert done.code == 0, done.err
    assert done.out == "".join((begun / "results.jsonl").read_text().splitlines(keepends=True)[:2])


def test_two_processes_cannot_use_one_directory(tmp_path: Path) -> None:
    first = start(tmp_path, *PROBLEM, "--budget", "1h", "--out", "run")
    try:
        wait_for(tmp_path / "run" / "checkpoint.json", first)
        run(tmp_path, "--resume", "run", "--quiet").fails("run", "another process is using")
        run(tmp_path, *PROBLEM, "--out", "run").fails("--out", "already holds a run", "resume it")
        assert first.poll() is None
    finally:
        first.kill()
        first.communicate()
    assert run(tmp_path, "--resume", "run", "--quiet", "--budget", "1evals").code == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_with_a_checkpoint_and_the_best_and_the_run_can_be_resumed(
    tmp_path: Path, undisturbed: str, number: int
) -> None:
    process = start(tmp_path, *PROBLEM, "--budget", EVALUATIONS, "--out", "run")
    wait_for(tmp_path / "run" / "checkpoint.json", process)
    process.send_signal(number)
    done = end(process)
    assert (done.code, done.err) == (128 + number, "")
    rows = done.rows
    assert len(rows) == 3
    assert {row["search"]["stopped"] for row in rows} == {"interrupted"}
    assert 0 < rows[0]["search"]["evaluations"] < 16384
    assert (tmp_path / "run" / "results.jsonl").read_text() == done.out
    finishes(tmp_path, undisturbed)


def test_an_answer_that_the_directory_does_not_take_is_on_stdout(tmp_path: Path, undisturbed: str) -> None:
    (tmp_path / "run" / "results.jsonl").mkdir(parents=True)
    (tmp_path / "run" / "lock").touch()
    script = "import zen_cli.nas.rundir as rundir\nrundir._check_new = lambda path: None\n" + MAIN
    done = end(start(tmp_path, *PROBLEM, "--budget", EVALUATIONS, "--out", "run", "--quiet", script=script))
    done.warns("results.jsonl", "the answer is on stdout", code=1)
    assert done.out == undisturbed


@pytest.mark.parametrize("name", ["lock", "history.jsonl", "checkpoint.json", "results.jsonl"])
def test_no_file_of_a_run_is_written_through_a_link(begun: Path, name: str) -> None:
    """A run directory from somebody else may hold links to the user's own files."""
    mine = begun.parent / "mine"
    content = (begun / name).read_bytes() if name == "checkpoint.json" else b"mine"
    mine.write_bytes(content)
    (begun / name).unlink()
    (begun / name).symlink_to(mine)
    run(begun.parent, "--resume", "run", "--quiet", "--budget", EVALUATIONS)
    assert mine.read_bytes() == content


def test_a_checkpoint_of_another_run_is_refused(begun: Path, undisturbed: str) -> None:
    other = begun.parent / "other"
    words = [*PROBLEM, "--seed", "1", "--budget", "1024evals", "--out", "other"]
    assert run(begun.parent, *words).code == 0
    for name in ("checkpoint.json", "checkpoint.previous.json"):
        (begun / name).write_bytes((other / "checkpoint.json").read_bytes())
    run(begun.parent, "--resume", "run", "--quiet").fails("checkpoint.json", "belongs to other settings")


def test_edited_settings_are_noticed(begun: Path) -> None:
    body = json.loads((begun / "settings.json").read_bytes())
    body["limits"]["params"] = 100_000
    (begun / "settings.json").write_text(json.dumps(body))
    done = run(begun.parent, "--resume", "run", "--quiet")
    done.fails("opening.json", "other settings than those in settings.json")
    (begun / "opening.json").unlink()
    done = run(begun.parent, "--resume", "run", "--quiet")
    done.fails("checkpoint.json", "other settings than those in settings.json")


def rewrite(begun: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Changes both checkpoints, with a digest that fits."""
    for name in ("checkpoint.json", "checkpoint.previous.json"):
        body = json.loads((begun / name).read_bytes())
        change(body["state"])
        body["sha256"] = hashlib.sha256(orjson.dumps(body["state"])).hexdigest()
        (begun / name).write_bytes(orjson.dumps(body))


STATE_FAULTS: dict[str, Callable[[dict[str, Any]], object]] = {
    "no algorithm": lambda state: state.pop("algorithm"),
    "text": lambda state: state.update(algorithm="x"),
    "a key more": lambda state: state.update(more=1),
    "no lineage": lambda state: state["algorithm"].update(lineages=[]),
    "few lineages": lambda state: state["algorithm"]["lineages"].pop(),
    "no population": lambda state: state["algorithm"].update(population=[]),
    "a short member": lambda state: state["algorithm"]["best"].pop(),
    "a gene less": lambda state: state["algorithm"]["population"][0][3].pop(),
    "a gene of text": lambda state: state["algorithm"]["population"][0][3].__setitem__(1, "x"),
    "an unknown op": lambda state: state["algorithm"]["population"][0][3][1].__setitem__(0, "x"),
    "a width of text": lambda state: state["algorithm"]["population"][0][3][1].__setitem__(2, "8"),
    "another score": lambda state: state["algorithm"]["population"][0].__setitem__(0, 1e9),
    "other parameters": lambda state: state["algorithm"]["population"][0].__setitem__(1, -1),
    "few random words": lambda state: state["algorithm"]["random"][1].pop(),
    "a random word of text": lambda state: state["algorithm"]["random"][1].__setitem__(0, "x"),
    "a random version": lambda state: state["algorithm"]["random"].__setitem__(0, 2),
    "negative proposals": lambda state: state["algorithm"].update(proposals=-1),
    "a huge round": lambda state: state["algorithm"].update(round=10**6),
    "a negative time": lambda state: state.update(elapsed_s=-1),
    "a trail of text": lambda state: state.update(trail="x"),
    "a negative length": lambda state: state.update(history_bytes=-1),
}


def test_a_state_that_is_not_one_is_one_line(begun: Path) -> None:
    kept = {name: (begun / name).read_bytes() for name in ("checkpoint.json", "checkpoint.previous.json")}
    for name, fault in STATE_FAULTS.items():
        rewrite(begun, lambda state, fault=fault: fault(state) and None)  # type: ignore[misc]
        with pytest.raises(SourceError, match=r"checkpoint\.json: is not a state of this search"):
            resume(begun)
            pytest.fail(name)
        for file, data in kept.items():
            (begun / file).write_bytes(data)


def resume(begun: Path) -> None:
    with RunDirectory.open(begun) as directory:
        search(directory.settings, directory)


def limit_files() -> None:
    """A process that may write no file above 64 KiB, which is what a full disk looks like to it."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, 64 * 1024))


def test_a_checkpoint_that_cannot_be_written_is_an_error_and_harms_nothing(begun: Path, undisturbed: str) -> None:
    before = {name: (begun / name).read_bytes() for name in ("checkpoint.json", "checkpoint.previous.json")}
    assert len(before["checkpoint.json"]) > 64 * 1024
    done = run(begun.parent, "--resume", "run", "--budget", EVALUATIONS, "--quiet", preexec_fn=limit_files)
    done.warns("checkpoint.new.json", "cannot be written", "too large", "what was found until then follows", code=1)
    assert len(done.rows) == 3
    assert {name: (begun / name).read_bytes() for name in before} == before
    assert not list(begun.glob(".*"))
    finishes(begun.parent, undisturbed)


def test_places_that_are_no_run_directories(zen: Zen, begun: Path, write: Any) -> None:
    write("file", "x")
    (zen.folder / "full").mkdir()
    write("full/something", "x")
    (zen.folder / "empty").mkdir()
    for name in ("missing", "file", "full", "empty"):
        zen("search", "--resume", name).fails("--resume", name, "no run directory")
    for name in ("file", "full"):
        zen("search", *PROBLEM, "--out", name).fails("--out", name, "already exists")
    zen("search", *PROBLEM, "--out", "run").fails("--out", "already holds a run")
    zen("search", *PROBLEM, "--out", "file/run").fails("--out", "file/run")
    zen("search", *PROBLEM, "--out", "new", "--resume", "run").fails("--out", "resume")
    assert (zen.folder / "full" / "something").read_text() == "x"
    assert zen("search", *PROBLEM, "--budget", "100evals", "--out", "empty").code == 0
    assert zen("search", *PROBLEM, "--budget", "100evals", "--out", "deep/er").code == 0


def test_what_a_kill_before_the_settings_leaves_is_no_run(zen: Zen) -> None:
    (zen.folder / "run").mkdir()
    (zen.folder / "run" / "lock").touch()
    (zen.folder / "run" / ".zen-1.part").touch()
    assert zen("search", *PROBLEM, "--budget", "100evals", "--out", "run").code == 0


@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root may write anywhere")
def test_a_place_that_may_not_be_written(zen: Zen) -> None:
    (zen.folder / "closed").mkdir(mode=0o500)
    zen("search", *PROBLEM, "--out", "closed/run").fails("--out", "closed/run", "permission denied")


def test_an_impossible_request_leaves_no_directory_that_is_in_the_way(zen: Zen) -> None:
    limit = PROBLEM.index("--max-params") + 1
    impossible = [*PROBLEM[:limit], "1k", *PROBLEM[limit + 1 :]]
    zen("search", *impossible, "--out", "run").fails("--max-params")
    assert zen("search", *PROBLEM, "--budget", "100evals", "--out", "run").code == 0


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"schema":"zen-run/2"}', b'{"schema":"zen-run/1"}', b"\xff"],
    ids=["empty", "array", "object", "version", "bare", "bytes"],
)
def test_settings_of_another_version_or_damaged(begun: Path, body: bytes) -> None:
    (begun / "settings.json").write_bytes(body)
    run(begun.parent, "--resume", "run", "--quiet").fails("settings.json")


def test_a_monte_carlo_search_is_resumed_to_the_same_answer(tmp_path: Path) -> None:
    """Its cache of scores is gone after a kill; the scores are the same because no score depends on its batch."""
    words = [*PROBLEM[:-2], "2", "--quiet", "--estimator", "monte-carlo", "--batch-size", "2", "--draws", "1"]
    words += ["--lineages", "8", "--device", "cpu"]
    whole = run(tmp_path, *words, "--budget", "32evals")
    assert whole.code == 0, whole.err
    assert run(tmp_path, *words, "--budget", "16evals", "--out", "run").code == 0
    rest = run(tmp_path, "--resume", "run", "--estimator", "monte-carlo", "--budget", "32evals", "--quiet")
    assert (rest.code, rest.out) == (0, whole.out)


def test_regnet_and_exact_runs_can_be_resumed(tmp_path: Path) -> None:
    words = ["--space", "regnet", "--max-params", "500k", *PROBLEM[:4], *PROBLEM[6:]]
    words = [
        word if word != "10" or words[index - 1] != "--max-sublayers" else "30" for index, word in enumerate(words)
    ]
    whole = run(tmp_path, *words, "--budget", "4096evals")
    assert whole.code == 0, whole.err
    assert run(tmp_path, *words, "--budget", "1024evals", "--out", "run").code == 0
    assert run(tmp_path, "--resume", "run", "--budget", "4096evals", "--quiet").out == whole.out

    exact = [*PROBLEM, "--max-params", "60k", "--max-sublayers", "6", "--algorithm", "exact", "--gap", "10%"]
    first = run(tmp_path, *exact, "--out", "exact")
    assert first.code == 0, first.err
    assert run(tmp_path, "--resume", "exact", "--quiet").out == first.out
