"""What is said of networks on a device: predicted and measured times, and known networks of about the same time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..metrics.records import MeasuredTime
    from ..net.spec import ArchSpec
    from ..target.model import Target


def say_times(target: Target, specs: Sequence[ArchSpec], *, quiet: bool) -> None:
    """Says a line for each network: its predicted time on a target, and what it takes where this machine is the target.

    Raises:
        UsageError: the backend of the target cannot be used here.
    """
    from ..profiling.finalists import measure
    from ..profiling.machine import is_here
    from ..target.latency import latency_ms
    from ..ui.progress import Progress
    from ..ui.terminal import say

    if quiet or not specs:
        return
    if not target.predicts:
        say(f"{target.name} says nothing about times; measure it with zen profile")
        return
    measured: list[MeasuredTime] = []
    if is_here(target):
        with Progress("measuring", quiet=quiet, unit="visits") as progress:
            measured = measure(specs, target, 0, progress.update)
    for index, spec in enumerate(specs):
        guess = latency_ms(target, spec)
        found = f", {measured_words(measured[index])}" if measured else ""
        say(f"{spec.name or spec.id} on {target.name}: {guess:.2f} ms predicted{found}")
        say_nearby(target, guess)


def measured_words(row: MeasuredTime) -> str:
    """A measured time, the spread between rounds, and how the machine is beside its profile."""
    return f"{row.ms:.2f} ms measured, spread {row.spread:.1%}{drift_words([row])}"


def drift_words(rows: Sequence[MeasuredTime]) -> str:
    """How much slower or faster this machine is than in its profile for networks like these; empty if not known."""
    known = [row.drift - 1 for row in rows if row.drift is not None]
    if not known:
        return ""
    least, most = min(known), max(known)
    share = f"{least:+.0%}" if round(least, 2) == round(most, 2) else f"{least:+.0%} to {most:+.0%}"
    return f"; known networks like it take {share} now beside the profile"


def say_nearby(target: Target, ms: float) -> None:
    """Says which known networks take about as long."""
    from ..target.nearby import nearby
    from ..ui.terminal import say

    say(f"about as long on {target.name}, predicted: {'; '.join(map(str, nearby(target, ms)))}")
