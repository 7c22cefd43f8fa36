"""`zen export`: an architecture as something another program runs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UsageError
from . import options as opt

if TYPE_CHECKING:
    from ..exporters import Export

_NAMES = ("torch", "timm", "pt2", "torchscript", "onnx", "safetensors", "json", "plainnet", "mermaid", "svg")
_TARGETS = (
    "torch and timm (Python files), pt2 (torch.export), torchscript, onnx, safetensors (weights), json (the spec), "
    "plainnet (structure string), mermaid and svg (drawings)"
)


def export(
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FILE|-]...",
            help="Specs, records or structure strings, in files or on stdin (-).",
            show_default=False,
        ),
    ] = None,
    to: Annotated[
        list[str] | None,
        typer.Option(
            "--to",
            "-t",
            metavar="TARGET[,TARGET]...",
            help=f"What to make: {_TARGETS}.",
            show_default=False,
            autocompletion=opt.choices(*_NAMES),
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
            "(default: seed where the target holds weights, none elsewhere).",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 2, help="Seed of the weights.")] = 0,
    resolution: opt.Resolution = None,
    num_classes: opt.NumClasses = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Overwrite files that exist.")] = False,
    quiet: opt.Quiet = False,
) -> None:
    """An architecture as something another program runs: Python, ONNX, torch.export, a drawing.

    Each file is loaded back in a fresh process without zen, run, compared and counted before it is put in place.
    """
    from ..exporters import Wish
    from ..exporters import export as export_all
    from ..formats.reading import Overrides
    from ..ui.exports import print_exports
    from ..ui.progress import Progress
    from .reading import read_sources

    items = read_sources(_sources(sources), Overrides(resolution, num_classes), quiet=quiet)
    wish = Wish(out, weights, seed, force)
    with Progress("exporting", quiet=quiet) as progress:
        done = export_all(items, to or [], wish, progress.say)
    _print_text([row for row in done if row.path is None])
    if not quiet:
        print_exports(done)


def _print_text(rows: list[Export]) -> None:
    several = len(rows) > 1
    for row in rows:
        data = row.data
        if several and row.target == "json":
            import orjson

            data = orjson.dumps(row.network.spec.to_dict()) + b"\n"
        opt.emit(data)


def _sources(sources: list[str] | None) -> list[str]:
    if sources:
        return sources
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError("nothing to export; name files, or pipe specs in and write -")
    return ["-"]
