"""Errors as messages on stderr."""

from __future__ import annotations

STDOUT = "stdout"  # the file name of an error of stdout


def report(message: str, code: int) -> int:
    """Prints an error as a message on stderr and passes the exit code through."""
    from ..ui.terminal import say

    say(message)
    return code
