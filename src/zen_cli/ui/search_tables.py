"""Tables about searches: the presets, and members of a space."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..metrics.terms import spec_terms
from ..net.notation import notation
from .layout import Field, Sheet, lay_out
from .numbers import write_column
from .terminal import print_lines, width_of

if TYPE_CHECKING:
    from ..nas.presets import Preset
    from ..nas.settings import SearchSettings
    from ..net.spec import ArchSpec


def print_presets(presets: Sequence[Preset]) -> None:
    """Prints a table of presets on stdout."""
    print_lines(lay_out(presets_sheet(presets), width_of(sys.stdout)))


def print_members(settings: SearchSettings, members: Sequence[ArchSpec]) -> None:
    """Prints a table of networks of a space on stdout."""
    print_lines(lay_out(members_sheet(settings.space.name, members), width_of(sys.stdout)))


def presets_sheet(presets: Sequence[Preset]) -> Sheet:
    """One row a preset: what it searches, its limits and what was published for it."""
    limits = [row.limits for row in presets]
    return Sheet(
        [
            Field("preset", [row.name for row in presets], right=False),
            Field("space", [row.space for row in presets], right=False, drop=2),
            Field("input", write_column([row.resolution for row in presets], "integer"), drop=4),
            Field("classes", write_column([row.num_classes for row in presets], "integer"), drop=5),
            Field("params", write_column([row.params for row in limits], "count")),
            Field("MACs", write_column([row.macs for row in limits], "count")),
            Field("sublayers", write_column([row.sublayers for row in limits], "integer"), drop=3),
            Field("published", [f"{row.published_name}, {row.accuracy}" for row in presets], False, drop=1, wraps=True),
        ],
        captions=["params, MACs and sublayers are limits"],
    )


def members_sheet(space: str, members: Sequence[ArchSpec]) -> Sheet:
    """One row a network: its cost and its blocks."""
    totals = [spec_terms(spec).total for spec in members]
    return Sheet(
        [
            Field("params", write_column([total.params for total in totals], "count")),
            Field("MACs", write_column([total.macs for total in totals], "count")),
            Field("layers", write_column([total.layers for total in totals], "integer"), drop=1),
            Field("structure", [notation(spec) for spec in members], right=False, wraps=True),
        ],
        title=f"random members of {space}",
    )
