"""Gives a process of `zen` a fault at a moment: an event of the interpreter in a function of `zen`.

Events are calls, returns and calls of functions in C, counted for each function on its own. So a moment is the same in
every run, whatever the speed of the machine. For the moment [] the numbers of events are written to a file; without a
moment nothing is counted. What the process writes goes to the files `out` and `out`.err of its folder.
"""

from __future__ import annotations

import atexit
import ctypes
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

import zen_cli
import zen_cli.nas.climb as climb
import zen_cli.nas.loop as loop

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


def drop_capabilities() -> None:
    """Takes from root, on Linux, what it may do against the modes of files."""
    if sys.platform == "linux":
        version_3 = 0x20080522
        header, none = (ctypes.c_uint32 * 2)(version_3, 0), (ctypes.c_uint32 * 6)()
        ctypes.CDLL(None).capset(header, none)


def arm(out: str, moment: list[Any] | None, fault: str) -> None:
    """Sends the output of this process to files, and gives it a fault at a moment."""
    drop_capabilities()
    for number, name in enumerate(("/dev/null", out, f"{out}.err")):
        os.dup2(os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o666), number)
    climb.DEFAULT_POPULATION, loop.CHECKPOINT_SECONDS = 128, 0.0  # short generations, each with a checkpoint
    if moment is None:
        return
    moments = Moments(moment, FAULTS[fault] if moment else bool)
    if not moment:
        atexit.register(lambda: Path(f"{out}.events").write_text(json.dumps(moments.events), encoding="utf-8"))
    sys.setprofile(moments)
