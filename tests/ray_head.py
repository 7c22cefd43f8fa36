"""A Ray cluster of one node that listens on loopback, with its client server, as `ray start` makes one."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from cli import ENVIRONMENT

slow = pytest.mark.skipif(
    "ZEN_RAY_TESTS" not in os.environ, reason="starts Ray clusters, which takes a minute; set ZEN_RAY_TESTS=1"
)
TOKEN = "0123456789abcdef" * 4
_START = [sys.executable, "-c", "from ray.scripts.scripts import main; main()", "start", "--head", "--block"]


class Head(NamedTuple):
    """The port of the head itself, and that of its client server; its folder."""

    port: int
    client_port: int
    folder: Path

    @property
    def actors(self) -> list[int]:
        """The processes of actors that it has now."""
        raylets = {pid for pid, _, words in _processes() if "raylet" in words[0] and any(self._is_mine(words))}
        return [pid for pid, parent, words in _processes() if parent in raylets and words[0].startswith("ray::Actor")]

    def _is_mine(self, words: list[str]) -> Iterator[bool]:
        return (str(self.folder) in word for word in words)


@contextmanager
def head(**variables: str) -> Iterator[Head]:
    """Starts one with a core, and ends it. Its client server forks safely, unless a variable says otherwise."""
    folder = Path(tempfile.mkdtemp(prefix="zr", dir="/tmp"))  # its sockets need a short path
    port, client_port = _free_port(), _free_port()
    words = [f"--port={port}", f"--ray-client-server-port={client_port}", f"--temp-dir={folder}"]
    words += ["--node-ip-address=127.0.0.1", "--num-cpus=1", "--object-store-memory=80000000"]
    words += ["--include-dashboard=false", "--disable-usage-stats"]
    here = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "GRPC_ENABLE_FORK_SUPPORT": "0"}
    variables = {**ENVIRONMENT, **here, **variables}
    log = folder / "start.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*_START, *words], env=variables, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        _wait(process, log, client_port)
        yield Head(port, client_port, folder)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _wait(process: subprocess.Popen[bytes], log: Path, client_port: int) -> None:
    """Until all of it runs: its client server may listen half a second before or after it says so."""
    deadline = time.monotonic() + 60
    while b"Ray runtime started" not in log.read_bytes() or not _listens(client_port):
        if time.monotonic() > deadline or process.poll() is not None:
            pytest.fail(f"ray start did not start: {log.read_text()}")
        time.sleep(0.2)


def _listens(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _processes() -> Iterator[tuple[int, int, list[str]]]:
    """Number, parent and command line of each process of this machine."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_text().split("\0")
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
        yield int(path.name), parent, words
