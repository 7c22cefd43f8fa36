"""What an export wrote and what was checked of it, as tables on stderr."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..units import format_count
from .layout import Field, Sheet, lay_out
from .terminal import is_terminal, print_lines, width_of

if TYPE_CHECKING:
    from ..exporters.run import ExportedFile

UNLIMITED = 1_000_000  # columns of a file


def print_exports(done: Sequence[ExportedFile]) -> None:
    """Prints one table per network on stderr."""
    width = width_of(sys.stderr) if is_terminal(sys.stderr) else UNLIMITED
    for sheet in export_sheets(done):
        print_lines(lay_out(sheet, width), stderr=True)


def export_sheets(done: Sequence[ExportedFile]) -> list[Sheet]:
    """One row per file: its target, its place and what its check found."""
    from ..exporters.check import TOLERANCE

    sheets = []
    for source in dict.fromkeys(row.source for row in done):
        spec, rows = source.spec, [row for row in done if row.source is source]
        fields = [
            Field("target", [row.target for row in rows], right=False),
            Field("file", [str(row.path or "stdout") for row in rows], right=False),
            Field("checked", [row.finding.text() for row in rows], right=False, wraps=True),
        ]
        cost = _cost(spec.cost.params, spec.cost.macs)
        if source.merge:
            cost += f"; merged {_cost(source.counts['params'], source.counts['macs'])}"
        title = f"{spec.name or 'network'} ({spec.id}): {cost}"
        sheets.append(Sheet(fields, title))
    if any(row.finding.difference is not None for row in done):
        allowed = f"differences are shares of the largest output, {TOLERANCE:g} allowed"
        last = sheets[-1]
        sheets[-1] = Sheet(last.fields, last.title, [f"checked in a fresh process without zen; {allowed}"])
    return sheets


def _cost(params: int, macs: int) -> str:
    return f"{params:,} parameters, {format_count(macs)} MACs"
