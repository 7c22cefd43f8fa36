"""A run directory that is taken away, closed, full or shared: the answer is on stdout, and no two runs are mixed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from moments import MOMENTS, Commands, Ended, Moment, draw
from search_process import PROBLEM

SEARCH = ["search", *PROBLEM, "--population", "32", "--budget", "256evals", "--out", "run"]
RESUME = ["search", "--resume", "run", "--quiet"]


class Undisturbed:
    """The search that nothing disturbs: its answer, and the events of each function."""

    def __init__(self, commands: Commands, folder: Path) -> None:
        self.events = commands.events(folder, *SEARCH)
        self.answer = (folder / "out").read_text()

    def check(self, done: Ended) -> None:
        """What must hold where a directory fails in the middle: all that was found by then, and why that is not all."""
        done.says()
        if done.code == 0:
            assert (done.out, done.err) == (self.answer, "")
            return
        lines = done.err.splitlines()
        assert len(lines) in (1, 2)  # of the search, and of results.jsonl
        if done.out == self.answer:
            assert "the answer is on stdout" in lines[-1]
        elif done.out:
            assert "what was found until then follows" in lines[0]
            assert 1 <= len(done.rows) <= 3
        else:  # there was no network yet
            assert len(lines) == 1
            assert not any(name in done.err for name in ("history", "checkpoint", "results"))


@pytest.fixture(scope="module")
def undisturbed(commands: Commands, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    return Undisturbed(commands, tmp_path_factory.mktemp("plain"))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("a file system of our own cannot be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


AMONG = "nas/"  # where the directory is used


@pytest.mark.parametrize("fault", ["removed", "renamed"])
def test_a_directory_that_goes_away_takes_no_answer_with_it(
    fault: str, commands: Commands, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    for index in range(MOMENTS):
        folder = tmp_path / str(index)
        folder.mkdir()
        moment = draw(undisturbed.events, f"{fault} {index}", among=AMONG)
        undisturbed.check(commands.run(folder, *SEARCH, moment=moment, fault=fault))
        if (folder / "moved" / "settings.json").exists():
            shutil.rmtree(folder / "run", ignore_errors=True)
            (folder / "moved").rename(folder / "run")
            done = commands.run(folder, *RESUME)
            assert (done.code, done.out, done.err) == (0, undisturbed.answer, "")


def test_a_directory_that_may_not_be_written_any_more(
    commands: Commands, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    for index in range(MOMENTS):
        folder = tmp_path / str(index)
        folder.mkdir()
        moment = draw(undisturbed.events, f"read-only {index}", among=AMONG)
        undisturbed.check(commands.run(folder, *SEARCH, moment=moment, fault="read-only"))
        (folder / "run").chmod(0o700)
        begun = (folder / "run" / "settings.json").exists()
        done = commands.run(folder, *(RESUME if begun else SEARCH))
        assert (done.code, done.out, done.err) == (0, undisturbed.answer, "")


def test_a_disk_that_becomes_full(commands: Commands, undisturbed: Undisturbed, disk: Path, tmp_path: Path) -> None:
    filler, out = disk / "filler", str(tmp_path / "out")  # stdout is on another disk
    for index in range(MOMENTS):
        moment = draw(undisturbed.events, f"full {index}", among=AMONG)
        undisturbed.check(commands.run(disk, *SEARCH, moment=moment, fault="full", name=out))
        filler.unlink(missing_ok=True)
        begun = (disk / "run" / "settings.json").exists()
        done = commands.run(disk, *(RESUME if begun else SEARCH), name=out)
        assert (done.code, done.out, done.err) == (0, undisturbed.answer, "")
        shutil.rmtree(disk / "run")


def test_two_that_start_at_once_do_not_mix(commands: Commands, undisturbed: Undisturbed, tmp_path: Path) -> None:
    """The first is held in each step of making its directory, and the second runs meanwhile."""
    steps = ["nas/rundir.py:create", "nas/rundir.py:__init__", "nas/run_files.py:lock_directory"]
    moments = [Moment(step, count) for step in steps for count in range(1, undisturbed.events[step] + 1)]
    for index, moment in enumerate(moments):
        print(moment)
        folder = tmp_path / str(index)
        folder.mkdir()
        first = commands.start(folder, *SEARCH, moment=moment, fault="SIGSTOP")
        assert commands.end(first).is_stopped
        second = commands.run(folder, *SEARCH, name="second")
        os.kill(first.number, signal.SIGCONT)
        done = commands.end(first)
        for ended in (done, second):
            ended.says()
            assert (ended.code, ended.out) in ((0, undisturbed.answer), (2, ""))
        assert sorted((done.code, second.code)) == [0, 2]
        assert (folder / "run" / "results.jsonl").read_text() == undisturbed.answer
