"""What people see: tables, bars and progress. Data is written elsewhere; only a table that answers goes to stdout.

rich is imported where something is drawn, so that a pipe never waits for it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..metrics.records import Breakdown, ScoreRecord
from ..units import format_count

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from ..metrics.proxies import Proxy

BAR = 24
WIDE = 100


def console(*, stderr: bool = False) -> Console:
    """A rich console on stdout or stderr; a pipe gets 120 columns."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    terminal = stream is not None and stream.isatty()
    return Console(stderr=stderr, highlight=False, width=None if terminal else 120)


def score_table(records: Sequence[ScoreRecord], width: int = 120) -> Table:
    """One row an architecture: score, standard error and cost; a narrow table leaves out sub-layers and the id."""
    from rich import box
    from rich.table import Table

    drawn = any(record.zen.std_error is not None for record in records)
    wide = width >= WIDE
    table = Table(box=box.SIMPLE_HEAD, caption=_caption(records), caption_justify="left")
    table.add_column("network", overflow="fold")
    errors, rest = ["± s.e."] if drawn else [], ["sublayers"] if wide else []
    for title in ("zen (nats)", *errors, "params", "MACs", "acts", "layers", *rest):
        table.add_column(title, justify="right", no_wrap=True)
    if wide:
        table.add_column("id", style="dim", no_wrap=True)
    for record in records:
        error, cost = record.zen.std_error, record.cost
        cells = [_plain(record.name or "-"), f"{record.zen.value:.2f}"]
        if drawn:
            cells.append("-" if error is None else f"{error:.2f}")
        cells += [format_count(value) for value in (cost.params, cost.macs, cost.activations)]
        cells.append(str(cost.layers))
        if wide:
            cells += [str(cost.sublayers), record.id]
        table.add_row(*cells)
    return table


def proxy_table(records: Sequence[ScoreRecord]) -> Table:
    """One row an architecture, one column a proxy with an arrow to where it is better."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("network", overflow="fold")
    directions = {name: row.direction for record in records for name, row in (record.proxies or {}).items()}
    for name, direction in directions.items():
        table.add_column(f"{_plain(name)} {'↑' if direction == 'higher' else '↓'}", justify="right", no_wrap=True)
    for record in records:
        cells = []
        for name in directions:
            row = (record.proxies or {}).get(name)
            error = "" if row is None or row.std_error is None else f" ± {row.std_error:.2g}"
            cells.append("-" if row is None else f"{row.value:.6g}{error}")
        table.add_row(_plain(record.name or record.id), *cells)
    return table


def proxies_table(proxies: Sequence[Proxy]) -> Table:
    """One row a proxy: which way is better, whether a search can run on its closed form, what it is, and whence."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("proxy", no_wrap=True)
    table.add_column("better", no_wrap=True)
    table.add_column("closed form", no_wrap=True)
    table.add_column("what it is")
    table.add_column("source")
    for proxy in proxies:
        closed = "yes" if proxy.closed_form is not None else ""
        table.add_row(*map(_plain, (proxy.name, proxy.direction, closed, proxy.summary, proxy.source)))
    return table


def breakdown_table(record: ScoreRecord, breakdown: Breakdown, width: int = 120) -> Table:
    """One row a layer: log sigma with a bar, the running total, and 1 - c up to where Delta saturates."""
    from rich import box
    from rich.table import Table

    table = Table(
        box=box.SIMPLE_HEAD,
        title=_plain(f"{record.name or record.id}: closed form, layer by layer"),
        caption=_breakdown_caption(breakdown),
        title_justify="left",
        caption_justify="left",
    )
    for title in ("layer", "conv", "in", "out", "side", "log σ"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("total", justify="right", no_wrap=True)
    table.add_column("1 - c", justify="right", no_wrap=True)
    low = min(0.0, *(row.log_sigma for row in breakdown.layers))
    high = max(row.log_sigma for row in breakdown.layers)
    for row in breakdown.layers:
        kernel = f"{row.kernel}x{row.kernel}" + (f"/{row.stride}" if row.stride > 1 else "")
        kernel += f" g{row.groups}" if row.groups > 1 else ""
        mark = " <<" if row.layer == breakdown.saturation_layer else "   "
        table.add_row(
            str(row.layer),
            kernel,
            str(row.in_width),
            str(row.out_width),
            str(row.out_side),
            f"{row.log_sigma:.3f}",
            bar((row.log_sigma - low) / max(high - low, 1e-12), BAR if width >= WIDE else BAR // 3),
            f"{row.total:.2f}",
            f"{row.decorrelation:.2g}{mark}",
        )
    table.add_row("", "Δ", "", "", "", f"{breakdown.log_delta:.3f}", "", f"{_total(breakdown):.2f}", "")
    return table


def bar(share: float, width: int = BAR) -> str:
    """A horizontal bar of a share in 0 to 1, in eighths of a character."""
    eighths = round(max(0.0, min(1.0, share)) * width * 8)
    parts: str = " ▏▎▍▌▋▊▉"
    return ("█" * (eighths // 8) + parts[eighths % 8]).rstrip()


def print_records(records: Sequence[ScoreRecord]) -> None:
    """The answer as tables on stdout."""
    out = console()
    for record in records:
        if record.breakdown is not None:
            out.print(breakdown_table(record, record.breakdown, out.width))
    if records:
        out.print(score_table(records, out.width))
    if any(record.proxies for record in records):
        out.print(proxy_table(records))


class Progress:
    """A line on stderr that says how far long work is; silent in a pipe or when quiet. A context manager."""

    def __init__(self, label: str, *, quiet: bool) -> None:
        self._bar: Any = None
        if quiet or sys.stderr is None or not sys.stderr.isatty():
            return
        from rich.progress import Progress as RichProgress
        from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

        self._bar = RichProgress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TextColumn("{task.fields[status]}"),
            TimeElapsedColumn(),
            console=console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task(label, total=None, status="")
        self._done = 0
        self._draws = 0

    def __enter__(self) -> Progress:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def say(self, text: str) -> None:
        """What is being done now."""
        if self._bar is not None:
            self._bar.update(self._task, status=_plain(text))

    def finished(self, name: str) -> None:
        """One architecture is done."""
        if self._bar is not None:
            self._done += 1
            self._show(name)

    def drew(self, count: int) -> None:
        """Some Monte-Carlo draws are done."""
        if self._bar is not None:
            self._draws += count
            self._show("")

    def _show(self, name: str) -> None:
        draws = f", {self._draws} draws" if self._draws else ""
        self._bar.update(self._task, status=f"{self._done} done{draws} {_plain(name)}")


def _caption(records: Sequence[ScoreRecord]) -> str:
    lines = {_setting(record) for record in records}
    return "\n".join(sorted(lines))


def _setting(record: ScoreRecord) -> str:
    zen = record.zen
    text = f"{zen.estimator}, {zen.convention} convention, {zen.norm} norm, alpha {zen.alpha:g}"
    if zen.estimator == "monte-carlo":
        text += f", {zen.batch_size} images, seed {zen.seed}, {zen.device}"
    return text


def _breakdown_caption(breakdown: Breakdown) -> str:
    if breakdown.saturation_layer is None:
        return "Δ does not saturate: it measures a gradient through all layers."
    return (
        f"Δ saturates at layer {breakdown.saturation_layer} (<<): behind it the correlation c of the two halves is "
        "below one half, and the gains σ alone carry the score."
    )


def _total(breakdown: Breakdown) -> float:
    return breakdown.layers[-1].total + breakdown.log_delta


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)
