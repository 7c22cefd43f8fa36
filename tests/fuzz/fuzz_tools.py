"""What every fuzz test shares: how long it runs, and what must hold of every message and of every command.

In the test suite each test draws the same examples every time. With `ZEN_FUZZ_MINUTES=10` each test draws new ones for
ten minutes; `ZEN_FUZZ_SEED=1000` begins with other ones, for several runs side by side.
"""

from __future__ import annotations

import io
import os
import sys
import time
import unicodedata
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from cli import MAIN
from forks import light_server
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

MINUTES = float(os.environ.get("ZEN_FUZZ_MINUTES", "0"))
SEED = int(os.environ.get("ZEN_FUZZ_SEED", "0"))
EXIT_CODES = (0, 1, 2, 130, 143)
MAX_LINE = 1500
BIDI = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")  # what embeds text in another direction

Strategy: TypeAlias = "st.SearchStrategy[Any]"


def fuzz(examples: int, *strategies: Strategy) -> Callable[[Callable[..., None]], Callable[[], None]]:
    """A test of so many examples of these strategies, the same each time; or of new ones until the time is up."""
    limits: dict[str, Any] = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}

    def decorate(test: Callable[..., None]) -> Callable[[], None]:
        def run(number: int) -> None:
            @seed(number)
            @settings(max_examples=examples, **limits)
            @given(st.tuples(*strategies))
            def draw(values: tuple[Any, ...]) -> None:
                test(*values)

            draw()

        def fuzzed() -> None:
            end, number = time.monotonic() + 60 * MINUTES, SEED
            run(number)
            while time.monotonic() < end:
                number += 1
                run(number)

        fuzzed.__name__, fuzzed.__doc__ = test.__name__, test.__doc__
        return fuzzed

    return decorate


def check_message(message: str) -> None:
    """One line of a bounded length, without a character that moves the cursor or reorders the text around it."""
    assert message
    assert len(message) < MAX_LINE
    assert "\n" not in message
    assert not any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in message), repr(message)
    assert not any(unicodedata.bidirectional(char) in BIDI for char in message), repr(message)


class Done(NamedTuple):
    """What a command left behind."""

    code: int
    out: bytes
    err: str

    def check(self) -> Done:
        """Raises AssertionError where a command broke a promise that holds for any input."""
        assert self.code in EXIT_CODES, self
        assert "Traceback" not in self.err, self.err
        for line in self.err.removesuffix("\n").split("\n") if self.err else ():
            check_message(line)
        if self.code == 2:
            assert self.err, self
        return self


def zen(*words: str, stdin: bytes = b"") -> Done:
    """A command in this process, which is a thousand times faster than one of its own."""
    from zen_cli.cli.main import main

    with _streams(stdin) as (out, err), warnings.catch_warnings():
        before, sys.argv = sys.argv, ["zen", *words]
        try:
            main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        finally:
            sys.argv = before
            sys.stdout.flush()
            sys.stderr.flush()
        return Done(code, out.getvalue(), err.getvalue().decode())


@contextmanager
def _streams(stdin: bytes) -> Iterator[tuple[io.BytesIO, io.BytesIO]]:
    before = sys.stdin, sys.stdout, sys.stderr
    out, err = io.BytesIO(), io.BytesIO()
    sys.stdin = io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")
    sys.stdout, sys.stderr = (io.TextIOWrapper(raw, encoding="utf-8", newline="\n") for raw in (out, err))
    try:
        yield out, err
    finally:
        sys.stdin, sys.stdout, sys.stderr = before


def zen_process(folder: Path, *words: str, stdin: bytes = b"", memory_mib: int = 2048, cpu_s: int = 120) -> Done:
    """A command in a process of its own, which the system ends where it takes too much memory or processor time."""
    limits = {"RLIMIT_AS": memory_mib << 20, "RLIMIT_CPU": cpu_s}
    lines = [f"resource.setrlimit(resource.{name}, ({most}, {most}))\n" for name, most in limits.items()]
    process = light_server().start(folder, "".join(["import resource\n", *lines, MAIN]), *words)
    out, err = process.communicate(stdin)
    return Done(process.wait(), out, err.decode())


# Text that hurts: control and bidi characters, numbers of other scripts, and what is too long, too large or too deep.
NASTY = (
    "",
    " ",
    "-",
    "--",
    "0",
    "-1",
    "+5",
    "1.5",
    "1e9",
    "1e30",
    "1e300T",
    "1e308d",
    "1e-300",
    "nan",
    "-inf",
    "0x10",
    "1_0",
    "1__0",
    "٣",
    "\uff13",
    "3\x1c",
    "3\u2028",
    "224x224",
    "9223372036854775807",
    "9223372036854775808",
    "9" * 400,
    "\x1b[2J\x1b]0;x\x07",
    "\x9b2J",
    "a\u202eb",
    "a\u2028b",
    "a\nb",
    "\ud800",
    "x" * 5000,
    "/",
    ".",
    "../x",
    "/dev/null",
    "a,b",
    "null",
    "true",
    "{}",
    "[]",
)
nasty = st.sampled_from(NASTY) | st.text(max_size=12)
