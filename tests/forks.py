"""Processes that have `zen` loaded already: a server that forks one for every command.

To load `zen` and torch takes longer than most commands of the tests run. A fork is a process like any other: it has its
own number, pipes, signals and exit code. See fork_child.py.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from fork_child import HEAD, LOADED, WITH_NUMPY, WITHOUT_TORCH

# Not kept: what colours output, and what makes each process compile all of `zen` again.
LEFT_OUT = ("FORCE_COLOR", "GITHUB_ACTIONS", "PYTHONDONTWRITEBYTECODE")
ENVIRONMENT = {
    **{key: value for key, value in os.environ.items() if key not in LEFT_OUT},
    "NO_COLOR": "1",
    "TERM": "dumb",
    "COLUMNS": "100",
    "OMP_NUM_THREADS": "1",
}
NONE: Mapping[str, str] = {}


class Forked:
    """A forked process, with the part of `subprocess.Popen` that tests use."""

    def __init__(self, server: ForkServer, number: int, ends: Sequence[int]) -> None:
        self._server, self.pid = server, number
        self.returncode: int | None = None
        self.stdin = os.fdopen(ends[0], "wb")
        self.stdout, self.stderr = (os.fdopen(end, "rb") for end in ends[1:])

    def __enter__(self) -> Forked:
        return self

    def __exit__(self, *_: object) -> None:
        for file in (self.stdin, self.stdout, self.stderr):
            with suppress(BrokenPipeError):
                file.close()
        self.wait()

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._wait(os.WNOHANG)

    def wait(self) -> int:
        """The exit code, at the end."""
        code = self._wait(0)
        assert code is not None
        return code

    def _wait(self, options: int) -> int | None:
        if self.returncode is None:
            number, status = self._server.ask({"wait": self.pid, "options": options})
            self.returncode = os.waitstatus_to_exitcode(status) if number else None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Sends a signal, if the process still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Ends the process."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, data: bytes = b"", timeout: float = 120) -> tuple[bytes, bytes]:
        """What it writes to its output and to its errors, after all of its input.

        Raises:
            TimeoutExpired: it took longer and was killed.
        """
        late = threading.Event()

        def end() -> None:
            late.set()
            os.kill(self.pid, signal.SIGKILL)

        def write() -> None:
            with suppress(BrokenPipeError), self.stdin:
                self.stdin.write(data)

        found = [b"", b""]

        def read(place: int) -> None:
            found[place] = (self.stdout, self.stderr)[place].read()

        timer = threading.Timer(timeout, end)
        threads = [timer, threading.Thread(target=write), *(threading.Thread(target=read, args=(at,)) for at in (0, 1))]
        for thread in threads:
            thread.start()
        for thread in threads[1:]:
            thread.join()
        self.__exit__()
        timer.cancel()
        timer.join()
        if late.is_set():
            raise subprocess.TimeoutExpired("zen", timeout, *found)
        return found[0], found[1]


def script_of(path: Path) -> str:
    """What runs a Python file as a script, beside which it finds modules."""
    return f"""
import runpy, sys
sys.path.insert(0, {str(path.parent)!r})
runpy.run_path({str(path)!r}, run_name="__main__")
"""


class ForkServer:
    """A process that has modules loaded, and what it is asked for."""

    def __init__(self, *modules: str) -> None:
        ours, theirs = socket.socketpair()
        pipe, number = subprocess.PIPE, str(theirs.fileno())
        self._process = subprocess.Popen(  # with pipes, so that Python sets up its streams as it does for a command
            [sys.executable, str(Path(__file__).with_name("fork_child.py")), number, *modules],
            env={**ENVIRONMENT, "OPENBLAS_NUM_THREADS": "1"},  # threads do not live on in a fork
            pass_fds=[theirs.fileno()],
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
        )
        theirs.close()
        self._socket, self._lock = ours, threading.Lock()

    def close(self) -> None:
        """Ends the server."""
        self._socket.close()
        errors = self._process.communicate(timeout=60)[1]
        assert not errors, errors.decode()

    def ask(self, request: dict[str, Any], descriptors: Sequence[int] = ()) -> Any:
        """The reply to a request."""
        data = json.dumps(request).encode()
        with self._lock:
            socket.send_fds(self._socket, [len(data).to_bytes(HEAD, "big")], descriptors)
            self._socket.sendall(data)
            reply = self._socket.recv(1024)
        assert reply, self._process.communicate()[1].decode()
        return json.loads(reply)

    def fork(
        self,
        folder: Path,
        script: str,
        *words: str,
        descriptors: Sequence[int] = (),
        variables: Mapping[str, str] = NONE,
    ) -> int:
        """The number of a process that runs a script in a folder."""
        environment = {**ENVIRONMENT, **variables}
        request = {"start": script, "argv": words, "folder": str(folder), "environment": environment}
        number: int = self.ask(request, descriptors)
        return number

    def start(self, folder: Path, script: str, *words: str, **variables: str) -> Forked:
        """A process that runs a script in a folder, with pipes."""
        pipes = [os.pipe() for _ in range(3)]
        theirs = [pipes[0][0], pipes[1][1], pipes[2][1]]
        number = self.fork(folder, script, *words, descriptors=theirs, variables=variables)
        for end in theirs:
            os.close(end)
        return Forked(self, number, [pipes[0][1], pipes[1][0], pipes[2][0]])

    def run(self, folder: Path, script: str, *words: str, **variables: str) -> tuple[int, str, str]:
        """What a script ends with: its exit code, output and errors."""
        process = self.start(folder, script, *words, **variables)
        out, err = process.communicate()
        return process.wait(), out.decode(), err.decode()


@cache
def _server(*modules: str) -> ForkServer:
    server = ForkServer(*modules)
    atexit.register(server.close)
    return server


def fork_server(*modules: str) -> ForkServer:
    """A server of this process that has `zen` and torch loaded, after other modules if they are named."""
    return _server(*modules, *LOADED)


def light_server() -> ForkServer:
    """A server of this process that has all of it but torch: its forks begin and end in a fraction of the time."""
    return _server(*WITH_NUMPY)


def bare_server() -> ForkServer:
    """A server of this process that has neither torch nor numpy."""
    return _server(*WITHOUT_TORCH)
