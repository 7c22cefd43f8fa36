"""Networks that people know, of about the latency of another one on the same target."""

from __future__ import annotations

import math
from typing import NamedTuple

from ..networks import Published, networks
from .latency import latency_ms
from .model import Target

COUNT = 3


class Nearby(NamedTuple):
    """A published network at its own resolution, and its predicted milliseconds."""

    network: Published
    ms: float

    def __str__(self) -> str:
        accuracy = self.network.accuracy
        known = "" if accuracy is None else f", {accuracy.top1:.1f}% on ImageNet"
        return f"{self.network.name} ({self.ms:.2f} ms at {self.network.spec.resolution}{known})"


def nearby(target: Target, ms: float, count: int = COUNT) -> list[Nearby]:
    """The published networks of known accuracy whose predicted times are nearest, the fastest first.

    Args:
        target: one that predicts times.
        ms: milliseconds for one batch.
        count: how many.
    """
    known = (network for network in networks() if network.accuracy is not None)
    rows = [Nearby(network, latency_ms(target, network.spec)) for network in known]
    rows.sort(key=lambda row: abs(math.log(row.ms / ms)))
    return sorted(rows[:count], key=lambda row: row.ms)
