"""`zen score -` as a person uses it: one line in, one result out, Ctrl-C at any time."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

# JSON, where a line is whole: a structure string may go on in the next line, so it waits for it.
LINES = (
    b'{"blocks": [{"op": "conv", "width": 8}]}\n',
    b'{"blocks": [{"op": "conv", "width": 8}, {"op": "bottleneck", "width": 8, "mid_width": 8, "depth": 2}]}\n',
)


@pytest.fixture
def zen() -> Iterator[subprocess.Popen[bytes]]:
    command = ["score", "-", "--resolution", "8", "--batch-size", "2", "--draws", "2", "--device", "cpu", "--quiet"]
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-m", "zen_cli", *command], stdin=pipe, stdout=pipe, stderr=pipe) as process:
        yield process
        process.kill()


def test_each_result_comes_before_the_next_line_is_written(zen: subprocess.Popen[bytes]) -> None:
    """Without a thread that reads, this would wait for ever."""
    assert zen.stdin is not None
    assert zen.stdout is not None
    layers = []
    for line in LINES:
        zen.stdin.write(line)
        zen.stdin.flush()
        layers.append(json.loads(zen.stdout.readline())["cost"]["layers"])
    zen.stdin.close()
    assert zen.wait(60) == 0
    assert layers == [1, 7]  # one, and two bottleneck units more


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal for a child on Windows")
def test_ctrl_c_ends_quietly_while_stdin_is_open(zen: subprocess.Popen[bytes]) -> None:
    assert zen.stdin is not None
    assert zen.stdout is not None
    assert zen.stderr is not None
    zen.stdin.write(LINES[0])
    zen.stdin.flush()
    zen.stdout.readline()
    zen.send_signal(signal.SIGINT)
    assert zen.wait(60) == 130
    assert b"Fatal" not in zen.stderr.read()


def test_an_error_does_not_stop_what_follows(zen: subprocess.Popen[bytes]) -> None:
    output, errors = zen.communicate(b"".join((LINES[0], b"nonsense\n", LINES[1])), timeout=60)
    assert len(output.splitlines()) == 2
    assert errors.count(b"\n") == 1
    assert b"stdin:2" in errors
    assert zen.returncode == 2
