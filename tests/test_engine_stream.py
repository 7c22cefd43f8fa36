"""`zen score -` as a person uses it: one line in, one result out, Ctrl-C at any time."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli import MAIN
from forks import Forked, fork_server

# JSON, where a line is whole: a structure string may go on in the next line, so it waits for it.
LINES = (
    b'{"blocks": [{"op": "conv", "width": 8}]}\n',
    b'{"blocks": [{"op": "conv", "width": 8}, {"op": "bottleneck", "width": 8, "mid_width": 8, "depth": 2}]}\n',
)


@pytest.fixture
def zen(tmp_path: Path) -> Iterator[Forked]:
    command = ["score", "-", "--resolution", "8", "--batch-size", "2", "--draws", "2", "--device", "cpu", "--quiet"]
    with fork_server().start(tmp_path, MAIN, *command) as process:
        yield process
        process.kill()


def test_each_result_comes_before_the_next_line_is_written(zen: Forked) -> None:
    """Without a thread that reads, this would wait for ever."""
    layers = []
    for line in LINES:
        zen.stdin.write(line)
        zen.stdin.flush()
        layers.append(json.loads(zen.stdout.readline())["cost"]["layers"])
    zen.stdin.close()
    assert zen.wait() == 0
    assert layers == [1, 7]  # one, and two bottleneck units more


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal for a child on Windows")
def test_ctrl_c_ends_quietly_while_stdin_is_open(zen: Forked) -> None:
    zen.stdin.write(LINES[0])
    zen.stdin.flush()
    zen.stdout.readline()
    zen.send_signal(signal.SIGINT)
    assert zen.wait() == 130
    assert b"Fatal" not in zen.stderr.read()


def test_an_error_does_not_stop_what_follows(zen: Forked) -> None:
    output, errors = zen.communicate(b"".join((LINES[0], b"nonsense\n", LINES[1])), timeout=60)
    assert len(output.splitlines()) == 2
    assert errors.count(b"\n") == 1
    assert b"stdin:2" in errors
    assert zen.returncode == 2
