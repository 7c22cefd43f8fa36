"""`zen runs`: the searches that are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UsageError
from . import options as opt
from .writing import write_listing

if TYPE_CHECKING:
    from ..nas.kept import KeptRow


def runs(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[RUN]...", help="Only these.", show_default=False)
    ] = None,
    delete: Annotated[bool, typer.Option("--delete", help="Delete the runs that are named.")] = False,
    all_: Annotated[bool, typer.Option("--all", help="With --delete: delete all that are not running.")] = False,
    style: opt.OutputFormat = None,
    quiet: opt.Quiet = False,
) -> None:
    """Earlier searches, newest first: what they searched, their best, and whether they can be resumed.

    Every search is kept, the newest 50 of them; zen search --no-keep keeps none. What they found is read by name
    wherever a network is: last is the best one of the search that ended last, last:2 its second, run-7:2 likewise.

    Examples: zen runs; zen runs --delete run-3 run-4
    """
    from ..nas.kept import list_runs
    from ..ui.runs import print_runs

    format_ = opt.check_format(style)
    if all_ and not delete:
        raise UsageError("--all: has no effect without --delete; add it, or leave this out")
    rows = list_runs()
    known = {row.run: row for row in rows}
    for name in names or ():
        if name not in known:
            raise UsageError(f"{name}: is no kept run; zen runs lists them")
    if delete:
        _delete(names or [], known, everything=all_, quiet=quiet)
        return
    chosen = [row for row in rows if not names or row.run in names]
    write_listing(format_, [row.to_dict() for row in chosen], lambda: print_runs(chosen))


def _delete(names: list[str], known: dict[str, KeptRow], *, everything: bool, quiet: bool) -> None:
    from ..nas.keeping import remove, runs_folder
    from ..ui.terminal import say

    if everything == bool(names):
        raise UsageError("delete: name the runs to delete, or add --all and no name")
    gone = names or [name for name, row in known.items() if row.state != "running"]
    for name in dict.fromkeys(gone):
        remove(runs_folder() / name)
    if not quiet:
        say(f"deleted {', '.join(dict.fromkeys(gone)) or 'nothing'}")
