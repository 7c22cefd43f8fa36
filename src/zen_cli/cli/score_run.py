"""Scoring from settings to records on stdout: what is shown meanwhile, and what a failure does."""

from __future__ import annotations

import sys
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from ..errors import UsageError, ZenError
from ..formats.base import Overrides
from ..formats.done import Done, trim_output
from ..formats.reading import Item
from ..formats.shards import Shard
from ..metrics import Metric, names
from ..metrics.columns import columns_of, find_column
from ..metrics.ordering import parse_order
from ..metrics.records import ScoreRecord
from ..metrics.scoring import score_all
from ..metrics.settings import ScoreSettings
from ..net.network import Network
from ..ui.progress import Progress
from ..ui.terminal import is_terminal, say
from .cluster_run import executor_of, status_of
from .options import Format, report
from .reading import read_sources
from .writing import View, records

LOOK_AHEAD = 1024  # networks of files that are read before the first is scored, so that their number is known


class Job(NamedTuple):
    """What to compute of which networks, how to read them, and whether the first error ends the command."""

    settings: ScoreSettings
    proxies: Sequence[Metric]
    overrides: Overrides
    breakdown: bool
    fail_fast: bool
    shard: Shard | None = None
    done: Sequence[Path] = ()
    workers: str | None = None


def run_score(places: Sequence[str], job: Job, style: Format, view: View, *, quiet: bool) -> int:
    """Scores the networks of files and of stdin (`-`) and writes a record for each.

    Args:
        places: where the networks are.
        job: what to compute.
        style: of the records.
        view: which of them, in which order.
        quiet: show no progress.

    Returns:
        The exit code: that of the worst error, or 0.

    Raises:
        ZenError: the first error, where that ends it.
    """
    failures = Failures(job.fail_fast)
    done = _done(job, quiet=quiet)
    typed = "-" in places and is_terminal(sys.stdin)
    if typed and not quiet:
        say("waiting for networks from the terminal: type or paste them, then press Ctrl-D on a line of its own")
    scrolls = is_terminal(sys.stdout) and style in ("jsonl", "csv")
    unit = "draws" if job.settings.estimator == "monte-carlo" else "networks"
    with (
        records(style, view) as writer,
        Progress("scoring", quiet=quiet or typed or scrolls, unit=unit) as progress,
        ExitStack() as stack,
    ):
        networks = failures.pass_networks(read_sources(places, job.overrides, quiet=quiet))
        networks = (network for network in networks if job.shard is None or job.shard.holds(network.id))
        networks = (network for network in networks if not done.holds(network.id))
        known = list(islice(networks, 1 if job.fail_fast or "-" in places else LOOK_AHEAD))
        results: Iterable[ScoreRecord | ZenError] = ()
        if known:  # torch is waited for only where there is something to score
            progress.update(0)
            executor = stack.enter_context(executor_of(job.workers, job.settings.device, quiet=quiet))
            progress.about = status_of(executor)
            results = score_all(
                known if failures.is_at_end else chain(known, networks),
                job.settings,
                proxies=job.proxies,
                breakdown=job.breakdown,
                on_progress=progress.update,
                executor=executor,
            )
        for result in results:
            if isinstance(result, ZenError):
                failures.add(result)
            else:
                writer.write(result)
    if done.passed and not quiet:
        say(f"networks that were done before and are passed over: {done.passed:,}")
    return failures.code


def _done(job: Job, *, quiet: bool) -> Done:
    """What needs no score any more; an output that appends to its file begins a line of its own."""
    done = Done(job.done, job.settings, job.proxies, breakdown=job.breakdown)
    if done.strange and not quiet:
        say(f"no records are {done.strange:,} of the lines of what is done, as a kill leaves them; they are ignored")
    if sys.stdout is not None:
        with suppress(OSError, ValueError):  # stdout is no file, as in a test
            descriptor = sys.stdout.fileno()
            for file in job.done:
                trim_output(file, descriptor)
    return done


class Failures:
    """Reports each error of a stream as it comes and remembers the exit code."""

    def __init__(self, fail_fast: bool) -> None:
        self._fail_fast = fail_fast
        self.code = 0
        self.is_at_end = False

    def add(self, error: ZenError) -> None:
        """Reports an error, or raises it if the first one ends the command."""
        if self._fail_fast:
            raise error
        self.code = max(self.code, report(str(error), error.exit_code))

    def pass_networks(self, items: Iterator[Item]) -> Iterator[Network]:
        """The networks among the items."""
        for item in items:
            if item.error is not None:
                self.add(item.error)
            elif item.network is not None:
                yield item.network
        self.is_at_end = True


def view_of(style: Format, proxies: Sequence[Metric], columns: str | None, sort: str | None, top: int | None) -> View:
    """What to show of the records, from what the user wrote.

    Raises:
        UsageError: a column that the records do not have, or columns of JSON.
    """
    known = columns_of([(proxy.name, proxy.direction) for proxy in proxies])
    if columns is not None and style not in ("table", "csv"):
        raise UsageError(f"columns: {style} holds whole records; add --format table or --format csv")
    key = sort if sort is not None or top is None else "zen"
    chosen = None if columns is None else list(dict.fromkeys(filter(None, map(str.strip, columns.split(",")))))
    if chosen is not None and not chosen:
        raise UsageError("columns: names no column; write some like name,zen,params")
    for where, words in (("columns", chosen or ()), ("sort", [key.removeprefix("-")] if key else ())):
        _check_scored(where, words, known)
    return View(
        None if chosen is None else [find_column(name, known, "columns") for name in chosen],
        None if key is None else parse_order(key, known),
        top,
    )


def _check_scored(where: str, words: Iterable[str], known: Container[str]) -> None:
    """Raises UsageError where a column is a metric that was not asked for."""
    for word in words:
        if word not in known and word in names():
            raise UsageError(f"{where}: {word} is not scored; add it to --proxies")
