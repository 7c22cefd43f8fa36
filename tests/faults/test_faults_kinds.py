"""Faults of one kind each that the other tests here do not meet: what a command must do all the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli import MAIN
from cli_here import ZenHere
from forks import fork_server
from search_process import PROBLEM

SPEC = '{"resolution":8,"num_classes":4,"blocks":[{"op":"conv","width":8}]}'
MEASURED = ["--estimator", "monte-carlo", "--draws", "4", "--batch-size", "1"]

# Ctrl-C in the second of the networks that are scored together; then how many draws were made.
INTERRUPTED = """
import atexit, itertools, os, signal, sys
import zen_cli.metrics.monte_carlo.estimates as estimates
made, before = itertools.count(1), estimates.score_draw
def score_draw(*given):
    if next(made) == 6:
        os.kill(os.getpid(), signal.SIGINT)
    return before(*given)
estimates.score_draw = score_draw
atexit.register(lambda: print(next(made), file=sys.stderr))
"""


def test_ctrl_c_waits_for_draws_that_began_and_not_for_a_generation(tmp_path: Path) -> None:
    words = ["search", *PROBLEM, *MEASURED, "--evenness", "off", "--budget", "1h"]
    code, out, err = fork_server().run(tmp_path, INTERRUPTED + MAIN, *words)
    assert code == 130
    assert json.loads(out.splitlines()[0])["search"]["stopped"] == "interrupted"
    assert 6 < int(err) < 20  # a generation has 32 networks of 4 draws


# The system starts the first thread of each pool, and no second one.
ONE_THREAD = """
import threading
import zen_cli.metrics.monte_carlo.workers as workers
workers.usable_cores = lambda: 2
start = threading.Thread.start
def limited(thread):
    if thread.name.endswith("_1"):
        raise RuntimeError("can't start new thread")
    start(thread)
threading.Thread.start = limited
"""


def test_a_second_thread_that_cannot_start_holds_nothing_up(tmp_path: Path) -> None:
    (tmp_path / "net.json").write_text(SPEC, encoding="utf-8")
    code, out, err = fork_server().run(tmp_path, ONE_THREAD + MAIN, "score", "net.json", "--batch-size", "1", "--quiet")
    assert (code, err) == (0, "")
    assert json.loads(out)["zen"]["draws"] == 4


# What the process that checks an export has in its environment.
ENVIRONMENT = """
import os, subprocess
def start(*_, env=None, **__):
    print((os.environ if env is None else env).get("ORT_DISABLE_TELEMETRY"), flush=True)
    raise OSError("not started")
os.environ.pop("ORT_DISABLE_TELEMETRY", None)
subprocess.Popen = start
"""


def test_a_check_sends_nothing_about_this_machine(tmp_path: Path) -> None:
    (tmp_path / "net.json").write_text(SPEC, encoding="utf-8")
    words = ["export", "net.json", "--to", "torch", "-o", "net.py", "--quiet"]
    code, out, err = fork_server().run(tmp_path, ENVIRONMENT + MAIN, *words)
    assert code and out == "1\n"
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("name", ["keys that are no names", "a sparse tensor", "a complex tensor"])
def test_weights_that_are_none_are_one_line(name: str, zen_here: ZenHere) -> None:
    import torch

    tensors = {
        "keys that are no names": {0: torch.ones(8)},
        "a sparse tensor": {"blocks.0.0.0.weight": torch.ones(8, 3, 3, 3).to_sparse()},
        "a complex tensor": {"blocks.0.0.0.weight": torch.ones(8, 3, 3, 3, dtype=torch.complex64)},
    }
    torch.save(tensors[name], zen_here.folder / "weights.pt")
    done = zen_here("export", "-", "--to", "torch", "--weights", "weights.pt", "-o", "net.py", stdin=SPEC)
    done.fails("weights.pt: ")
