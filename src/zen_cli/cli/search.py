"""`zen search`: the best architectures within limits, best first."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UsageError
from ..metrics.settings import ScoreSettings
from ..nas.options import (
    DEFAULT_ALGORITHM,
    DEFAULT_POPULATION,
    DEFAULT_SPACE,
    DEFAULT_TOLERANCE,
    DEFAULT_TOP,
    DEFAULT_VERIFY,
    SearchOptions,
)
from . import options as opt
from .search_listing import check_space, print_presets, say_of_option, say_that_there_are_no_rules
from .search_options import (
    HOW_PANEL,
    LIMIT_PANEL,
    complete_algorithm,
    complete_costs,
    complete_preset,
    complete_space,
    how_option,
    limit_option,
)
from .search_run import Show, run_search

if TYPE_CHECKING:
    from ..nas.rundir import RunDirectory
    from ..nas.settings import SearchSettings

_NOT_OF_THE_SEARCH = frozenset(
    {"workers", "bound", "out", "resume", "no_keep", "seeds", "check", "list_presets", "style", "quiet"}
)


def search(
    ctx: typer.Context,
    space: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help=f"Where to search: a built-in space or a JSON file (default: {DEFAULT_SPACE}).",
            autocompletion=complete_space,
        ),
    ] = None,
    from_: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="NETWORK",
            help="Look for better networks like this one at its cost: a file, a name, or what an earlier search found.",
        ),
    ] = None,
    rules: Annotated[
        str | None,
        typer.Option(
            metavar="none|default",
            help="Design rules of the space: none, or the default ones (default: what the space says).",
            autocompletion=opt.choices("none", "default"),
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="A published problem: space, input and limits under one name.",
            autocompletion=complete_preset,
        ),
    ] = None,
    resolution: Annotated[
        str | None,
        typer.Option(
            metavar="N",
            help="Side of the input image (default: of the preset, else of the space's one seed, else 224).",
        ),
    ] = None,
    num_classes: Annotated[
        str | None, typer.Option(metavar="N", help="Classes (default: likewise, else 1000).")
    ] = None,
    max_params: Annotated[str | None, limit_option("Parameters, such as 1M or 1.05e6.")] = None,
    max_macs: Annotated[
        str | None, limit_option("Multiply-adds for one image, often called FLOPs.", "--max-macs", "--max-flops")
    ] = None,
    max_layers: Annotated[str | None, limit_option("Convolutions in a row.")] = None,
    max_sublayers: Annotated[str | None, limit_option("Sub-layers, as published searches count.")] = None,
    max_depth_width_ratio: Annotated[
        str | None, limit_option("DeepMAD's effectiveness: layers over mean width.", metavar="X")
    ] = None,
    max_memory: Annotated[
        str | None, limit_option("Peak of live activations for one image, such as 320kB.", metavar="SIZE")
    ] = None,
    max_weights: Annotated[str | None, limit_option("Bytes of the parameters, such as 1MB.", metavar="SIZE")] = None,
    max_latency: Annotated[str | None, limit_option("Time on the --target, such as 5ms.", metavar="TIME")] = None,
    dtype: opt.DtypeOption = None,
    target: opt.TargetOption = None,
    limit: Annotated[
        list[str] | None,
        limit_option("Any metric that is a sum or has a closed form, such as activations=5M.", metavar="METRIC=N"),
    ] = None,
    budget: Annotated[
        list[str] | None,
        typer.Option(
            metavar="N",
            help="When to end: 480000evals, 30s, 2h, 0.5gpu-day; the first of several (default: 480000evals).",
            rich_help_panel=LIMIT_PANEL,
        ),
    ] = None,
    patience: Annotated[
        str | None, opt.of_field(SearchOptions, "patience", None, panel=LIMIT_PANEL, metavar="N")
    ] = None,
    proxy: Annotated[
        str | None,
        typer.Option(
            "--objective",
            "--proxy",
            metavar="NAME",
            help=f"{SearchOptions.model_fields['proxy'].description}",
            rich_help_panel=HOW_PANEL,
            autocompletion=opt.complete_metrics,
        ),
    ] = None,
    front: Annotated[
        str | None,
        typer.Option(
            metavar="COST[,COST]",
            help="The best networks below many limits of these costs, such as macs, in one search.",
            rich_help_panel=HOW_PANEL,
            autocompletion=complete_costs,
        ),
    ] = None,
    algorithm: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help=f"auto (exact where it can be, then evolution), exact or evolution (default: {DEFAULT_ALGORITHM}).",
            rich_help_panel=HOW_PANEL,
            autocompletion=complete_algorithm,
        ),
    ] = None,
    evenness: Annotated[
        str | None, how_option("evenness", more=" (default: 0.05 where a space has rules)", metavar="X|off")
    ] = None,
    gap: Annotated[str | None, how_option("gap", more=" (default: 0.5%; 0 for the proven best)", metavar="X%")] = None,
    bound: Annotated[
        bool,
        typer.Option(
            "--bound", help="Add what no network of the space exceeds, and the gap.", rich_help_panel=HOW_PANEL
        ),
    ] = False,
    verify: Annotated[str | None, how_option("verify", DEFAULT_VERIFY, metavar="K")] = None,
    tolerance: Annotated[str | None, how_option("tolerance", DEFAULT_TOLERANCE, metavar="NATS")] = None,
    population: Annotated[str | None, how_option("population", DEFAULT_POPULATION)] = None,
    lineages: Annotated[
        str | None, how_option("lineages", more=" (default: 4, or 32 where scores are measured)")
    ] = None,
    top: Annotated[
        str | None, opt.of_field(SearchOptions, "top", DEFAULT_TOP, panel=opt.OUTPUT_PANEL, metavar="K")
    ] = None,
    similar: Annotated[
        bool,
        typer.Option(
            "--similar",
            help="The best networks, also where they are of one shape (default: of different shapes).",
            rich_help_panel=opt.OUTPUT_PANEL,
        ),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Keep checkpoints, history and results here (default: where zen runs finds them).",
            rich_help_panel=opt.OUTPUT_PANEL,
        ),
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(
            metavar="RUN", help="Go on with a run: last, a name or a directory.", rich_help_panel=opt.OUTPUT_PANEL
        ),
    ] = None,
    no_keep: Annotated[
        bool, typer.Option("--no-keep", help="Keep nothing of this search.", rich_help_panel=opt.OUTPUT_PANEL)
    ] = False,
    check: Annotated[bool, typer.Option("--check", help="Check the space, show random members, and exit.")] = False,
    list_presets: Annotated[bool, typer.Option("--list-presets", help="Print the presets and exit.")] = False,
    estimator: opt.SearchEstimator = None,
    convention: opt.Convention = None,
    norm: opt.NormOption = None,
    alpha: opt.Alpha = None,
    batch_size: opt.BatchSize = None,
    draws: opt.Draws = None,
    precision: opt.Precision = None,
    seed: opt.Seed = None,
    seeds: Annotated[
        str | None,
        typer.Option(
            metavar="A..B",
            help="Search from each of these seeds, such as 0..15, side by side, and merge what they find.",
            rich_help_panel=HOW_PANEL,
        ),
    ] = None,
    precision_mode: opt.PrecisionMode = None,
    device: opt.Device = None,
    workers: opt.Workers = None,
    style: opt.OutputFormat = None,
    quiet: opt.Quiet = False,
) -> None:
    """The best architectures within limits, best first, as score records.

    By default the exact search solves the closed form where it can, the evolution goes on from there, and the best get
    a Monte-Carlo score.

    Examples: zen search --preset cifar-1m; zen search --space mobile --max-macs 300M --max-sublayers 14 --out run
    """
    if list_presets:
        print_presets(style)
        return
    from ..nas.request import check_request
    from ..nas.sweep import is_sweep
    from ..nas.sweep_folder import is_sweep_folder
    from ..nas.workers import check_workers

    request = {name: value for name, value in ctx.params.items() if name not in _NOT_OF_THE_SEARCH and value}
    if resolution is not None:
        request["resolution"] = opt.square_side(resolution)
    if from_ is not None:
        from .reading import read_one

        request["from_"] = read_one("from_", from_, opt.overrides_of(ctx.params), quiet=quiet)
    plain = {name: value for name, value in request.items() if name not in ("gap", "budget", "evenness", "front")}
    request |= opt.parsed(SearchOptions, plain)
    request |= opt.parsed(ScoreSettings, request)
    request |= opt.deployment(target, dtype, quiet=quiet)
    format_ = opt.check_format(style)
    if out is not None and resume is not None:
        raise UsageError("out: given together with resume; keep one of the two")
    if no_keep and (out is not None or resume is not None):
        raise UsageError("no_keep: has no effect on a run in a directory; leave it out")
    if is_sweep(request, seeds) or (resume is not None and is_sweep_folder(Path(resume))):
        from .sweep_run import Sweep, run_sweep

        sweep = Sweep.of(request, seeds, out=out, resume=resume, keeps=not no_keep, quiet=quiet)
        if code := run_sweep(sweep, Show(format_, quiet, bound, workers)):
            raise typer.Exit(code)
        return
    with ExitStack() as stack:
        if resume is not None:
            from ..nas.kept import find_run
            from ..nas.rundir import RunDirectory

            run = stack.enter_context(RunDirectory.open(find_run(resume)))
            settings = check_request(request, run.settings)
            run.settings = settings
        else:
            settings = check_request(request, note=lambda line: None if quiet else say_of_option(line))
            run = None
        if check:
            check_space(settings)
            return
        check_workers(workers, settings)
        if preset is not None and settings.space.rules is None and not quiet:
            say_that_there_are_no_rules(preset, settings)
        if resume is None and not no_keep:
            run = stack.enter_context(_new_run(out, settings))
        code = run_search(settings, run, Show(format_, quiet, bound, workers))
    if code:
        raise typer.Exit(code)


def _new_run(out: Path | None, settings: SearchSettings) -> AbstractContextManager[RunDirectory | None]:
    """Where a new search is kept: in a directory that was named, or in one of its own if that is possible."""
    from ..nas.keeping import keep, keep_link
    from ..nas.rundir import RunDirectory

    if out is None:
        return keep(settings, _warn) or nullcontext()
    run = RunDirectory.create(out, settings)
    keep_link(out)
    return run


def _warn(message: str) -> None:
    opt.report(f"warning: {message}", 0)
