"""`zen report`: a page about a search or about networks."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UsageError, nearest
from . import options as opt

if TYPE_CHECKING:
    from ..nas.population import RunView
    from ..report.subject import Given, Subject

KINDS = ("html", "svg", "png")
LAST = "last"


def report(
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN|NETWORK]...",
            help="A run (default: last) and networks to compare it with, or networks alone.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path,
        typer.Option("-o", "--out", metavar="FILE", help="The page; charts of --to svg,png have their name added."),
    ] = Path("report.html"),
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="html|svg|png",
            help="What to make, one or several: the page, or its charts as files of their own.",
            autocompletion=opt.choices(*KINDS),
        ),
    ] = "html",
    references: opt.References = True,
    force: Annotated[bool, typer.Option("--force", "-f", help="Overwrite files that exist.")] = False,
    quiet: opt.Quiet = False,
) -> None:
    """A page to look at and to send: one file with charts, drawings and tables, which works offline.

    Examples: zen report; zen report last net.json -o search.html
    """
    from ..formats.files import check_output, write_files
    from ..report.charts import require_altair
    from ..ui.terminal import say

    kinds = _kinds(to)
    require_altair()
    if "html" in kinds:
        check_output(out, force=force)
    run, given = _read(sources or [LAST], quiet=quiet)
    from ..report.subject import subject_of

    subject = subject_of(run, given, references=references)
    if not subject.shown:
        raise UsageError("report: nothing to show; the search has no answer and no checkpoint yet")
    files = dict(_files(subject, out, kinds))
    write_files(files, force=force)
    if not quiet:
        for path, data in files.items():
            say(f"{path}: {len(data):,} bytes")


def _kinds(text: str) -> list[str]:
    words = list(dict.fromkeys(filter(None, map(str.strip, text.split(",")))))
    for word in words:
        if word not in KINDS:
            raise UsageError(f"to: unknown {word!r}; {nearest(word, KINDS)}")
    if not words:
        raise UsageError(f"to: missing; use one or several of {', '.join(KINDS)}")
    return words


def _files(subject: Subject, out: Path, kinds: list[str]) -> Iterator[tuple[Path, bytes]]:
    from ..report.charts import charts, data_sets, drawn
    from ..report.page import page

    if "html" in kinds:
        yield out, page(subject)
    data = data_sets(subject)
    for kind in (kind for kind in kinds if kind != "html"):
        for name, document in charts(subject).items():
            yield out.with_name(f"{out.stem}.{name}.{kind}"), drawn(document, data, kind)


def _read(sources: list[str], *, quiet: bool) -> tuple[RunView | None, list[Given]]:
    """The run among the sources, and the networks.

    Raises:
        ZenError: one of them cannot be read.
    """
    from ..formats.base import Overrides
    from ..nas.population import view_run
    from .reading import read_sources

    run: RunView | None = None
    given: list[Given] = []
    for source in sources:
        path = _run_path(source)
        if path is not None and run is not None:
            raise UsageError(f"{source}: is a second run, and a page is about one; name networks beside it")
        if path is not None:
            run = view_run(path)
            continue
        items = list(read_sources([source], Overrides(), quiet=quiet))
        for item in items:
            if item.error is not None:
                raise item.error
            if item.network is not None:
                word = shlex.quote(source) if len(items) == 1 and source != "-" else ""
                given.append((item.network, item.record, word))
    return run, given


def _run_path(source: str) -> Path | None:
    """The directory of a run, where a word means one."""
    from ..nas.keeping import list_paths
    from ..nas.kept import find_run
    from ..nas.rundir import SETTINGS

    if source == LAST or any(path.name == source for path in list_paths()) or (Path(source) / SETTINGS).is_file():
        return find_run(source, "report")
    return None
