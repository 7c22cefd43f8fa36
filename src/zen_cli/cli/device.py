"""What is said of networks on a device: predicted and measured times, and known networks of about the same time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..exporters.run import ExportedFile
    from ..metrics.records import MeasuredTime
    from ..net.spec import ArchSpec
    from ..profiling.backends import WrittenFile
    from ..target.model import Target


def say_times(target: Target, done: Sequence[ExportedFile], *, quiet: bool) -> None:
    """Says what was exported takes on a target: predicted, and where this machine is the target, measured.

    A line for each file that the backend of the target runs, which is measured itself; a network without such a file is
    built and measured, and its line says so.

    Raises:
        UsageError: the backend of the target cannot be used here.
    """
    from ..profiling.finalists import spec_of
    from ..profiling.machine import is_here
    from ..target.latency import latency_ms
    from ..ui.terminal import say

    if quiet or not done:
        return
    if not target.predicts:
        say(f"{target.name} says nothing about times; measure it with zen profile")
        return
    rows = list(_measurable(target, done) if is_here(target) else _networks(done))
    measured = _measured(target, [network for _, network in rows]) if is_here(target) else []
    for index, (words, network) in enumerate(rows):
        guess = latency_ms(target, spec_of(network))
        found = f", {measured_words(measured[index])}" if measured else ""
        form = " before merging" if done[0].source.merge else ""
        say(f"{words} on {target.name}: {guess:.2f} ms predicted{form}{found}")
    for guess in dict.fromkeys(latency_ms(target, spec_of(network)) for _, network in rows):
        say_nearby(target, guess)


def _networks(done: Sequence[ExportedFile]) -> Iterator[tuple[str, ArchSpec]]:
    """(name, network) of each network."""
    for source in dict.fromkeys(row.source for row in done):
        yield source.spec.name or source.spec.id, source.spec


def _measurable(target: Target, done: Sequence[ExportedFile]) -> Iterator[tuple[str, ArchSpec | WrittenFile]]:
    """(name, what is to be measured) of each file that the backend of a target runs, or of a network without one."""
    from ..profiling.backends import WrittenFile, find_backend

    runs = find_backend(target.backend or "", target.dtype or "float32").files
    for source in dict.fromkeys(row.source for row in done):
        files = [row for row in done if row.source is source and row.target in runs]
        for row in files:
            data = row.data if row.path is None else row.path.read_bytes()
            yield str(row.path or f"{source.where} ({row.target})"), WrittenFile(source.spec, row.target, data)
        if not files:
            name = source.spec.name or source.spec.id
            yield f"{name}, as built for {target.backend}, which runs no file of this export,", source.spec


def _measured(target: Target, networks: Sequence[ArchSpec | WrittenFile]) -> list[MeasuredTime]:
    from ..profiling.finalists import measure
    from ..ui.progress import Progress

    with Progress("measuring", quiet=False, unit="visits") as progress:
        return measure(networks, target, 0, progress.update)


def measured_words(row: MeasuredTime) -> str:
    """A measured time, the spread between rounds, and how the machine is beside its profile."""
    return f"{row.ms:.2f} ms measured, spread {row.spread:.1%}{drift_words([row])}"


def drift_words(rows: Sequence[MeasuredTime]) -> str:
    """How much slower or faster this machine is than in its profile for networks like these; empty if not known."""
    known = [row.drift - 1 for row in rows if row.drift is not None]
    if not known:
        return ""
    least, most = min(known), max(known)
    words = _more(most) if round(least, 2) == round(most, 2) else f"{_more(least)} to {_more(most)}"
    return f"; known networks of this size now take {words} time than in the profile"


def _more(share: float) -> str:
    return f"{share:.0%} more" if share >= 0 else f"{-share:.0%} less"


def say_nearby(target: Target, ms: float) -> None:
    """Says which known networks take about as long."""
    from ..target.nearby import nearby
    from ..ui.terminal import say

    say(f"about as long on {target.name}, predicted: {'; '.join(map(str, nearby(target, ms)))}")
