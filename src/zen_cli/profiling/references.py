"""Published networks that are measured in a profile and again with other networks later: how fast the machine is now.

On machines that are shared, the time of a network changes by tens of percent within minutes, and not alike for all: one
whose weights fit into a cache hardly changes, one that others push out of it changes most. So there are references of
several sizes, and between their sizes what the machine lost is interpolated.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping
from typing import NamedTuple

from ..net.spec import ArchSpec
from ..networks import find

# From one to twenty million weights; small images keep the large ones short.
REFERENCES = (
    ("mobilenetv1_050", 224),
    ("regnet_x_200mf", 224),
    ("mnasnet1_0", 224),
    ("regnet_x_600mf", 160),
    ("resnet18", 112),
    ("resnet34", 112),
)


def references() -> dict[str, ArchSpec]:
    """The networks by `name@resolution`, those of fewest weights first."""
    return {f"{name}@{side}": find(name).spec.replace(resolution=side) for name, side in REFERENCES}


class Drift(NamedTuple):
    """How many times longer networks take than they took in the profile, by the logarithm of their weights."""

    sizes: tuple[float, ...]
    factors: tuple[float, ...]

    def of(self, spec: ArchSpec) -> float:
        """That of a network: interpolated, and beyond the smallest and the largest reference as theirs."""
        size = math.log(spec.cost.params)
        place = bisect_left(self.sizes, size)
        if place in (0, len(self.sizes)):
            return self.factors[min(place, len(self.sizes) - 1)]
        before, after = self.sizes[place - 1], self.sizes[place]
        share = (size - before) / (after - before)
        return (1 - share) * self.factors[place - 1] + share * self.factors[place]


def drift(before: Mapping[str, float], now: Mapping[str, float]) -> Drift | None:
    """How many times longer references take now; None without one that was measured at both times.

    Args:
        before: milliseconds by the names of `references`.
        now: the same.
    """
    rows = [
        (math.log(spec.cost.params), now[name] / before[name])
        for name, spec in references().items()
        if name in before and name in now
    ]
    if not rows:
        return None
    sizes, factors = zip(*rows, strict=True)
    return Drift(sizes, factors)
