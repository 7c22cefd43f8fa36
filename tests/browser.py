"""Chromium without a window, driven through a pipe, for tests of a page in a real browser."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

COMMAND = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-pipe")
SECONDS = 60


class Browser:
    """One page of a browser; all that it reports is kept in `events`."""

    def __init__(self, send: int, receive: int) -> None:
        self._send, self._receive = send, receive
        self._number, self._rest, self._session = 0, b"", ""
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """The answer to a command."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._send, json.dumps(message).encode() + b"\0")
        while True:
            row = self._next()
            if row.get("id") == self._number:
                assert "error" not in row, row["error"]
                result: dict[str, Any] = row["result"]
                return result
            self.events.append(row)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._receive], [], [], SECONDS)
            assert ready, "the browser does not answer"
            data = os.read(self._receive, 2**20)
            assert data, "the browser ended"
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\0")
        row: dict[str, Any] = json.loads(line)
        return row

    def open(self, page: Path, *, width: int = 1200, dark: bool = False) -> None:
        """Opens a file and waits until it says that it is ready."""
        self.events.clear()
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media="screen", features=[scheme])
        self.call("Page.navigate", url=page.resolve().as_uri())
        self.wait("document.documentElement.dataset.ready === 'true' || !document.getElementById('fault').hidden")
        assert self.value("document.getElementById('fault').textContent") == ""

    def value(self, expression: str) -> Any:
        """The value of an expression of JavaScript in the page."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait(self, expression: str) -> None:
        """Waits until an expression is true."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            found = self.call("Runtime.evaluate", expression=f"Boolean({expression})", returnByValue=True)
            if found["result"].get("value") is True:
                return
            time.sleep(0.05)
        raise AssertionError(f"never true: {expression}")

    def click(self, expression: str) -> None:
        """Clicks with the mouse on the middle of the element that an expression gives."""
        box = self.value(
            f"(() => {{ const e = {expression}; e.scrollIntoView({{block: 'center'}}); "
            "const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)

    @property
    def faults(self) -> list[str]:
        """What went wrong in the page: exceptions, errors on its console, and what its policy refused."""
        wrong = []
        for row in self.events:
            level = row.get("params", {}).get("entry", {}).get("level") or row.get("params", {}).get("type")
            if row["method"] == "Runtime.exceptionThrown" or level in ("error", "warning"):
                wrong.append(json.dumps(row["params"])[:500])
        return wrong

    @property
    def requests(self) -> list[str]:
        """The addresses that the page asked for."""
        rows = [row["params"]["request"]["url"] for row in self.events if row["method"] == "Network.requestWillBeSent"]
        return [row for row in rows if not row.startswith(("data:", "blob:"))]


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A browser, ended at the end; the test is skipped where there is none."""
    if COMMAND is None:
        pytest.skip("there is no Chromium here")
    theirs, ours = os.pipe(), os.pipe()

    def wire() -> None:
        read, write = os.dup(theirs[0]), os.dup(ours[1])
        os.dup2(read, 3)
        os.dup2(write, 4)

    process = subprocess.Popen(
        [COMMAND, *FLAGS, f"--user-data-dir={folder}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        close_fds=False,
        preexec_fn=wire,
    )
    try:
        os.close(theirs[0])
        os.close(ours[1])
        yield Browser(theirs[1], ours[0])
    finally:
        process.kill()
        process.wait(SECONDS)
        os.close(theirs[1])
        os.close(ours[0])
