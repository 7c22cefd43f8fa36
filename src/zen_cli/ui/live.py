"""Lines at the foot of a terminal that are drawn again and again, and vanish at the end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from .layout import Line, crop
from .terminal import console, width_of

FRAMES_PER_SECOND = 4


class Display:
    """Draws lines on the terminal at stderr. What is printed on stderr or stdout meanwhile appears above them.

    Args:
        frame: makes the lines for a width.
        by_itself: draws them several times a second in a thread; otherwise `draw` does.
    """

    def __init__(self, frame: Callable[[int], Sequence[Line]], *, by_itself: bool = False) -> None:
        self._frame, self._by_itself = frame, by_itself
        self._live: Any = None

    def draw(self) -> None:
        """Draws the lines now; those that are drawn by themselves appear."""
        if self._live is None:
            from rich.live import Live

            self._live = Live(
                console=console(stderr=True),
                get_renderable=self._render,
                auto_refresh=self._by_itself,
                refresh_per_second=FRAMES_PER_SECOND,
                transient=True,
            )
            self._live.start()
        elif self._by_itself:
            return
        self._live.refresh()

    def close(self) -> None:
        """Removes the lines."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _render(self) -> Any:
        from rich.text import Text

        width = width_of(sys.stderr) - 1  # a full line would make some terminals begin the next one
        lines = [Text(crop(line.text, width), style=line.style) for line in self._frame(width)]
        return Text("\n").join(lines)
