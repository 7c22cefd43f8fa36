"""The server of forks: a process that has modules loaded and forks one for every command, for forks.py.

`python fork_child.py SOCKET MODULE...`: a request is the length of its JSON,
with the descriptors that become 0, 1 and 2, and then the JSON:

    {"start": SCRIPT, "argv": [...], "folder": ..., "environment": {...}}
    {"wait": NUMBER, "options": ...}

The reply is the number of the process, or what waitpid gives.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import socket
import sys
import threading
import weakref
from collections.abc import Sequence
from importlib import import_module
from typing import Any

HEAD = 8  # bytes of the length of a request
WITHOUT_TORCH = (
    "zen_cli.cli.export",
    "zen_cli.cli.score_run",
    "zen_cli.cli.search_run",
    "zen_cli.exporters.run",
    "zen_cli.formats.reading",
    "zen_cli.metrics.scoring",
    "zen_cli.nas.algorithms.evolution",
    "zen_cli.nas.answer",
    "zen_cli.nas.drive",
    "zen_cli.nas.request",
    "zen_cli.ui.progress",
    "zen_cli.ui.screen",
)
WITH_NUMPY = (*WITHOUT_TORCH, "zen_cli.nas.algorithms.exact.algorithm")
LOADED = ("torch", *WITH_NUMPY, "zen_cli.metrics.monte_carlo")


def receive(connection: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """The next request with its descriptors; None after the last."""
    head, descriptors, _, _ = socket.recv_fds(connection, HEAD, 3)
    if not head:
        return None
    size, data = int.from_bytes(head, "big"), b""
    while len(data) < size:
        data += connection.recv(size - len(data))
    return json.loads(data), descriptors


def serve(connection: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """Answers requests; in a child gives what to start."""
    while (received := receive(connection)) is not None:
        request, descriptors = received
        if "wait" in request:
            reply: Any = os.waitpid(request["wait"], request["options"])
        else:
            reply = os.fork()
            if not reply:
                return received
            for descriptor in descriptors:
                os.close(descriptor)
        connection.sendall(json.dumps(reply).encode())
    return None


def become(request: dict[str, Any], descriptors: Sequence[int]) -> None:
    """Makes this process the one that was asked for, and runs its script."""
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.argv = ["zen", *request["argv"]]
    sys.path[0] = ""
    code: Any = None
    try:
        exec(compile(request["start"], "<forked>", "exec"), {"__name__": "__main__"})
    except SystemExit as end:
        code = end.code
    if code is not None and not isinstance(code, int):
        sys.exit(code)
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code or 0)  # to take down what is loaded takes longer than most commands


if __name__ == "__main__":
    gc.disable()
    for name in sys.argv[2:]:
        import_module(name)
    gc.freeze()  # to collect what is loaded takes most of the time of a short command
    gc.set_threshold(100_000, 50, 1000)  # as in conftest.py
    gc.enable()
    for finalizer in weakref.finalize._registry:  # type: ignore[attr-defined]
        finalizer.atexit = False  # those of torch take down its operations at the end of each fork
    served = socket.socket(fileno=int(sys.argv[1]))
    started = serve(served)
    if started is not None:
        served.close()
        become(*started)
