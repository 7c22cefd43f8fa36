"""`zen score`: the Zen-score of architectures, one record each."""

from __future__ import annotations

import sys
from collections.abc import Container, Iterable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UsageError, ZenError
from ..metrics.columns import COLUMNS, columns_of, find_column
from . import options as opt
from .writing import View, records

if TYPE_CHECKING:
    from ..formats.reading import Item
    from ..metrics import Metric
    from ..metrics.records import ScoreRecord
    from ..net.spec import ArchSpec


def score(
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FILE|-]...",
            help="Specs, records or structure strings, in files or on stdin (-).",
            show_default=False,
        ),
    ] = None,
    estimator: opt.Estimator = "monte-carlo",
    convention: opt.Convention = "paper",
    norm: opt.NormOption = None,
    alpha: opt.Alpha = 0.01,
    batch_size: opt.BatchSize = 16,
    draws: opt.Draws = None,
    precision: opt.Precision = None,
    precision_mode: opt.PrecisionMode = "auto",
    seed: opt.Seed = 0,
    device: opt.Device = "auto",
    resolution: opt.Resolution = None,
    num_classes: opt.NumClasses = None,
    proxies: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Other zero-shot scores beside it, such as phi,synflow.", show_default=False),
    ] = None,
    list_proxies: Annotated[
        bool, typer.Option("--list-proxies", help="List all zero-shot scores with direction and source, and exit.")
    ] = False,
    breakdown: Annotated[
        bool, typer.Option("--breakdown", help="Add each layer's share and where Delta saturates.")
    ] = False,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="Stop at the first error.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of a spec and exit.")] = False,
    sort: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="Order by a column, such as zen, params or a proxy, best first; -COLUMN for the worst first.",
            autocompletion=opt.choices(*COLUMNS),
            rich_help_panel=opt.OUTPUT_PANEL,
        ),
    ] = None,
    top: Annotated[
        int | None,
        typer.Option(
            metavar="K", min=1, help="Only the first K (by zen, unless --sort says).", rich_help_panel=opt.OUTPUT_PANEL
        ),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            help="Columns of a table or of CSV, such as name,zen,params.",
            autocompletion=opt.choices(*COLUMNS),
            rich_help_panel=opt.OUTPUT_PANEL,
        ),
    ] = None,
    style: opt.OutputFormat = None,
    quiet: opt.Quiet = False,
) -> None:
    """Zen-score of architectures with its error and their cost, one record each."""
    if schema:
        _print_schema()
        return
    if list_proxies:
        from .proxies import list_proxies as print_proxies

        raise typer.Exit(print_proxies(style))
    from ..metrics.scoring import score_all
    from ..metrics.settings import check_settings
    from ..ui.progress import Progress
    from ..ui.terminal import is_terminal, say
    from .reading import read_sources

    settings = check_settings(
        estimator=estimator,
        convention=convention,
        norm=norm,
        alpha=alpha,
        batch_size=batch_size,
        draws=draws,
        precision=precision,
        precision_mode=precision_mode,
        seed=seed,
        device=device,
    )
    others = _find_proxies(proxies)
    failures = Failures(fail_fast)
    format_ = opt.check_format(style)
    view = _view(format_, others, columns, sort, top)
    places = _sources(sources)
    typed = "-" in places and is_terminal(sys.stdin)
    if typed and not quiet:
        say("waiting for networks from the terminal: type or paste them, then press Ctrl-D on a line of its own")
    hidden = quiet or typed or (is_terminal(sys.stdout) and format_ in ("jsonl", "csv"))  # which scroll
    unit = "draws" if settings.estimator == "monte-carlo" else "networks"
    items = read_sources(places, resolution=resolution, num_classes=num_classes, quiet=quiet)
    with records(format_, view) as writer, Progress("scoring", quiet=hidden, unit=unit) as progress:
        specs = failures.pass_specs(items)
        first = next(specs, None)
        results: Iterable[ScoreRecord | ZenError] = ()
        if first is not None:  # torch is waited for only where there is something to score
            progress.update(0)
            results = score_all(
                chain([first], specs), settings, proxies=others, breakdown=breakdown, on_progress=progress.update
            )
        for result in results:
            if isinstance(result, ZenError):
                failures.add(result)
                continue
            writer.write(result)
    if failures.code:
        raise typer.Exit(failures.code)


class Failures:
    """Reports each error of a stream as it comes and remembers the exit code."""

    def __init__(self, fail_fast: bool) -> None:
        self._fail_fast = fail_fast
        self.code = 0

    def add(self, error: ZenError) -> None:
        """Reports an error, or raises it under `--fail-fast`."""
        if self._fail_fast:
            raise error
        self.code = max(self.code, opt.report(str(error), error.exit_code))

    def pass_specs(self, items: Iterator[Item]) -> Iterator[ArchSpec]:
        """The architectures among the items."""
        for item in items:
            if item.error is not None:
                self.add(item.error)
            elif item.spec is not None:
                yield item.spec


def _find_proxies(text: str | None) -> tuple[Metric, ...]:
    if text is None:
        return ()
    from ..metrics import find_all

    return find_all(text)


def _view(style: opt.Format, proxies: Sequence[Metric], columns: str | None, sort: str | None, top: int | None) -> View:
    """What to show of the records.

    Raises:
        UsageError: a column that the records do not have, or columns of JSON.
    """
    from ..metrics.ordering import parse_order

    known = columns_of([(proxy.name, proxy.direction) for proxy in proxies])
    if columns is not None and style not in ("table", "csv"):
        raise UsageError(f"columns: {style} holds whole records; add --format table or --format csv")
    key = sort if sort is not None or top is None else "zen"
    chosen = None if columns is None else list(dict.fromkeys(filter(None, map(str.strip, columns.split(",")))))
    if chosen == []:
        raise UsageError("columns: names no column; write some like name,zen,params")
    for where, names in (("columns", chosen or ()), ("sort", [key.removeprefix("-")] if key else ())):
        _check_scored(where, names, known)
    return View(
        None if chosen is None else [find_column(name, known, "columns") for name in chosen],
        None if key is None else parse_order(key, known),
        top,
    )


def _check_scored(where: str, names: Iterable[str], known: Container[str]) -> None:
    """Raises UsageError where a column is a proxy that was not asked for."""
    from ..metrics import names as proxy_names

    for name in names:
        if name not in known and name in proxy_names():
            raise UsageError(f"{where}: {name} is not scored; add it to --proxies")


def _sources(sources: list[str] | None) -> list[str]:
    if sources:
        return sources
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError("nothing to score; name files, or pipe specs in and write -")
    return ["-"]


def _print_schema() -> None:
    import orjson

    from ..net.spec import json_schema

    opt.emit(orjson.dumps(json_schema(), option=orjson.OPT_INDENT_2) + b"\n")
