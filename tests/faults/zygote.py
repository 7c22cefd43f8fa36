"""A process that has `zen` loaded and forks a child for every command: `python zygote.py`, requests on stdin.

A request is a line of JSON, and so is its reply:

    {"start": {"folder": ..., "words": [...], "out": NAME, "moment": [FUNCTION, COUNT], "fault": NAME}}
    {"wait": PID}

The reply is the child's number, and what waitpid gives. A child writes its output to the file `out` of its folder, and
errors to `out`.err. It has its fault at a moment: an event of the interpreter (call, return, call of a C function) in a
function of `zen`, counted for each function on its own. So a moment is the same in every run, whatever the speed of the
machine. For the moment [] the numbers of events are written to `out`.events; without a moment nothing is counted.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import torch  # noqa: F401  # so that no child waits for it

import zen_cli.cli.search_run
import zen_cli.formats.reading
import zen_cli.metrics.monte_carlo
import zen_cli.metrics.scoring
import zen_cli.nas.algorithms.evolution
import zen_cli.nas.algorithms.exact.algorithm
import zen_cli.nas.answer
import zen_cli.nas.drive
import zen_cli.nas.loop as loop
import zen_cli.nas.request
import zen_cli.ui.progress
import zen_cli.ui.screen
from zen_cli.__main__ import run

HOUSE = str(Path(zen_cli.__file__).parent)


def fill_disk() -> None:
    """Writes until there is no room."""
    with suppress(OSError), open("filler", "wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def receive(number: int) -> None:
    """Sends a signal to this process."""
    os.kill(os.getpid(), number)


FAULTS: dict[str, Callable[[], object]] = {
    **{number.name: partial(receive, number) for number in signal.Signals},
    "removed": partial(shutil.rmtree, "run"),
    "renamed": partial(Path("run").rename, "moved"),
    "read-only": partial(Path("run").chmod, 0o500),
    "full": fill_disk,
}


class Moments:
    """Counts events, and calls a fault at one of them."""

    def __init__(self, moment: list[Any], fault: Callable[[], object]) -> None:
        self._names: dict[CodeType, str] = {}
        self._moment = tuple(moment)
        self._fault = fault
        self.events: dict[str, int] = {}

    def __call__(self, frame: FrameType, _: str, __: object) -> None:
        code = frame.f_code
        name = self._names.get(code)
        if name is None:
            ours = code.co_filename.startswith(HOUSE) and not code.co_filename.endswith("__main__.py")
            name = f"{code.co_filename[len(HOUSE) + 1 :]}:{code.co_name}" if ours else ""
            self._names[code] = name
        if not name:
            return
        count = self.events[name] = self.events.get(name, 0) + 1
        if (name, count) == self._moment:
            sys.setprofile(None)
            with suppress(FileNotFoundError):  # a run directory that is not there yet
                self._fault()


def serve() -> dict[str, Any] | None:
    """Answers requests; in a child gives what to start."""
    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            reply: Any = os.waitpid(request["wait"], os.WUNTRACED)[1]
        else:
            reply = os.fork()
            if not reply:
                begun: dict[str, Any] = request["start"]
                return begun
        print(json.dumps(reply), flush=True)
    return None


def drop_capabilities() -> None:
    """Takes from root, on Linux, what it may do against the modes of files."""
    if sys.platform == "linux":
        version_3 = 0x20080522
        header, none = (ctypes.c_uint32 * 2)(version_3, 0), (ctypes.c_uint32 * 6)()
        ctypes.CDLL(None).capset(header, none)


def become(request: dict[str, Any]) -> None:
    """Makes this process the one that runs the command."""
    drop_capabilities()
    os.chdir(request["folder"])
    out, moment = request["out"], request["moment"]
    for number, name in enumerate(("/dev/null", out, f"{out}.err")):
        os.dup2(os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o666), number)
    loop.CHECKPOINT_SECONDS = 0.0
    sys.argv = ["zen", *request["words"]]
    if moment is None:
        return
    moments = Moments(moment, FAULTS[request["fault"]] if moment else bool)
    if not moment:
        atexit.register(lambda: Path(f"{out}.events").write_text(json.dumps(moments.events), encoding="utf-8"))
    sys.setprofile(moments)


if __name__ == "__main__":
    gc.freeze()  # to collect what is loaded takes most of the time of a short command
    started = serve()
    if started is not None:
        become(started)
        run()
