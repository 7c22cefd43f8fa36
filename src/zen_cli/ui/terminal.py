"""Terminals: their width, messages on stderr, the lines of a table, and a console for what is drawn repeatedly.

rich is imported only where a terminal is drawn on, so that a pipe never waits for it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TextIO

from ..errors import one_line
from .layout import Line, wrap

if TYPE_CHECKING:
    from rich.console import Console

DEFAULT_WIDTH = 120
PREFIX = "zen: "


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a stream is a terminal; None is a closed stream."""
    return stream is not None and stream.isatty()


def width_of(stream: TextIO | None) -> int:
    """Columns: of the variable COLUMNS, else of the terminal, else 120."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isascii() and columns.isdigit() and len(columns) <= 5 and int(columns):
        return int(columns)
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80 if stream is not None else DEFAULT_WIDTH
    except (OSError, ValueError):  # a file, a pipe, or an object that is no file
        return DEFAULT_WIDTH


def say(message: str) -> None:
    """Prints a message on stderr: one line, which a terminal gets broken at spaces and never inside a word."""
    if sys.stderr is None:
        return
    text = one_line(message)
    if is_terminal(sys.stderr):
        lines = wrap(text, width_of(sys.stderr) - len(PREFIX))
        text = ("\n" + " " * len(PREFIX)).join(lines)
    print(PREFIX + text, file=sys.stderr, flush=True)


def print_lines(lines: Iterable[Line], *, stderr: bool = False) -> None:
    """Prints the lines of a table on stdout or stderr, with bold and dim ones on a terminal."""
    stream = sys.stderr if stderr else sys.stdout
    if stream is None:
        return
    if not is_terminal(stream):
        print("\n".join(line.text for line in lines), file=stream)
        return
    from rich.text import Text

    out = console(stderr=stderr)
    for line in lines:
        if line.style:
            out.print(Text(line.text, style=line.style))
        else:
            print(line.text, file=stream)  # many rows, and rich is slow


def console(*, stderr: bool = False) -> Console:
    """A rich console on the terminal at stdout or stderr.

    It never hides the cursor, so that the cursor is there whatever ends the process, SIGKILL included, and it never
    breaks lines: a terminal does it without putting line ends into what is copied from it.
    """
    from rich.console import Console

    class Plain(Console):
        def show_cursor(self, show: bool = True) -> bool:
            return False

        def print(self, *objects: Any, soft_wrap: bool | None = True, **options: Any) -> None:
            super().print(*objects, soft_wrap=soft_wrap, **options)

    return Plain(stderr=stderr, highlight=False, width=width_of(sys.stderr if stderr else sys.stdout))
