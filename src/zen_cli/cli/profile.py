"""`zen profile`: what layers cost on this machine, as a target file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..profiling.settings import DEFAULT_PROBES, ProfileSettings
from . import options as opt
from .endings import Endings


def _field(name: str, default: object = None, metavar: str = "N") -> typer.models.OptionInfo:
    return opt.of_field(ProfileSettings, name, default, panel=opt.DEVICE_PANEL, metavar=metavar)


def _complete_backend(incomplete: str) -> list[str]:
    from ..profiling.backends import BACKENDS

    return opt.choices(*BACKENDS)(incomplete)


def profile(
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            metavar="FILE",
            help="Where the target is written (default: stdout).",
            rich_help_panel=opt.OUTPUT_PANEL,
        ),
    ] = None,
    backend: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="What runs the networks: onnxruntime, torch, torch-folded or cuda (default: onnxruntime).",
            autocompletion=_complete_backend,
            rich_help_panel=opt.DEVICE_PANEL,
        ),
    ] = None,
    threads: Annotated[str | None, _field("threads", 1)] = None,
    batch_size: Annotated[str | None, _field("batch_size", 1)] = None,
    dtype: Annotated[str | None, _field("dtype", "float32")] = None,
    probes: Annotated[str | None, _field("probes", DEFAULT_PROBES)] = None,
    max_macs: Annotated[str | None, _field("max_macs", "800M")] = None,
    space: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME|FILE",
            help="A space to draw probes from, several times for several (default: mobile, resnet, regnet).",
            rich_help_panel=opt.DEVICE_PANEL,
        ),
    ] = None,
    seed: Annotated[str | None, _field("seed", 0)] = None,
    name: Annotated[str | None, _field("name", metavar="NAME")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with what was measured before this was cut off.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", "-f", help="Overwrite a file that exists.")] = False,
    quiet: opt.Quiet = False,
) -> None:
    """What layers cost on this machine, as a target file for searches under a latency.

    Layers are timed inside random networks, and the model is validated on other ones. The profile is kept, and
    --target here finds it if all settings are the default ones.

    Examples: zen profile -o laptop.json; zen profile --backend torch-folded --threads 2 -o torch.json
    """
    from ..formats.files import check_output, write_file
    from ..profiling.kept import describe, measure_here
    from ..profiling.settings import check_profile
    from ..ui.progress import Progress
    from ..ui.terminal import say

    given = {
        "backend": backend,
        "threads": threads,
        "batch_size": batch_size,
        "dtype": dtype,
        "probes": probes,
        "max_macs": max_macs,
        "seed": seed,
        "name": name,
    }
    settings = check_profile(**opt.parsed(ProfileSettings, given), spaces=tuple(space) if space else None)
    if out is not None:
        check_output(out, force=force)
    with Endings(once=True) as endings, Progress("profiling", quiet=quiet, unit="visits") as progress:
        try:
            endings.interrupt_at_once()
            target = measure_here(settings, resumes=resume, on_visit=progress.update)
        except KeyboardInterrupt:
            code = opt.report("stopped; what was measured is kept, go on with --resume", endings.code or 130)
            raise typer.Exit(code) from None
    if out is None:
        opt.emit(target.to_bytes())
    else:
        write_file(out, target.to_bytes())
    if not quiet:
        say(describe(target))
        if target.error is not None and target.error.spread > NOISY:
            say(f"the same network took {target.error.spread:.0%} longer or shorter at times: other programs run here")


NOISY = 0.05
