"""Signals at seeded moments: nothing found is lost, nothing is half-written, a resumed run gives the same bytes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from moments import MOMENTS, Commands, Ended, Moment, draw
from search_process import PROBLEM, run

SEARCH = ["search", *PROBLEM, "--population", "32", "--budget", "384evals"]
VERIFIED = [*SEARCH, "--verify", "2", "--draws", "1", "--batch-size", "1"]
RESUME = ["search", "--resume", "run", "--quiet"]
EXACT = ["search", *PROBLEM, "--max-params", "60k", "--max-sublayers", "6", "--algorithm", "exact", "--gap", "10%"]
SEARCHES = (SEARCH, VERIFIED, EXACT)


class Undisturbed:
    """Commands that nothing disturbs: their answers, and the events of each function."""

    def __init__(self, commands: Commands, folder: Callable[[], Path]) -> None:
        self._commands, self._folder = commands, folder
        self._known: dict[tuple[str, ...], tuple[str, dict[str, int]]] = {}

    def __call__(self, *words: str) -> tuple[str, dict[str, int]]:
        if words not in self._known:
            folder = self._folder()
            events = self._commands.events(folder, *words)
            self._known[words] = (folder / "out").read_text(), events
        return self._known[words]


@pytest.fixture(scope="module")
def undisturbed(commands: Commands, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    return Undisturbed(commands, lambda: tmp_path_factory.mktemp("plain"))


def is_clean(folder: Path) -> bool:
    """Whether no file of a killed process is left."""
    return not list(folder.rglob("*.part"))


def resumes(commands: Commands, folder: Path, answer: str, words: list[str]) -> None:
    """The run in a folder goes on to the undisturbed answer; one that had not begun can begin."""
    begun = (folder / "run" / "settings.json").exists()
    done = commands.run(folder, *(RESUME if begun else words))
    assert (done.code, done.err) == (0, "")
    assert done.out == answer
    assert (folder / "run" / "results.jsonl").read_text() == answer
    assert is_clean(folder)


def handed_over(done: Ended, folder: Path, answer: str, number: int) -> None:
    """What must hold of a search that a signal ended."""
    done.says()
    run = folder / "run"
    if done.code == 0 or done.out == answer:  # it came too late to change anything
        assert done.out == answer
        return
    if done.code == -number:  # before the search began or after it ended, while the signal has its usual effect
        assert done.out == ""
        assert not (run / "history.jsonl").exists()
        return
    assert done.code == 128 + number
    if done.out:
        assert (run / "results.jsonl").read_text() == done.out
        assert 1 <= len(done.rows) <= 3
        assert all(row["schema"] == "zen-score/1" for row in done.rows)
    else:
        assert not (run / "checkpoint.json").exists()


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_hands_over_what_was_found(
    name: str, commands: Commands, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    for index in range(MOMENTS):
        words = [*SEARCHES[index % len(SEARCHES)], "--out", "run"]
        answer, events = undisturbed(*words)
        moment = draw(events, f"{name} {index}")
        folder = tmp_path / str(index)
        folder.mkdir()
        done = commands.run(folder, *words, moment=moment, fault=name)
        handed_over(done, folder, answer, signal.Signals[name])
        assert is_clean(folder)
        resumes(commands, folder, answer, words)


def test_a_signal_in_a_function_that_pydantic_calls_shows_no_traceback(commands: Commands, tmp_path: Path) -> None:
    """Pydantic makes an error of its own of whatever is raised while it writes."""
    moment = Moment("nas/limits.py:<lambda>", 1)
    done = commands.run(tmp_path, *SEARCH, "--out", "run", moment=moment, fault="SIGTERM")
    assert done == Ended(128 + signal.SIGTERM, "", "")
    assert commands.run(tmp_path, *SEARCH, "--out", "run").code == 0


def test_kills_leave_no_trace(commands: Commands, undisturbed: Undisturbed, tmp_path: Path) -> None:
    """Runs that are killed three times each, in the search and while they start or write."""
    words = [*SEARCH, "--out", "run"]
    answer, events = undisturbed(*words)
    for index in range(MOMENTS):
        folder = tmp_path / str(index)
        folder.mkdir()
        for kill in range(3):
            begun = (folder / "run" / "settings.json").exists()
            moment = draw(events, f"SIGKILL {index} {kill}")
            done = commands.run(folder, *(RESUME if begun else words), moment=moment, fault="SIGKILL")
            assert done.code in (0, -signal.SIGKILL)
            assert done.err == ""
            assert answer.startswith(done.out)
        resumes(commands, folder, answer, words)
        rows = [json.loads(line) for line in (folder / "run" / "history.jsonl").read_text().splitlines()]
        assert [row["evaluations"] for row in rows] == [128, 256, 384]


def test_what_is_stopped_and_continued_gives_the_same_bytes(
    commands: Commands, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    words = [*SEARCH, "--out", "run"]
    answer, events = undisturbed(*words)
    for index in range(MOMENTS):
        folder = tmp_path / str(index)
        folder.mkdir()
        command = commands.start(folder, *words, moment=draw(events, f"SIGSTOP {index}"), fault="SIGSTOP")
        assert commands.end(command).is_stopped
        os.kill(command.number, signal.SIGCONT)
        assert commands.end(command) == Ended(0, answer, "")


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"])
def test_a_score_in_a_file_is_whole_lines(
    name: str, commands: Commands, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    files = sorted((Path(__file__).parents[2] / "examples" / "networks").glob("*.json"))
    words = ["score", "--estimator", "mean-field", "--quiet", *map(str, files)]
    answer, events = undisturbed(*words)
    lines = answer.splitlines(keepends=True)
    assert len(lines) == len(files)
    for index in range(MOMENTS):
        done = commands.run(tmp_path, *words, moment=draw(events, f"score {name} {index}"), fault=name)
        number = signal.Signals[name]
        done.says()
        assert done.code in (0, -number, 128 + number)
        assert done.out in ["".join(lines[:count]) for count in range(len(lines) + 1)]


@pytest.mark.parametrize("name", ["typer", "zen_cli.cli.search", "pydantic", "zen_cli.nas.answer"])
def test_ctrl_c_while_modules_are_imported_shows_no_traceback(name: str, tmp_path: Path) -> None:
    script = f"""
import os, signal, sys
class Interrupt:
    def find_spec(self, name, *_):
        if name == {name!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupt())
from zen_cli.__main__ import run
run()
"""
    assert run(tmp_path, *PROBLEM, script=script, stdin=subprocess.DEVNULL) == (130, "", "")  # not a fork
