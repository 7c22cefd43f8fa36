"""`zen` as a user runs it: a process (see forks.py), its bytes and its exit code."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from forks import ENVIRONMENT, ForkServer, fork_server, light_server

__all__ = ["ENVIRONMENT", "MAIN", "Result", "Zen"]

MAIN = "from zen_cli.__main__ import run\nrun()\n"  # `zen` as a script


class Result(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The records of JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    def fails(self, *words: str, code: int = 2) -> None:
        """One line on stderr with these words in it, nothing on stdout, and the exit code."""
        assert self.out == "", self.out
        self.warns(*words, code=code)

    def warns(self, *words: str, code: int = 2) -> None:
        """One line on stderr with these words in it, and the exit code."""
        assert "Traceback" not in self.err, self.err
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("zen: ")
        assert len(lines[0]) < 400, lines[0]
        for word in words:
            assert word in lines[0], lines[0]
        assert self.code == code, self


def is_closed_form(words: Sequence[str]) -> bool:
    """Whether a command scores by the closed form, so that it is likely to do without torch."""
    options = dict(pairwise(words))  # the last of each, which is the one that counts
    if "--proxies" in options or options.get("--estimator") == "monte-carlo":
        return False
    return options.get("--estimator") == "mean-field" or options.get("--verify") == "0"


def server_of(words: Sequence[str]) -> ForkServer:
    """Which server forks a command: one with torch, if it needs it."""
    return light_server() if is_closed_form(words) else fork_server()


class Zen:
    """A folder in which commands run; `zen("score", "a.json")`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *words: str, stdin: str | bytes = b"", **variables: str) -> Result:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        process = server_of(words).start(self.folder, MAIN, *words, **variables)
        out, err = process.communicate(data)
        return Result(process.wait(), out.decode(), err.decode())

    def score(self, *words: str, stdin: str | bytes = b"") -> Result:
        """`zen score` by the closed form."""
        return self("score", "--estimator", "mean-field", *words, stdin=stdin)
