"""`zen search` as a process that can be ended in the middle."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any, TypeAlias

from cli import ENVIRONMENT, Result, server_of
from forks import Forked

Process: TypeAlias = "Forked | subprocess.Popen[bytes]"

PROBLEM = [
    "--algorithm",
    "evolution",
    "--space",
    "zennet-resnet",
    "--resolution",
    "16",
    "--num-classes",
    "10",
    "--max-params",
    "200k",
    "--max-sublayers",
    "10",
]
PROBLEM += ["--verify", "0", "--top", "3", "--quiet"]
EVALUATIONS = "16384evals"

MAIN = "from zen_cli.cli import main\nmain()\n"
# `zen` with a checkpoint after every generation, so that a second of search has many.
EAGER = "import zen_cli.nas.loop as loop\nloop.CHECKPOINT_SECONDS = 0.0\n" + MAIN
# `zen` that prints a line after every generation.
TALKATIVE = "import zen_cli.ui.screen as screen\nscreen.LINE_SECONDS = 0.0\n" + MAIN


def start(
    folder: Path, *words: str, script: str = EAGER, variables: dict[str, str] | None = None, **more: Any
) -> Process:
    """A search that runs: a fork, or a process of its own where `more` says how it begins."""
    if not more:
        known = ("--verify", "0") if "--resume" in words else ()  # no test verifies what it resumes
        return server_of([*known, *words]).start(folder, script, "search", *words, **(variables or {}))
    command = [sys.executable, "-c", script, "search", *words]
    environment, pipe = ENVIRONMENT | (variables or {}), subprocess.PIPE
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=pipe, stderr=pipe, **more)


def end(process: Process) -> Result:
    out, err = process.communicate(timeout=120)
    return Result(process.wait(), out.decode(), err.decode())


def run(folder: Path, *words: str, **more: Any) -> Result:
    return end(start(folder, *words, **more))


def wait_for(path: Path, process: Process) -> None:
    """Until a file is there or the process is over."""
    while not path.exists() and process.poll() is None:
        time.sleep(0.005)
