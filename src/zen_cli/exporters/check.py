"""Checks what was exported against the module that it came from: a process without zen for files that can be run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple

from ..devices import torch_threads
from ..errors import RunError
from .source import ExportSource
from .standalone import Symbol, collect, import_lines
from .table import TARGETS
from .target import ReadTarget, Target
from .to_state_dict import STATE_DICT

TOLERANCE = 1e-4
ROUNDINGS, MOST_TOLERANCE = 4, 1e-2


class Finding(NamedTuple):
    """What a check saw: the largest difference over the largest logit, on which images; words where nothing runs.

    `rounding` is what float32 itself does to the network, where that is why more than the tolerance was let pass.
    """

    difference: float | None
    shapes: tuple[tuple[int, ...], ...] = ()
    words: str = ""
    rounding: float | None = None

    def text(self) -> str:
        """The finding for people."""
        if self.difference is None:
            return self.words
        runs = ", ".join(f"{shape[0]} x {shape[2]} x {shape[3]}" for shape in self.shapes)
        cause = "" if self.rounding is None else f" (float32 itself is off by {self.rounding:.0e})"
        agrees = f"agrees to {self.difference:.0e}{cause}" if self.difference else "agrees exactly"
        return f"{agrees} on {runs}; parameters and MACs counted again"


class Checker:
    """The process that loads, runs and counts files; started by its first job, ended with the `with` block.

    Args:
        folder: where its script and what it says go.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._said = folder / "stderr.txt"
        self._child: subprocess.Popen[str] | None = None

    def __enter__(self) -> Checker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.communicate()

    def rows(self, job: Path) -> list[dict[str, Any]]:
        """The answer to the job of a folder, one row a file.

        Raises:
            RunError: the process ended.
        """
        self._child = self._child or self._start()
        try:
            _stream(self._child.stdin).write(json.dumps(str(job)) + "\n")
            _stream(self._child.stdin).flush()
        except BrokenPipeError:
            pass  # it has ended, and says why
        answer = _stream(self._child.stdout).readline()
        if not answer:
            code = self._child.wait()
            lines = self._said.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            fault = f"it was ended by signal {-code}, perhaps for want of memory" if code < 0 else " ".join(lines[-1:])
            raise RunError(f"the check of exported files failed: {fault}")
        rows: list[dict[str, Any]] = json.loads(answer)
        return rows

    def _start(self) -> subprocess.Popen[str]:
        script = self._folder / "check_exported.py"
        script.write_text(checker_source(), encoding="utf-8")
        own = {"ORT_DISABLE_TELEMETRY": "1", "PYTHONSAFEPATH": "1", "TORCHINDUCTOR_CACHE_DIR": str(self._folder)}
        with open(self._said, "wb") as said:
            return subprocess.Popen(
                [sys.executable, str(script)],
                cwd=self._folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
                env={**os.environ, **own},
            )


def checker_source() -> str:
    """The script of the process: `checker.py` and the checks of all targets, with all that they name."""
    home = f"{__package__}.checker"
    targets = [target for target in (*TARGETS.values(), STATE_DICT) if target.check is not None]
    code = collect([Symbol(home, "main"), Symbol(home, "Check"), *(Symbol.of(target.check) for target in targets)])
    rows = [f"{row.name!r}: Check({Symbol.of(row.check).name}, any_side={row.any_side})" for row in targets]
    head = ["from __future__ import annotations", *import_lines(code.imports)]
    return "\n\n".join(["\n".join(head), *code.pieces, f"main({{{', '.join(rows)}}})"]) + "\n"


def check_files(
    source: ExportSource, files: Sequence[tuple[Target, Path]], folder: Path, checker: Checker
) -> list[Finding]:
    """Checks the files of one network.

    Args:
        source: the network.
        files: each with its target.
        folder: for the job of those that can be run.
        checker: runs them.

    Raises:
        RunError: a file does not load, does not run, or is not the network that it was exported from.
    """
    running = [(target, path) for target, path in files if not isinstance(target, ReadTarget)]
    rows = iter(checker.rows(_write_job(source, running, folder)) if running else [])
    findings = []
    for target, path in files:
        where = f"{source.where}: {target.name}"
        try:
            if isinstance(target, ReadTarget):
                findings.append(Finding(None, words=target.read_back(path.read_bytes(), source)))
            else:
                findings.append(_judge(source, next(rows)))
        except RunError as error:
            raise RunError(f"{where}: {error}") from None
    return findings


def _write_job(source: ExportSource, files: Sequence[tuple[Target, Path]], folder: Path) -> Path:
    import torch

    with torch.no_grad(), torch_threads(1):
        cases = [(images, source.reference(images)) for images in source.images]
    with open(folder / "reference.pt", "wb") as file:
        torch.save({"tensors": source.tensors, "cases": cases}, file)
    (folder / "network.py").write_text(source.source, encoding="utf-8")
    job = {
        "reference": str(folder / "reference.pt"),
        "source": str(folder / "network.py"),
        "files": [[target.name, str(path)] for target, path in files],
    }
    (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
    return folder


def _judge(source: ExportSource, row: dict[str, Any]) -> Finding:
    if "error" in row:
        raise RunError(f"does not pass its check: {row['error']}")
    for key, wanted in source.counts.items():
        if row[key] != wanted:
            raise RunError(f"the exported network has {row[key]} {key}, not {wanted}; please report it")
    difference, rounding = float(row["difference"]), None
    if not difference <= TOLERANCE:
        rounding = source.rounding
        if not difference <= min(ROUNDINGS * rounding, MOST_TOLERANCE):
            raise RunError(_blame(difference, rounding))
    return Finding(difference, tuple(tuple(shape) for shape in row["shapes"]), rounding=rounding)


def _blame(difference: float, rounding: float) -> str:
    """What to say of a file whose logits differ so much, where float32 itself is off by `rounding`."""
    if ROUNDINGS * rounding > MOST_TOLERANCE:
        return (
            f"cannot be checked, for these weights amplify float32 rounding to {rounding:.1e} of the largest output; "
            "train the torch target and export its checkpoint with weights"
        )
    return (
        f"differs from the network by {difference:.1e} of its largest output, more than {TOLERANCE:g} and than "
        f"float32, which is off by {rounding:.1e}; please report it"
    )


def _stream(stream: IO[str] | None) -> IO[str]:
    assert stream is not None  # all three are pipes or files
    return stream
