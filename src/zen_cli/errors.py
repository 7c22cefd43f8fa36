"""Everything that can go wrong, as one tree; each class knows the exit code of the command that meets it.

    ZenError
    +-- InputError          exit 2: what the user wrote
    |   +-- UsageError      an option or a combination of options
    |   +-- SourceError     a file or a stream that cannot be read or decoded
    |   +-- SpecError       an architecture that is not one
    |   +-- OutputError     a place that cannot be written
    +-- RunError            exit 1: what failed although the input was right
        +-- MemoryLimitError   a network that needs more memory than there is
        +-- ScoreError         a score that is not a finite number

A message is one line: where, what, and how to mend it.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class ZenError(Exception):
    """Base of every error that `zen` raises on purpose."""

    exit_code = 1


class InputError(ZenError):
    """What the user wrote cannot be used."""

    exit_code = 2


class UsageError(InputError):
    """An option has a value that it cannot have."""


class SourceError(InputError):
    """A file or stream cannot be read or decoded."""


class SpecError(InputError):
    """A document or string does not describe an architecture."""


class OutputError(InputError):
    """A result cannot be written to where it should go."""


class RunError(ZenError):
    """The input was right and the computation failed."""


class MemoryLimitError(RunError):
    """A network needs more memory than the device has.

    The network is what the user wrote, so the exit code is that of input errors.
    """

    exit_code = 2


class ScoreError(RunError):
    """A score came out as infinity or not a number."""


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint for a misspelt word: `did you mean "kernel"?`, or the list of what is known."""
    names = sorted(known)
    close = get_close_matches(word, names, n=1)
    return f'did you mean "{close[0]}"?' if close else f"known: {', '.join(names)}"
