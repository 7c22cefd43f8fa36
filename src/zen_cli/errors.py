r"""Everything that can go wrong, as one tree; each class knows the exit code of the command that meets it.

    ZenError
    +-- InputError          exit 2: what the user wrote
    |   +-- UsageError      an option or a combination of options
    |   +-- SourceError     a file or a stream that cannot be read or decoded
    |   +-- SpecError       an architecture that is not one
    |   +-- OutputError     a place that cannot be written
    +-- RunError            exit 1: what failed although the input was right
        +-- MemoryLimitError   a network that needs more memory than there is
        +-- TraceError         a model of another program that cannot be read as a network
        +-- ScoreError         a score that is not a finite number

A message is one line of printable text, `field: fault; fix`: where, what, and how to fix it. It may quote what a user
wrote, so every error passes it through `one_line`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

# Characters that move the cursor, change the order of the text around them, or end a line: C0 and C1 controls, bidi
# marks, line and paragraph separators, annotation marks, the byte order mark; also surrogates, which are not text.
# The inside of a character class for Python, for pydantic and for JSON Schema; fixed, so that no version of Unicode
# changes which names are valid.
CONTROLS = r"\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ufeff\ufff9-\ufffb"
PRINTABLE = rf"^[^{CONTROLS}]*$"
_UNPRINTABLE = re.compile(rf"[{CONTROLS}\ud800-\udfff]")
MAX_MESSAGE = 1000


class ZenError(Exception):
    """Base of every error that `zen` raises on purpose."""

    exit_code = 1

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


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


class TraceError(RunError):
    """A model of another program that cannot be read as a network.

    The model is what the user named, so the exit code is that of input errors.
    """

    exit_code = 2


class ScoreError(RunError):
    """A score came out as infinity or not a number."""


def printable(text: str) -> str:
    """A text with `?` in place of every character that a name may not hold, see `CONTROLS`."""
    return text if text.isascii() and text.isprintable() else _UNPRINTABLE.sub("?", text)


def one_line(text: str) -> str:
    """A text as one line that is safe to print: spaces for line breaks, `?` for control characters, and cut in the
    middle where it is very long.
    """
    if len(text) > MAX_MESSAGE:
        text = f"{text[: MAX_MESSAGE // 2]} ... {text[-MAX_MESSAGE // 3 :]}"
    return printable(" ".join(text.split()))


def shorten(text: str, limit: int = 40) -> str:
    """A text cut at a number of characters."""
    return text if len(text) <= limit else text[: limit - 3] + "..."


def reason(error: OSError | ValueError) -> str:
    """What the system says about a file that cannot be opened, read or written, to follow a comma."""
    text = getattr(error, "strerror", None) or str(error)
    return text[:1].lower() + text[1:]


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that a misspelt one is most like, if it is like one."""
    close = get_close_matches(word[:80], sorted(known), n=1)
    return close[0] if close else None


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint for a misspelt word: `did you mean "kernel"?`, or the list of what is known."""
    names = sorted(known)
    close = closest(word, names)
    return f'did you mean "{close}"?' if close else f"known: {', '.join(names)}"
