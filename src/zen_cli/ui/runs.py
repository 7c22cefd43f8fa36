"""Kept runs: the table of them, and what to do next with what a search found."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..nas.kept import RESUMABLE
from .layout import ABSENT, Field, Line, Sheet, lay_out
from .numbers import write_column
from .terminal import print_lines, width_of

if TYPE_CHECKING:
    from ..nas.kept import KeptRow
    from ..nas.rundir import RunDirectory


def print_runs(rows: Sequence[KeptRow]) -> None:
    """Prints a table of runs on stdout."""
    print_lines(lay_out(runs_sheet(rows), width_of(sys.stdout)))


def runs_sheet(rows: Sequence[KeptRow]) -> Sheet:
    """One row a run: its name, when it began, what it searched, its best score and its state."""
    captions = ["best: by what the search maximised"]
    resumable = [row.run for row in rows if row.state in RESUMABLE]
    if resumable:
        captions.append(f"to go on: zen search --resume {resumable[0]}")
    return Sheet(
        [
            Field("run", [row.run for row in rows], right=False),
            Field("when", [f"{row.began:%Y-%m-%d %H:%M}" for row in rows], right=False, drop=2),
            Field("problem", [row.problem or ABSENT for row in rows], right=False, drop=1, wraps=True),
            Field("networks", write_column([row.networks for row in rows], "integer"), drop=3),
            Field("best", write_column([row.best for row in rows], "nats")),
            Field("state", [row.state for row in rows], right=False),
        ],
        captions=captions if rows else ["no search is kept yet"],
    )


def next_lines(name: str | None, stopped: str, run: RunDirectory | None) -> list[Line]:
    """What to do next with the best network of a kept search, each command on a line that is never broken.

    Args:
        name: of the best network, by which it is found again.
        stopped: why the search ended.
        run: where it is kept; None for nowhere.
    """
    if run is None or name is None or not run.has_results:
        return []
    word = shlex.quote(name)
    commands = [f"zen export {word} --to onnx -o {word}.onnx", f"zen score {word} --draws 32"]
    if stopped in (*RESUMABLE, "time"):
        commands.append(f"zen search --resume {shlex.quote(run.label)} --budget 10min")
    commands += [f"zen report {shlex.quote(run.label)}", "zen runs"]
    return [Line("next:", "dim"), *(Line(f"  {command}") for command in commands)]
