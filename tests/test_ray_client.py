"""A Ray cluster elsewhere, through its client server: the same bytes, one line for whatever is wrong, nothing left."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli import ENVIRONMENT, Zen
from ray_head import TOKEN, Head, head, slow

pytest.importorskip("ray", reason="Ray is not installed")
pytest.importorskip("grpc", reason="the client of Ray is not installed")
pytestmark = slow
NET = "SuperConvK3BNRELU(3,8,2,1)"
LINES = "".join(f"SuperConvK3BNRELU(3,{8 + index},2,1)SuperConvK1BNRELU({8 + index},16,1,1)\n" for index in range(40))
SCORE = ("score", "--quiet", "--draws", "4", "--resolution", "32", "-")
TOKENS = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN}


@pytest.fixture(scope="module")
def guarded() -> Iterator[Head]:
    """A cluster that wants a token."""
    with head(**TOKENS) as one:
        yield one


def address(one: Head) -> str:
    return f"ray://127.0.0.1:{one.client_port}"


def test_scores_and_a_search_through_the_client_server_are_those_of_one_process(zen: Zen, guarded: Head) -> None:
    wanted = zen(*SCORE, stdin=LINES)
    found = zen(*SCORE, "--workers", address(guarded), stdin=LINES, **TOKENS)
    assert (found.code, found.err) == (0, "")
    assert found.out == wanted.out
    assert len(wanted.rows) == 40
    search = ["search", "-q", "--no-keep", "--preset", "cifar-1m", "--resolution", "8", "--batch-size", "2"]
    search += ["--estimator", "monte-carlo", "--draws", "1", "--budget", "60evals", "--verify", "0", "--lineages", "8"]
    alone = zen(*search)
    assert alone.out
    assert zen(*search, "--workers", address(guarded), **TOKENS) == alone


def test_what_is_wrong_with_an_address_or_a_token_is_one_line(zen: Zen, guarded: Head, tmp_path: Path) -> None:
    def fails(where: str, *words: str, **variables: str) -> None:
        zen("score", "-q", "--workers", where, NET, **variables).fails(*words, code=1)

    fails(address(guarded), "wants a token; set RAY_AUTH_MODE=token", HOME=str(tmp_path))
    fails(address(guarded), "refuses this token", RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=TOKEN[::-1])
    fails(address(guarded), "refuses this token", RAY_AUTH_MODE="token", HOME=str(tmp_path))
    fails(f"ray://127.0.0.1:{guarded.port}", "is not the port of Ray's client server", **TOKENS)
    there = f"127.0.0.1:{guarded.port}"
    fails("ray", "wants a token", RAY_ADDRESS=there, RAY_AUTH_MODE="disabled")
    fails("ray", "refuses this token", RAY_ADDRESS=there, RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=TOKEN[::-1])
    elsewhere = f"127.0.0.1:{guarded.client_port}"
    fails("ray", "is not the port of the head of a cluster", RAY_ADDRESS=elsewhere, **TOKENS)


CRASH = """
import os, signal, sys
from pathlib import Path
left = Path(__file__).with_name("crashes")
if "--mode=specific-server" in sys.orig_argv and int(left.read_text()):
    left.write_text(str(int(left.read_text()) - 1))
    os.kill(os.getpid(), signal.SIGSEGV)
"""


def test_a_client_server_whose_process_for_a_client_crashes_is_asked_again(zen: Zen, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(CRASH)
    crashes = tmp_path / "crashes"
    crashes.write_text("0")
    words = ["score", "-q", "--draws", "1", "--resolution", "32", NET]
    with head(PYTHONPATH=str(tmp_path), RAY_CLIENT_SERVER_CHECK_CHANNEL_TIMEOUT_S="1", **TOKENS) as one:
        crashes.write_text("1")
        assert zen(*words, "--workers", address(one), **TOKENS) == zen(*words)
        assert crashes.read_text() == "0"
        crashes.write_text("99")
        found = zen(*words, "--workers", address(one), **TOKENS)
        found.fails("fails to start a process for this run", "GRPC_ENABLE_FORK_SUPPORT=0", code=1)
        assert crashes.read_text() == "94"


def test_a_device_that_no_node_has_is_one_line(zen: Zen, guarded: Head) -> None:
    words = ["score", "-q", "--device", "cuda", "--workers", address(guarded), NET]
    zen(*words, **TOKENS).fails("--device: no node of the cluster has a GPU; use cpu, or add one")


@pytest.mark.parametrize("through_client", [True, False])
def test_ctrl_c_leaves_no_actor(guarded: Head, tmp_path: Path, through_client: bool) -> None:
    where = {} if through_client else {"RAY_ADDRESS": f"127.0.0.1:{guarded.port}"}
    words = ["score", "-q", "--format", "jsonl", "--draws", "4000", "--resolution", "64"]
    words += ["--workers", address(guarded) if through_client else "ray", NET]
    process = subprocess.Popen(
        [sys.executable, "-m", "zen_cli", *words],
        cwd=tmp_path,
        env={**ENVIRONMENT, **TOKENS, **where},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    wait_until(lambda: bool(guarded.actors))
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Traceback" not in said
    wait_until(lambda: not guarded.actors)


def wait_until(is_so: object) -> None:
    assert callable(is_so)
    deadline = time.monotonic() + 25  # less than Ray keeps the actors of a driver that was lost
    while not is_so():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.1)
