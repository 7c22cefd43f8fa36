"""What a search looks like: its live view, tables of presets and members, and a network on one line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..metrics.terms import spec_terms
from ..nas.limits import Limits
from ..nas.loop import Snapshot
from ..nas.presets import Preset
from ..nas.scorers import Ledger
from ..nas.settings import SearchSettings
from ..net.notation import notation
from ..units import format_count, format_seconds
from .tables import WIDE, bar

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from ..net.spec import ArchSpec

TOP = 5
_BLOCKS = " ▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], width: int = 60) -> str:
    """A line of bars: the smallest value is low, the largest high; long lines are thinned out."""
    if len(values) > width:
        values = [values[round(index * (len(values) - 1) / (width - 1))] for index in range(width)]
    low, high = min(values), max(values)
    steps = len(_BLOCKS) - 2
    return "".join(_BLOCKS[1 + round((value - low) / (high - low or 1) * steps)] for value in values)


def search_view(settings: SearchSettings, snapshot: Snapshot, ledger: Ledger, width: int = 120) -> RenderableType:
    """The live view: progress against each budget, the population, the best five; a narrow one spells out the best."""
    from rich.console import Group
    from rich.text import Text

    rate = snapshot.proposals / max(snapshot.elapsed_s, 1e-9)
    head = (
        f"{ledger.space.name} {settings.resolution}x{settings.resolution}   {snapshot.proposals:,} evaluations   "
        f"{rate:,.0f}/s   {format_seconds(snapshot.elapsed_s)}   round {snapshot.round + 1}"
    )
    best = (
        f"best {snapshot.sign * snapshot.best.score:.3f}   median {snapshot.sign * snapshot.median:.3f}   "
        f"spread {snapshot.spread:.3f}   {len(snapshot.population)} networks"
    )
    trail = Text("best  ").append(sparkline(snapshot.trail), style="green")
    rows: list[Text | Table] = [Text(head, style="bold"), _progress(settings, snapshot), Text(best), trail]
    wide = width >= WIDE
    rows.append(_top(settings, snapshot, ledger, structure=wide))
    if not wide:
        rows.append(Text(notation(ledger.spec(snapshot.best.genome))))
    return Group(*rows)


def _progress(settings: SearchSettings, snapshot: Snapshot) -> Table:
    budget = settings.budget
    table = _plain_table()
    rows = (
        ("evaluations", budget.evaluations, snapshot.proposals, format_count),
        ("time", budget.seconds, snapshot.elapsed_s, format_seconds),
        ("gpu time", budget.device_seconds, snapshot.elapsed_s, format_seconds),
    )
    for name, limit, value, style in rows:
        if limit is not None:
            table.add_row(name, bar(value / limit, 30), f"{value / limit:.0%} of {style(limit)}")
    return table


def _top(settings: SearchSettings, snapshot: Snapshot, ledger: Ledger, *, structure: bool) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("score", justify="right", no_wrap=True)
    for name, limit in zip(Limits._fields, settings.limits, strict=True):
        if limit is not None:
            table.add_column(
                f"{name.replace('_', ' ')} of {format_count(limit) if limit >= 1 else limit}", justify="right"
            )
    if structure:
        table.add_column("structure", overflow="fold")
    for member in snapshot.population[:TOP]:
        spec = ledger.spec(member.genome)
        usage = settings.limits.usage(spec_terms(spec).total)
        cells = [f"{snapshot.sign * member.score:.3f}", *(f"{value / limit:.1%}" for _, value, limit in usage)]
        table.add_row(*cells, *([notation(spec)] if structure else []))
    return table


def presets_table(rows: Sequence[Preset]) -> Table:
    """The presets with their budgets and what was published for them."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for title in ("preset", "space", "input", "params", "MACs", "sublayers", "published"):
        table.add_column(title)
    for row in rows:
        limits = [format_count(value) if value is not None else "-" for value in row.limits[:2]]
        side = f"{row.resolution}, {row.num_classes} classes"
        table.add_row(
            row.name, row.space, side, *limits, str(row.limits.sublayers), f"{row.published_name}, {row.accuracy}"
        )
    return table


def members_table(settings: SearchSettings, members: Sequence[ArchSpec]) -> Table:
    """Some members of a space with their cost."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, title=f"random members of {settings.space.name}", title_justify="left")
    for title in ("params", "MACs", "layers"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("structure", overflow="fold")
    for spec in members:
        total = spec_terms(spec).total
        table.add_row(format_count(total.params), format_count(total.macs), str(total.layers), notation(spec))
    return table


def _plain_table() -> Table:
    from rich.table import Table

    return Table.grid(padding=(0, 2))
