"""`zen score`: the Zen-score of architectures, one record each."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UsageError, ZenError
from . import options as opt

if TYPE_CHECKING:
    from ..formats.reading import Item
    from ..metrics.proxies import Proxy
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
    from ..formats.reading import Overrides, read
    from ..metrics.scoring import add_proxies, score_all
    from ..metrics.settings import check_settings
    from ..ui.tables import Progress

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
    overrides = Overrides(resolution, num_classes)
    others = _find_proxies(proxies)
    failures = Failures(fail_fast)
    with opt.records(opt.check_format(style)) as writer, Progress("scoring", quiet=quiet) as progress:
        specs = failures.pass_specs(read(_sources(sources), overrides))
        first = next(specs, None)
        results: Iterable[ScoreRecord | ZenError] = ()
        if first is not None:  # torch is waited for only where there is something to score
            results = score_all(chain([first], specs), settings, breakdown=breakdown, on_draw=progress.drew)
        for result in add_proxies(results, others, settings):
            if isinstance(result, ZenError):
                failures.add(result)
                continue
            writer.write(result)
            progress.finished(result.name or result.id)
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


def _find_proxies(text: str | None) -> tuple[Proxy, ...]:
    if text is None:
        return ()
    from ..metrics.proxies import find_all

    return find_all(text)


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
