"""`zen bench`: what each metric is worth on networks that somebody trained."""

from __future__ import annotations

from typing import Annotated

import typer

from . import options as opt
from .reading import find_kept
from .writing import write_listing

COLUMN_PANEL = "Columns"


def bench(
    source: Annotated[str, typer.Argument(metavar="TABLE.csv|-", help="Networks and accuracies.", show_default=False)],
    network: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="Column of networks: structure strings, specs as JSON, files, or found networks (default: network).",
            rich_help_panel=COLUMN_PANEL,
        ),
    ] = None,
    accuracy: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="Column of accuracies, higher is better (default: accuracy).",
            rich_help_panel=COLUMN_PANEL,
        ),
    ] = None,
    resolution: opt.Resolution = None,
    num_classes: opt.NumClasses = None,
    proxies: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            help="Metrics (default: all with a closed form).",
            show_default=False,
            autocompletion=opt.complete_metrics,
        ),
    ] = None,
    bins: Annotated[
        str | None,
        typer.Option(metavar="N", help="Bins of equal MACs (default: as many as half of the table fills, at most 10)."),
    ] = None,
    style: opt.OutputFormat = None,
    quiet: opt.Quiet = False,
) -> None:
    """What each metric is worth on networks that you trained: regret of its pick, rank correlation, intervals.

    The table is CSV with a header; rows of the same network, such as its training seeds, are averaged. The statistics
    are explained in docs/evidence.md.

    Examples: zen bench results.csv; zen bench nats.csv --network arch --accuracy test_acc --format csv
    """
    from ..bench.measuring import closed_forms, measure
    from ..bench.reading import read_table
    from ..bench.summary import check_bins, summarize
    from ..metrics import find_all
    from ..ui.bench import print_bench
    from ..ui.progress import Progress
    from ..ui.terminal import say

    def note(text: str) -> None:
        if not quiet:
            say(text)

    format_ = opt.check_format(style)
    metrics = closed_forms() if proxies is None else find_all(proxies)
    overrides = opt.overrides_of({"resolution": resolution, "num_classes": num_classes})
    rows = read_table(source, network=network, accuracy=accuracy, overrides=overrides, find=find_kept)
    count = check_bins(bins, len(rows))
    total = sum(row.rows for row in rows)
    if total > len(rows):
        note(f"{total} rows, {len(rows)} networks; the accuracies of a network are averaged")
    with Progress("scoring", quiet=quiet, unit="values") as progress:
        table = measure(rows, metrics, note=note, on_progress=progress.update)
    summaries = summarize(table, count=count)
    documents = [{"networks": len(rows), "bins": count, **row.to_dict()} for row in summaries]
    write_listing(format_, documents, lambda: print_bench(summaries, len(rows), count))
