"""How far long work is: done, of how many, how fast, and how long it still takes.

A bar at the foot of a terminal, a line every few seconds where stderr is something else, nothing where it is quiet.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from ..units import format_seconds, three_digits
from .bars import bar
from .layout import Line
from .live import Display
from .terminal import is_terminal, say

LINE_SECONDS = 5.0
BAR = 20
MIN_BAR_WIDTH = 72  # columns of a terminal that has room for a bar


class Meter:
    """Measures the progress of work.

    The rate leaves out what came before the first count, such as imports.

    Args:
        unit: what is counted, such as `networks`; empty where nothing is.
        clock: seconds, for tests.
    """

    def __init__(self, unit: str = "", clock: Callable[[], float] = time.monotonic) -> None:
        self._unit, self._clock = unit, clock
        self._began = clock()
        self._first: tuple[float, int] | None = None
        self.done = 0
        self.total: int | None = None

    def update(self, done: int, total: int | None) -> None:
        """Notes how much is done, and of how much; None where nobody knows."""
        self.done, self.total = done, total
        if self._first is None:
            self._first = self._clock(), done

    @property
    def share(self) -> float | None:
        """The share that is done, None where the total is not known."""
        return self.done / self.total if self.total else None

    @property
    def rate(self) -> float | None:
        """How many a second, None before the second count."""
        if self._first is None:
            return None
        elapsed, count = self._clock() - self._first[0], self.done - self._first[1]
        return count / elapsed if elapsed > 0 and count > 0 else None

    @property
    def elapsed(self) -> str:
        """The time since the beginning, for people."""
        return format_seconds(self._clock() - self._began)

    def text(self) -> str:
        """All of it in words: `120 of 300 draws, 35.1/s, 5.1 s left`."""
        words = []
        if self._unit:
            words.append(f"{self.done:,}" + (f" of {self.total:,}" if self.total else "") + f" {self._unit}")
        rate = self.rate
        if rate is not None and rate >= 1:
            words.append(f"{round(rate):,}/s" if rate >= 1000 else f"{three_digits(rate)}/s")
        elif rate is not None:
            words.append(f"{format_seconds(1 / rate)} each")
        if rate is not None and self.total:
            words.append(f"{format_seconds(max(0, self.total - self.done) / rate)} left")
        else:
            words.append(self.elapsed)
        return ", ".join(words)


class Progress:
    """Shows on stderr how far work is, from its first count on. A context manager.

    Args:
        label: what is done, such as `scoring`.
        quiet: show nothing.
        unit: what is counted; empty where only the time that it takes is known.
        total: how many there are, if that is known before.
    """

    def __init__(self, label: str, *, quiet: bool, unit: str = "", total: int | None = None) -> None:
        self._label, self._quiet, self._total = label, quiet or sys.stderr is None, total
        self._meter = Meter(unit)
        self._status = ""
        self.about: Callable[[], str] = lambda: ""  # said after the counts, such as how many workers there are
        self._printed = time.monotonic()
        self._display = Display(self._frame, by_itself=True) if not self._quiet and is_terminal(sys.stderr) else None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._display is not None:
            self._display.close()

    def update(self, done: int, total: int | None = None) -> None:
        """So much is done, of so much."""
        self._meter.update(done, self._total if total is None else total)
        self._status = ""
        self._show()

    def advance(self, count: int = 1, total: int | None = None) -> None:
        """So much more is done, of so much."""
        self.update(self._meter.done + count, total)

    def say(self, text: str) -> None:
        """What is being done, where nothing can be counted."""
        self._status = text
        self._show()

    def _show(self) -> None:
        if self._display is not None:
            self._display.draw()
            return
        now = time.monotonic()
        if not self._quiet and now - self._printed >= LINE_SECONDS:
            self._printed = now
            say(f"{self._label}: {self._text()}")

    def _text(self) -> str:
        text = f"{self._status}, {self._meter.elapsed}" if self._status else self._meter.text()
        return f"{text}; {about}" if (about := self.about()) else text

    def _frame(self, width: int) -> list[Line]:
        share = self._meter.share
        if share is None or width < MIN_BAR_WIDTH:
            return [Line(f"{self._label}  {self._text()}")]
        return [Line(f"{self._label}  {bar(share, BAR):░<{BAR}}  {self._text()}")]
