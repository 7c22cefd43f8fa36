"""`zen export`: an architecture as something another program runs."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ..errors import UsageError
from ..exporters.table import TARGETS
from ..units import parse_count
from . import options as opt
from .device import say_times
from .endings import Endings


def export(
    ctx: typer.Context,
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NETWORK|-]...",
            help="Files (specs, records, structure strings, ONNX), stdin (-), or names such as timm:resnet50.",
            show_default=False,
        ),
    ] = None,
    to: Annotated[
        list[str] | None,
        typer.Option(
            "--to",
            "-t",
            metavar="TARGET[,TARGET]...",
            help=f"What to make: {', '.join(f'{row.name} ({row.summary})' for row in TARGETS.values())}.",
            show_default=False,
            autocompletion=lambda incomplete: opt.choices(*TARGETS)(incomplete),
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--out",
            metavar="PATH",
            help="A file, or a folder for several targets or networks (default: stdout for one text target).",
            show_default=False,
        ),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            metavar="seed|none|FILE",
            help="Random weights of the seed, none, or a checkpoint that the torch or timm file was trained to "
            "(default: seed where the target has weights, none elsewhere).",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[str, typer.Option(metavar="N", help="Seed of the weights.")] = "0",
    opset: Annotated[
        str | None,
        typer.Option(
            metavar="N", help="Opset of ONNX files (default: the lowest that the network needs).", show_default=False
        ),
    ] = None,
    merge: Annotated[
        bool,
        typer.Option(
            "--merge", help="Merge BN and parallel branches into convolutions, in files that only run (onnx, pt2, ...)."
        ),
    ] = False,
    target: opt.TargetOption = None,
    resolution: opt.Resolution = None,
    num_classes: opt.NumClasses = None,
    arg: opt.FactoryArgument = None,
    path: opt.FactoryPath = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Overwrite files that exist.")] = False,
    quiet: opt.Quiet = False,
) -> None:
    """An architecture as something another program runs: Python, ONNX, torch.export, a drawing.

    Each file is loaded back in a fresh process without zen, run, compared and counted before it is put in place.
    With --target, the time of each network is predicted, and measured where the target is this machine.

    Examples: zen export net.json --to torch,onnx -o out/; zen search --preset cifar-1m --top 1 | zen export - --to svg
    """
    from ..exporters.plan import MAX_SEED, ExportOptions
    from ..exporters.run import export as export_all
    from ..ui.exports import print_exports
    from ..ui.progress import Progress
    from .reading import read_sources

    device = opt.deployment(target, None, quiet=quiet).get("target")
    items = read_sources(_sources(sources), opt.overrides_of(ctx.params), quiet=quiet)
    options = ExportOptions(
        out,
        weights,
        parse_count(seed, "seed", least=0, most=MAX_SEED),
        force,
        None if opset is None else parse_count(opset, "opset"),
        merge,
    )
    with Endings(once=True) as endings, Progress("exporting", quiet=quiet) as progress:
        try:
            endings.interrupt_at_once()
            done = export_all(items, to or [], options, progress.say)
        except KeyboardInterrupt:
            raise typer.Exit(endings.code or 130) from None
    for row in done:
        if row.path is None:
            opt.emit(row.data)
    if not quiet:
        print_exports(done)
    if device is not None:
        say_times(device, done, quiet=quiet)


def _sources(sources: list[str] | None) -> list[str]:
    if sources:
        return sources
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError("nothing to export; name files, or pipe specs in and write -")
    return ["-"]
