"""`zen search`: the best architectures under a budget, best first."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UsageError
from . import options as opt
from .search_run import run_search
from .writing import write_listing

if TYPE_CHECKING:
    from ..nas.settings import SearchSettings

BUDGET_PANEL = "Budgets"
HOW_PANEL = "How to search"


def _complete_preset(incomplete: str) -> list[str]:
    from ..nas.presets import presets

    return opt.choices(*presets())(incomplete)


def search(
    space: Annotated[
        str | None,
        typer.Option(
            metavar="mobile|resnet|regnet|FILE",
            help="Where to search: a built-in space or a JSON file (default: zennet-resnet).",
            autocompletion=opt.choices("mobile", "resnet", "regnet", "zennet-mobile", "zennet-resnet"),
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
            help="A published problem: space, input and budgets in one word.",
            autocompletion=_complete_preset,
        ),
    ] = None,
    resolution: Annotated[
        int | None,
        typer.Option(help="Side of the input image (default: of the preset, else of the space's one seed, else 224)."),
    ] = None,
    num_classes: Annotated[int | None, typer.Option(help="Classes (default: likewise, else 1000).")] = None,
    max_params: Annotated[
        str | None, typer.Option(metavar="N", help="Parameters, such as 1M or 1.05e6.", rich_help_panel=BUDGET_PANEL)
    ] = None,
    max_macs: Annotated[
        str | None,
        typer.Option(
            "--max-macs",
            "--max-flops",
            metavar="N",
            help="Multiply-adds for one image, which the field calls FLOPs.",
            rich_help_panel=BUDGET_PANEL,
        ),
    ] = None,
    max_layers: Annotated[
        str | None, typer.Option(metavar="N", help="Convolutions in a row.", rich_help_panel=BUDGET_PANEL)
    ] = None,
    max_sublayers: Annotated[
        str | None,
        typer.Option(metavar="N", help="Sub-layers, as published searches count.", rich_help_panel=BUDGET_PANEL),
    ] = None,
    max_depth_width_ratio: Annotated[
        float | None,
        typer.Option(
            metavar="X", help="DeepMAD's effectiveness: layers over mean width.", rich_help_panel=BUDGET_PANEL
        ),
    ] = None,
    budget: Annotated[
        list[str] | None,
        typer.Option(
            metavar="N",
            help="When to end: 480000evals, 30s, 2h, 0.5gpu-day; the first of several (default: 480000evals).",
            rich_help_panel=BUDGET_PANEL,
        ),
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(help="End after so many rounds without a better network.", rich_help_panel=BUDGET_PANEL),
    ] = None,
    algorithm: Annotated[
        str | None,
        typer.Option(
            metavar="evolution|exact",
            help="(default: evolution)",
            rich_help_panel=HOW_PANEL,
            autocompletion=opt.choices("evolution", "exact"),
        ),
    ] = None,
    population: Annotated[
        int | None, typer.Option(help="Networks remembered (default: 512).", rich_help_panel=HOW_PANEL)
    ] = None,
    lineages: Annotated[
        int | None,
        typer.Option(
            help="Networks that change side by side, one batch (default: 4, or 32 where scores are measured).",
            rich_help_panel=HOW_PANEL,
        ),
    ] = None,
    proxy: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Another score to search by, such as balanced.", rich_help_panel=HOW_PANEL),
    ] = None,
    gap: Annotated[
        str | None,
        typer.Option(
            metavar="X%",
            help="Exact search: stop at this gap (default: 0.5%; 0 for the proven best).",
            rich_help_panel=HOW_PANEL,
        ),
    ] = None,
    bound: Annotated[
        bool,
        typer.Option(
            "--bound", help="Add what no network of the space exceeds, and the gap.", rich_help_panel=HOW_PANEL
        ),
    ] = False,
    verify: Annotated[
        int | None,
        typer.Option(
            metavar="K",
            help="Give the K best a Monte-Carlo score, and rank by it (default: 8).",
            rich_help_panel=HOW_PANEL,
        ),
    ] = None,
    top: Annotated[
        int | None,
        typer.Option(metavar="K", help="Networks in the answer (default: 5).", rich_help_panel=opt.OUTPUT_PANEL),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Keep checkpoints, history and results here.", rich_help_panel=opt.OUTPUT_PANEL
        ),
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Go on with the run in DIR.", rich_help_panel=opt.OUTPUT_PANEL)
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Check the space, show random members, and exit.")] = False,
    list_presets: Annotated[bool, typer.Option("--list-presets", help="Print the presets and exit.")] = False,
    estimator: opt.SearchEstimator = None,
    convention: opt.SearchConvention = None,
    norm: opt.NormOption = None,
    alpha: opt.SearchAlpha = None,
    batch_size: opt.SearchBatchSize = None,
    draws: opt.Draws = None,
    precision: opt.Precision = None,
    seed: opt.SearchSeed = None,
    precision_mode: opt.SearchPrecisionMode = None,
    device: opt.SearchDevice = None,
    style: opt.OutputFormat = None,
    quiet: opt.Quiet = False,
) -> None:
    """The best architectures under a budget, best first, as score records.

    By default the evolution runs on the closed form, 480,000 proposals in seconds, and the best get a Monte-Carlo
    score.
    """
    if list_presets:
        _print_presets(style)
        return
    from ..nas.request import Request, check_request

    request = Request(
        space=space,
        rules=rules,
        preset=preset,
        resolution=resolution,
        num_classes=num_classes,
        max_params=max_params,
        max_macs=max_macs,
        max_layers=max_layers,
        max_sublayers=max_sublayers,
        max_depth_width_ratio=max_depth_width_ratio,
        budget=tuple(budget or ()),
        patience=patience,
        algorithm=algorithm,
        population=population,
        lineages=lineages,
        proxy=proxy,
        gap=gap,
        verify=verify,
        top=top,
        estimator=estimator,
        convention=convention,
        norm=norm,
        alpha=alpha,
        batch_size=batch_size,
        draws=draws,
        precision=precision,
        seed=seed,
        precision_mode=precision_mode,
        device=device,
    )
    format_ = opt.check_format(style)
    if out is not None and resume is not None:
        raise UsageError("--out: given together with --resume; keep one of the two")
    with ExitStack() as stack:
        if resume is not None:
            from ..nas.rundir import RunDirectory

            run = stack.enter_context(RunDirectory.open(resume))
            settings = check_request(request, run.settings)
            run.settings = settings
        else:
            settings = check_request(request)
            run = None
        if check:
            _check_space(settings)
            return
        if preset is not None and settings.space.rules is None and not quiet:
            _say_that_there_are_no_rules(preset, settings)
        if out is not None:
            from ..nas.rundir import RunDirectory

            run = stack.enter_context(RunDirectory.create(out, settings))
        code = run_search(settings, run, bound=bound, style=format_, quiet=quiet)
    if code:
        raise typer.Exit(code)


def _print_presets(style: str | None) -> None:
    from ..nas.presets import presets
    from ..ui.search_tables import print_presets

    rows = list(presets().values())
    documents = [
        {
            "preset": row.name,
            "space": row.space,
            "resolution": row.resolution,
            "num_classes": row.num_classes,
            "limits": {name: value for name, value in row.limits._asdict().items() if value is not None},
        }
        for row in rows
    ]
    write_listing(opt.check_format(style), documents, lambda: print_presets(rows))


def _check_space(settings: SearchSettings) -> None:
    from ..nas.members import random_members
    from ..ui.search_tables import print_members
    from ..ui.terminal import say

    print_members(settings, random_members(settings, 5))
    rules = settings.space.rules
    for line in ["no design rules"] if rules is None else rules.lines():
        say(line)
    say(f"the space {settings.space.name} is sound")


def _say_that_there_are_no_rules(preset: str, settings: SearchSettings) -> None:
    from ..nas.presets import find_preset
    from ..ui.terminal import say

    what = "is the published problem" if settings.limits == find_preset(preset).limits else "is searched"
    other = settings.space.name.removeprefix("zennet-")
    say(f"{preset} {what} in a space without design rules; add --space {other} to search with them")
