"""The screen of a search: a live view on a terminal, plain lines elsewhere, always on stderr."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from .cost import cost
from .render import WIDE, bar, console
from .search.limits import Limits
from .search.loop import Snapshot
from .search.presets import Preset, presets
from .search.scorers import Ledger
from .search.settings import SearchSettings
from .terms import spec_terms
from .units import format_count, format_seconds

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from .records import ScoreRecord
    from .searching import Outcome
    from .spec import ArchSpec

FRAME_SECONDS = 0.25
LINE_SECONDS = 5.0
TOP = 5
LONG_MACS = 3e12  # about a minute of a laptop
_BLOCKS = " ▁▂▃▄▅▆▇█"
_ENDINGS = {
    "interrupted": "interrupted",
    "time": "time is up",
    "patience": "patience is at its end",
    "optimal": "proven optimal",
    "gap": "gap reached",
}
_LETTERS = {"conv": "C", "basic": "R", "bottleneck": "B", "mbconv": "M"}


class Screen:
    """Shows a search while it runs; a context manager.

    Args:
        settings: of the search.
        quiet: show nothing.
    """

    def __init__(self, settings: SearchSettings, *, quiet: bool) -> None:
        self._settings = settings
        self._quiet = quiet or sys.stderr is None
        self._shown = time.monotonic()
        self._live: Any = None
        if not self._quiet and sys.stderr.isatty():
            from rich.live import Live

            self._live = Live(console=console(stderr=True), auto_refresh=False, transient=True)

    def __enter__(self) -> Screen:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, snapshot: Snapshot, ledger: Ledger) -> None:
        """A generation is over; draws a frame or a line when it is time for one."""
        if not self._is_due():
            return
        if self._live is not None:
            self._live.update(search_view(self._settings, snapshot, ledger, self._live.console.width), refresh=True)
        else:
            best = ledger.spec(snapshot.best.genome)
            rate = snapshot.proposals / max(snapshot.elapsed_s, 1e-9)
            self._say(
                f"{snapshot.proposals:,} evaluations, {rate:,.0f} a second, "
                f"best {snapshot.sign * snapshot.best.score:.2f}, "
                f"median {snapshot.sign * snapshot.median:.2f}: {notation(best)}"
            )

    def _is_due(self) -> bool:
        """Whether it is time for a frame or a line; the next one is due a while later."""
        now = time.monotonic()
        pause = FRAME_SECONDS if self._live is not None else LINE_SECONDS
        if self._quiet or now - self._shown < pause:
            return False
        self._shown = now
        return True

    def note(self, text: str) -> None:
        """A line about work that has no population, such as the exact search."""
        if not self._is_due():
            return
        if self._live is not None:
            from rich.text import Text

            self._live.update(Text(text), refresh=True)
        else:
            self._say(text)

    def report(self, outcome: Outcome, *, hint: bool = True) -> None:
        """Says how the search ended, and how its best compares with what was published."""
        if self._quiet or not outcome.candidates:
            return
        best = outcome.candidates[0]
        ending = _ENDINGS.get(outcome.stopped, "done")
        rate = f" ({outcome.evaluations / max(outcome.elapsed_s, 1e-9):,.0f} a second)"
        unit = "evaluations" if self._settings.algorithm == "evolution" else "programs"
        what = self._settings.proxy or "nats"
        self._say(
            f"{ending} after {outcome.evaluations:,} {unit} in {format_seconds(outcome.elapsed_s)}"
            f"{rate if unit == 'evaluations' else ''}; best {best.score:.2f} {what}"
        )
        self._say(notation(best.spec))
        preset = _preset_of(self._settings)
        if preset is not None and self._settings.proxy is None:
            self._say(_comparison(preset, self._settings))
        if hint and self._live is not None and outcome.bound is None and _has_bound(self._settings):
            self._say("--bound tells how close that is to the best network of the space; --algorithm exact finds it")

    def bound(self, outcome: Outcome) -> None:
        """Says what nothing in the space exceeds."""
        if self._quiet or outcome.bound is None or not outcome.candidates:
            return
        best = outcome.candidates[0].score
        gap = max(0.0, (outcome.bound - best) / abs(best))
        self._say(
            f"{best:.2f} nats; by the closed form nothing in this space exceeds {outcome.bound:.2f} (gap {gap:.2%})"
        )

    def verifying(self, outcome: Outcome) -> None:
        """Says what it takes to verify the best, where that is long."""
        score, candidates = self._settings.score, outcome.candidates[: self._settings.verify]
        macs = 2 * score.batch_size * score.draws * sum(cost(candidate.spec).macs for candidate in candidates)
        if not self._quiet and macs > LONG_MACS:
            self._say(
                f"verifying {len(candidates)} networks takes {format_count(macs)} multiply-adds; "
                "Ctrl-C hands them over unverified"
            )

    def verified(self, records: Sequence[ScoreRecord]) -> None:
        """Says how many of the verified might as well stand first."""
        scores = [record.zen for record in records if record.zen.std_error is not None]
        if self._quiet or len(scores) < 2 or self._settings.proxy is not None:
            return
        first = scores[0]
        close = [
            score
            for score in scores
            if first.value - score.value <= 2 * math.hypot(first.std_error or 0.0, score.std_error or 0.0)
        ]
        if len(close) > 1:
            self._say(
                f"{len(close)} of {len(scores)} verified networks lie within two standard errors of the first; "
                "more --draws tell them apart"
            )

    def _say(self, text: str) -> None:
        print(f"zen: {text}", file=sys.stderr, flush=True)


def _has_bound(settings: SearchSettings) -> bool:
    """Whether the exact search takes a problem like this one."""
    limits, plain = settings.limits, settings.proxy is None and settings.score.estimator == "mean-field"
    is_additive = limits.depth_width_ratio is None and (limits.layers is not None or limits.sublayers is not None)
    return plain and is_additive and settings.space.kind == "blocks"


def notation(spec: ArchSpec) -> str:
    """A network on one line: `C3-88 B7-120/16x2 B7-192/16x6s2 ... C1-512`.

    A block is its op (C conv, R basic, B bottleneck, M mbconv), kernel, width, what is inside (`/mid_width`, `eN` for
    an expansion, `gN` channels a group), `xN` units and `sN` stride.
    """
    words = []
    for block in spec.blocks:
        row = block.model_dump()
        word = f"{_LETTERS[block.op]}{block.kernel}-{block.width}"
        if row.get("pair_width"):
            word += f"({row['pair_width']})"
        if row.get("expansion"):
            word += f"e{row['expansion']}"
        if row.get("mid_width"):
            word += f"/{row['mid_width']}"
        if row.get("group_width"):
            word += f"g{row['group_width']}"
        word += f"x{block.depth}" if block.depth > 1 else ""
        word += f"s{block.stride}" if block.stride > 1 else ""
        words.append(word)
    return " ".join(words)


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


def _preset_of(settings: SearchSettings) -> Preset | None:
    """The published problem that these settings are, if they are one."""
    problem = (settings.space_document.get("name"), settings.resolution, settings.num_classes, settings.limits)
    same = (row for row in presets().values() if (row.space, row.resolution, row.num_classes, row.limits) == problem)
    return next(same, None)


def _comparison(preset: Preset, settings: SearchSettings) -> str:
    spec = preset.published
    text = f"published for {preset.name}: {preset.published_name}"
    if spec is not None:
        from .terms import score_spec

        score = settings.score
        value = score_spec(spec, convention=score.convention, norm=score.norm, alpha=score.alpha)
        text += f", {value:.2f} nats by the closed form"
    return f"{text}, {preset.accuracy}"
