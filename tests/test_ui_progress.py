"""Progress: what it says of work, where it says it, and what a terminal is left with."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli import ENVIRONMENT
from hypothesis import given
from hypothesis import strategies as st

from zen_cli.cli.score_run import Job, run_score
from zen_cli.cli.writing import View
from zen_cli.formats.reading import Overrides
from zen_cli.metrics.settings import ScoreSettings
from zen_cli.ui import progress as progress_module
from zen_cli.ui.progress import Meter, Progress
from zen_cli.ui.terminal import say

TERMINAL = ENVIRONMENT | {"TERM": "xterm-256color", "COLUMNS": "70"}
HIDE_CURSOR = b"\x1b[?25l"


class Clock:
    """Seconds that pass when a test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_rate_leaves_out_what_came_before_the_first_count() -> None:
    clock = Clock()
    meter = Meter("draws", clock)
    clock.now = 30  # an import
    meter.update(0, 300)
    assert meter.rate is None
    clock.now = 34
    meter.update(120, 300)
    assert (meter.rate, meter.share) == (30, 0.4)
    assert meter.text() == "120 of 300 draws, 30.0/s, 6.0 s left"


@pytest.mark.parametrize(
    ("done", "total", "seconds", "text"),
    [
        (0, 10, 5, "0 of 10 draws, 5.0 s"),
        (12_345, None, 5, "12,345 draws, 2,469/s, 5.0 s"),
        (2, 10, 5, "2 of 10 draws, 2.5 s each, 20.0 s left"),
        (10, 10, 5, "10 of 10 draws, 2.00/s, 0.0 s left"),
        (12, 10, 6, "12 of 10 draws, 2.00/s, 0.0 s left"),
        (60, 7200, 60, "60 of 7,200 draws, 1.00/s, 1 h 59 min left"),
    ],
)
def test_progress_is_count_rate_and_time(done: int, total: int | None, seconds: float, text: str) -> None:
    clock = Clock()
    meter = Meter("draws", clock)
    meter.update(0, total)
    clock.now = seconds
    meter.update(done, total)
    assert meter.text() == text


@given(st.integers(1, 1000), st.integers(1, 1000), st.floats(0.1, 1e6))
def test_the_time_left_is_that_of_the_rest_at_the_rate_so_far(done: int, rest: int, seconds: float) -> None:
    clock = Clock()
    meter = Meter("draws", clock)
    meter.update(0, done + rest)
    clock.now = seconds
    meter.update(done, done + rest)
    assert meter.rate is not None
    assert rest / meter.rate == pytest.approx(seconds * rest / done)


@pytest.fixture
def every_count_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_module, "LINE_SECONDS", 0.0)


@pytest.mark.usefixtures("every_count_is_due")
def test_without_a_terminal_there_are_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("verifying", quiet=False, unit="draws", total=4) as progress:
        progress.advance()
        progress.advance(2, 5)
    with Progress("exporting", quiet=False) as progress:
        progress.say("onnx\x1b[2J")
    out, err = capsys.readouterr()
    first, second, third = err.splitlines()
    assert out == ""
    assert first.startswith("zen: verifying: 1 of 4 draws")
    assert second.startswith("zen: verifying: 3 of 5 draws, ")
    assert second.endswith(" left")
    assert third.startswith("zen: exporting: onnx?[2J, ")


@pytest.mark.usefixtures("every_count_is_due")
def test_a_quiet_one_says_nothing_and_neither_does_a_closed_stderr(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Progress("scoring", quiet=True, unit="networks", total=4) as progress:
        progress.advance()
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys, "stderr", None)
    with Progress("scoring", quiet=False, unit="networks", total=4) as progress:
        progress.advance()
    say("nobody hears this")


@pytest.mark.usefixtures("every_count_is_due")
@pytest.mark.parametrize("settings", [ScoreSettings(estimator="mean-field"), ScoreSettings(draws=2, batch_size=1)])
def test_scoring_of_files_knows_how_many_there_are(
    settings: ScoreSettings, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    file = tmp_path / "three.txt"
    file.write_text("SuperConvK3BNRELU(3,8,1,1)\n" * 3)
    for fail_fast in (False, True):
        job = Job(settings, (), Overrides(8, 10), breakdown=False, fail_fast=fail_fast)
        assert run_score([str(file)], job, "csv", View(), quiet=False) == 0
        out, err = capfdbinary.readouterr()
        assert len(out.splitlines()) == 4
        last = err.decode().splitlines()[-1]
        done = "3 of 3 networks" if settings.estimator == "mean-field" else "6 of 6 draws"
        assert last.startswith(f"zen: scoring: {done.partition(' of')[0]}")
        assert done in last or fail_fast


class Screen:
    """A process on a terminal of 70 columns; `seen` is all that it wrote there."""

    def __init__(self, script: str) -> None:
        self._end, other = pty.openpty()
        command = [sys.executable, "-c", script]
        self.process = subprocess.Popen(command, stdin=other, stdout=other, stderr=other, env=TERMINAL)
        os.close(other)
        self.seen = b""

    def read(self, until: bytes | None = None) -> bytes:
        """Reads until something was written, or to the end."""
        while until is None or until not in self.seen:
            ready, _, _ = select.select([self._end], [], [], 60)
            assert ready, self.seen
            try:
                data = os.read(self._end, 65_536)
            except OSError:  # the other end is closed
                break
            if not data:
                break
            self.seen += data
        return self.seen

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._end)


@pytest.fixture
def screens() -> Iterator[list[Screen]]:
    started: list[Screen] = []
    yield started
    for screen in started:
        screen.close()


PROGRESS = """
import time
from zen_cli.ui.progress import Progress
from zen_cli.ui.terminal import say
with Progress("scoring", quiet=False, unit="networks", total=8) as progress:
    progress.update(2)
    say("a message of some length, which goes over more than one line of this narrow terminal " + "x" * 90)
    {end}
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_the_cursor_is_there_whatever_ends_the_process(screens: list[Screen], number: signal.Signals) -> None:
    screens.append(screen := Screen(PROGRESS.format(end="time.sleep(600)")))
    screen.read(b"2 of 8 networks")
    screen.process.send_signal(number)
    assert screen.process.wait(60) == -number
    assert HIDE_CURSOR not in screen.read()


def test_a_terminal_shows_a_bar_that_vanishes_and_messages_that_keep_their_words(screens: list[Screen]) -> None:
    screens.append(screen := Screen(PROGRESS.format(end="progress.update(8)")))
    seen = screen.read()
    assert screen.process.wait(60) == 0
    assert HIDE_CURSOR not in seen
    assert b"8 of 8 networks" in seen
    assert seen.rstrip().endswith(b"\x1b[2K")  # the line of the bar is erased at the end
    text = seen.decode().replace("\r\n", "\n")
    assert "zen: a message of some length, which goes over more than one line of\n     this narrow terminal\n" in text
    assert "x" * 90 in text


def test_a_search_on_a_terminal_is_a_live_view(screens: list[Screen]) -> None:
    script = (
        "import sys; sys.argv = ['zen', 'search', '--preset', 'cifar-1m', '--budget', '10min', '--verify', '0']\n"
        "from zen_cli.cli import main; main()"
    )
    screens.append(screen := Screen(script))
    screen.read(b"last half")
    screen.process.send_signal(signal.SIGINT)
    seen = screen.read().decode()
    assert screen.process.wait(60) == 130
    assert "zen: interrupted after" in seen
    assert HIDE_CURSOR not in seen.encode()


def test_it_says_what_it_waits_for_on_a_terminal(screens: list[Screen]) -> None:
    script = (
        "import sys; sys.argv = ['zen', 'score', '--estimator', 'mean-field', '-']\n"
        "from zen_cli.cli import main; main()"
    )
    screens.append(screen := Screen(script))
    screen.read(b"Ctrl-D")
    os.write(screen._end, b"SuperConvK3BNRELU(3,8,1,2)\n\x04")
    seen = screen.read().decode()
    assert screen.process.wait(60) == 0
    assert "waiting for networks" in seen
    assert "scoring" not in seen
    assert "zen (nats)" in seen
