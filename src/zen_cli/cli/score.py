"""`zen score`: the Zen-score of architectures, one record each."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import UsageError
from ..metrics.columns import COLUMNS
from ..units import parse_count
from . import options as opt


def score(
    ctx: typer.Context,
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NETWORK|-]...",
            help="Files (specs, records, structure strings, ONNX), stdin (-), or names: resnet50, timm:resnet50.",
            show_default=False,
        ),
    ] = None,
    estimator: opt.Estimator = None,
    convention: opt.Convention = None,
    norm: opt.NormOption = None,
    alpha: opt.Alpha = None,
    batch_size: opt.BatchSize = None,
    draws: opt.Draws = None,
    precision: opt.Precision = None,
    precision_mode: opt.PrecisionMode = None,
    seed: opt.Seed = None,
    device: opt.Device = None,
    dtype: opt.DtypeOption = None,
    target: opt.TargetOption = None,
    resolution: opt.Resolution = None,
    num_classes: opt.NumClasses = None,
    arg: opt.FactoryArgument = None,
    path: opt.FactoryPath = None,
    proxies: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            help="Other zero-shot scores as well, such as phi,synflow.",
            show_default=False,
            autocompletion=opt.complete_metrics,
        ),
    ] = None,
    list_proxies: Annotated[
        bool, typer.Option("--list-proxies", help="List all zero-shot scores with direction and source, and exit.")
    ] = False,
    list_networks: Annotated[
        bool, typer.Option("--list-networks", help="List the published networks that have a name, and exit.")
    ] = False,
    breakdown: Annotated[
        bool, typer.Option("--breakdown", help="Add each layer's share and where Delta saturates.")
    ] = False,
    layers: Annotated[
        bool,
        typer.Option(
            "--layers", help="List layers and stages instead: shapes, cost, receptive field, share of the score."
        ),
    ] = False,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="Stop at the first error.")] = False,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="K/N", help="Only this share of the networks, such as 3/8.", rich_help_panel=opt.CLUSTER_PANEL
        ),
    ] = None,
    skip_done: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="Pass over networks with a record in FILE.", rich_help_panel=opt.CLUSTER_PANEL
        ),
    ] = None,
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
        str | None,
        typer.Option(
            metavar="K", help="Only the first K (by zen, unless --sort says).", rich_help_panel=opt.OUTPUT_PANEL
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
    workers: opt.Workers = None,
    style: opt.OutputFormat = None,
    quiet: opt.Quiet = False,
) -> None:
    """Zen-score of architectures with its error and their cost, one record each.

    Examples: zen score net.json --draws 8; zen score --estimator mean-field *.json --sort zen --top 5
    """
    if schema:
        _print_schema()
        return
    if list_proxies:
        from .proxies import list_proxies as print_proxies

        raise typer.Exit(print_proxies(style))
    if list_networks:
        from .networks import list_networks as print_networks

        print_networks(style)
        return
    if layers:
        _run_layers(ctx.params, sources, style)
        return
    from ..formats.shards import parse_shard
    from ..metrics import find, find_all, refuse_unused
    from ..metrics.cluster.address import check_use
    from ..metrics.settings import ScoreSettings, check_settings
    from .score_run import Job, run_score, view_of

    given = opt.parsed(ScoreSettings, ctx.params) | opt.deployment(target, dtype, quiet=quiet)
    settings = check_settings(**given)
    others = () if proxies is None else find_all(proxies)
    if settings.target is not None and settings.target.predicts and find("latency") not in others:
        others = (*others, find("latency"))
    refuse_unused(given, [find("zen"), *others], settings)
    format_ = opt.check_format(style)
    view = view_of(format_, others, columns, sort, None if top is None else parse_count(top, "top"))
    share = None if shard is None else parse_shard(shard)
    job = Job(settings, others, opt.overrides_of(ctx.params), breakdown, fail_fast, share, skip_done or (), workers)
    check_use(workers, [find("zen"), *others], settings)
    code = run_score(_sources(sources), job, format_, view, quiet=quiet)
    if code:
        raise typer.Exit(code)


def _run_layers(params: dict[str, Any], sources: list[str] | None, style: str | None) -> None:
    """Lists layers instead of scoring."""
    from ..metrics.settings import ScoreSettings, check_settings
    from .layers_run import check_layers, run_layers

    check_layers([name for name, value in params.items() if value])
    settings = check_settings(**opt.parsed(ScoreSettings, {"convention": params["convention"]}))
    overrides = opt.overrides_of(params)
    places, format_ = _sources(sources), opt.check_format(style)
    quiet = {"fail_fast": params["fail_fast"], "quiet": params["quiet"]}
    code = run_layers(places, overrides, settings.convention, format_, **quiet)
    if code:
        raise typer.Exit(code)


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
