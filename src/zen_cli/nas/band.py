"""The band of evenness: which networks a search may trust its score in.

    maximise the score   subject to   E >= E* - width,   N <= 3/2 N*,   and the limits
    E* = the largest evenness E under the same limits

Of all networks that spend the limit nearly as evenly as the best one does, the one of highest score. E* and N* are
constants, so that the band does not move with the network; N* is that of the limit of MACs. Where the exact search
cannot prove E*, it is the best of several searches from different starts, and so the best found: one search alone may
end 0.1 too low. What the band is worth: docs/evidence.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, NamedTuple

from ..errors import ScoreError
from ..metrics.evenness import Evenness, best_units, network_evenness
from ..net.layers import Side
from ..net.ops import Gene
from .limits import Limits

DEFAULT_WIDTH = 0.05
STARTS = 3
STEPS = 200
SHARE = 9  # each start gets one ninth of the evaluations, all of them a third
UNITS_FACTOR = 1.5
PROVEN = 0.0025  # nats: what is left to prove of the best evenness, a twentieth of the usual band


class Band(NamedTuple):
    """Networks whose evenness is at least `best` - `width`, with at most `most_units` residual units.

    `best` is the best evenness that was found; no network exceeds `bound`, where that is known.
    """

    best: float
    width: float
    most_units: float
    bound: float | None = None

    @property
    def floor(self) -> float:
        """The least evenness of a network in the band."""
        return self.best - self.width

    @property
    def is_proven(self) -> bool:
        """Whether no network has a better evenness than `best`, but for `PROVEN` nats."""
        return self.bound is not None and self.bound <= self.best + PROVEN

    def admits(self, genes: Sequence[Gene], image: tuple[int, Side]) -> bool:
        """Whether a network of these blocks is in the band; `image` is its channels and side."""
        try:
            found = network_evenness(genes, *image)
        except ScoreError:
            return False
        return found.value >= self.floor and found.residual_units <= self.most_units


def make_band(best: Evenness, width: float, limits: Limits, bound: float | None = None) -> Band:
    """The band below the best evenness that was found; `bound` as for `Band`."""
    units = best_units(limits.macs if limits.macs is not None else best.macs)
    return Band(best.value, width, max(UNITS_FACTOR * units, best.residual_units), bound)


def wander(start: Any, neighbour: Callable[[Any, Random], Any], admits: Callable[[Any], bool], seed: int) -> Any:
    """Where a random walk through members that are admitted ends: another shape to start from."""
    random, genome = Random(seed), start
    for _ in range(STEPS):
        candidate = neighbour(genome, random)
        if admits(candidate):
            genome = candidate
    return genome
