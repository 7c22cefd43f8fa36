"""Whatever ends a search, what was found is handed over."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from search_process import MAIN, PROBLEM, TALKATIVE, end, run, start

from zen_cli.cli.endings import Endings

VERIFIED = [*PROBLEM, "--verify", "8", "--budget", "2000evals"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_without_a_directory_hands_over_the_best(tmp_path: Path, number: int) -> None:
    process = start(tmp_path, *PROBLEM[:-1], "--budget", "1h", script=TALKATIVE)
    assert process.stderr is not None
    assert b"evaluations" in process.stderr.readline()  # it is under way
    process.send_signal(number)
    done = end(process)
    assert done.code == 128 + number
    assert len(done.rows) == 3
    assert "Traceback" not in done.err
    assert "interrupted" in done.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_verifying_hands_over_what_the_search_found(tmp_path: Path, number: int) -> None:
    script = (
        "import os, zen_cli.nas.verify as verify\n"
        f"verify.race = lambda *_, **more: os.kill(os.getpid(), {int(number)})\n"
    ) + MAIN
    done = end(start(tmp_path, *VERIFIED, script=script))
    done.warns("stopped while verifying; these are the scores of the search", code=128 + number)
    assert done.out == run(tmp_path, *VERIFIED, "--verify", "0").out


def test_a_signal_in_the_race_hands_over_what_is_known_of_the_verified(tmp_path: Path) -> None:
    script = (
        "import os, zen_cli.nas.verify as verify\n"
        "draw = verify._draw\n"
        f"verify._draw = lambda *row: draw(*row) if row[2] == 0 else os.kill(os.getpid(), {int(signal.SIGTERM)})\n"
    ) + MAIN
    words = [*VERIFIED, "--batch-size", "2", "--draws", "2", "--tolerance", "0"]
    done = end(start(tmp_path, *words, script=script))
    done.warns("stopped while verifying; the scores are those of the draws until then", code=143)
    race = done.rows[0]["search"]["race"]
    assert (race["ending"], race["draws"]) == ("interrupted", 16)
    assert all(row["zen"]["draws"] == 2 for row in done.rows)


def test_a_signal_before_the_first_network_says_so(tmp_path: Path) -> None:
    script = (
        "import os, signal, zen_cli.nas.opening as opening\n"
        "def find_start(*_):\n"
        "    for _ in range(2): os.kill(os.getpid(), signal.SIGTERM)\n"
        "opening.find_start = find_start\n"
    ) + MAIN
    end(start(tmp_path, *PROBLEM, script=script)).fails("stopped before a network was found", code=143)


@pytest.mark.parametrize(
    ("fault", "message", "code"),
    [
        ("MemoryError('no memory')", "no memory", 1),
        ("ImportError('libtorch.so is missing')", "libtorch.so is missing", 1),
        ("MemoryLimitError('net: needs 9 GiB')", "net: needs 9 GiB", 2),
        ("OSError(5, 'broken disk')", "broken disk", 1),
    ],
)
def test_whatever_ends_the_verification_the_answer_is_handed_over(
    tmp_path: Path, fault: str, message: str, code: int
) -> None:
    script = (
        "import zen_cli.nas.verify as verify\n"
        "from zen_cli.errors import MemoryLimitError\n"
        "def fail(*_, **more):\n"
        f"    raise {fault}\n"
        "verify.race = fail\n"
    ) + MAIN
    done = end(start(tmp_path, *VERIFIED, script=script))
    done.warns("verifying failed", message, "these are the scores of the search", code=code)
    assert done.out == run(tmp_path, *VERIFIED, "--verify", "0").out


def test_a_network_that_cannot_be_verified_is_handed_over_unverified(tmp_path: Path) -> None:
    script = "import zen_cli.devices as devices\ndevices._free_host_bytes = lambda: 2**20\n" + MAIN
    words = [*VERIFIED, "--verify", "2", "--batch-size", "65536"]
    done = end(start(tmp_path, *words, script=script))
    assert done.code == 2
    assert [row["zen"]["estimator"] for row in done.rows] == ["mean-field"] * 3
    assert len(done.err.splitlines()) == 2
    assert all("verification failed" in line for line in done.err.splitlines())


def test_without_torch_a_search_is_handed_over_unverified_with_one_line(tmp_path: Path) -> None:
    script = (
        "import sys, importlib.util as util\n"
        "find = util.find_spec\n"
        "util.find_spec = lambda name, *more: None if name == 'torch' else find(name, *more)\n"
        "sys.modules['torch'] = None\n"
    ) + MAIN
    done = end(start(tmp_path, *VERIFIED, script=script))
    done.warns("torch is not installed", code=0)
    assert done.out == run(tmp_path, *VERIFIED, "--verify", "0").out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_a_run_directory_is_made_leaves_no_part_of_a_file(tmp_path: Path, number: int) -> None:
    script = f"import os, zen_cli.formats.files as files\nfiles.lock = lambda _: os.kill(os.getpid(), {int(number)})\n"
    done = end(start(tmp_path, *PROBLEM, "--out", "run", script=script + MAIN))
    assert (done.code, done.out, done.err) == (128 + number, "", "")
    assert not list(tmp_path.rglob("*.part"))


def test_an_interruption_that_python_forgets_is_raised_again(capfd: pytest.CaptureFixture[str]) -> None:
    def generate() -> Iterator[int]:
        try:
            yield 1
        finally:  # it is cleared away here, and what is raised then is printed and forgotten
            os.kill(os.getpid(), signal.SIGINT)

    with Endings() as endings:
        endings.interrupt_at_once()
        with pytest.raises(KeyboardInterrupt):
            next(generate())
            time.sleep(60)
    assert capfd.readouterr().err == ""
