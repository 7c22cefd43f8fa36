"""`zen` in the process of the tests, for commands that would spend most of their time on starting Python."""

from __future__ import annotations

import io
import math
import sys
import warnings
from pathlib import Path

import pytest
from cli import Result

from zen_cli.cli import main


class ZenHere:
    """A folder in which commands run; `zen_here("export", "a.json")`. What is tested is what `Zen` tests."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[bytes]) -> None:
        self.folder = folder
        self._patch, self._capture = patch, capture
        patch.chdir(folder)
        patch.setattr(warnings, "showwarning", warnings.showwarning)  # which `main` replaces
        for module in ("progress", "screen"):  # on a busy machine a line of progress would come between
            patch.setattr(f"zen_cli.ui.{module}.LINE_SECONDS", math.inf)

    def __call__(self, *words: str, stdin: str | bytes = b"") -> Result:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        self._capture.readouterr()
        self._patch.setattr(sys, "argv", ["zen", *words])
        self._patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        with pytest.raises(SystemExit) as end:
            main()
        out, err = self._capture.readouterr()
        return Result(int(end.value.code or 0), out.decode(), err.decode())
