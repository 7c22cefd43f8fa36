"""Published networks that are measured in a profile and again with other networks later: how fast the machine is now.

On machines that are shared, the time of a network changes by tens of percent within minutes, and not alike for all: one
whose weights fit into a cache hardly changes, one that others push out of it changes most. So there are references of
several sizes, and those of about the size of a network say what the machine lost for it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import cache
from types import MappingProxyType
from typing import NamedTuple

from ..net.spec import ArchSpec
from ..networks import find

# From one to 26 million weights, of all kinds of convolutions; small images keep the large ones short.
REFERENCES = (
    ("mobilenetv1_050", 224),
    ("mobilenetv2_035", 224),
    ("mnasnet0_5", 224),
    ("regnet_x_200mf", 224),
    ("mobilenet_v2", 160),
    ("mnasnet1_0", 160),
    ("regnetx_004", 160),
    ("regnet_x_600mf", 160),
    ("mnasnet_140", 128),
    ("regnet_x_800mf", 128),
    ("resnet18", 112),
    ("resnet34", 112),
    ("resnet50", 112),
)
BESIDE = 3  # references measured for a network, so that one that is slow by itself does not decide
NEAR = 0.5  # by the logarithm of weights, a reference at this distance has 0.6 of the say of one without distance


@cache
def references() -> Mapping[str, ArchSpec]:
    """The networks by `name@resolution`, those of fewest weights first."""
    rows = {f"{name}@{side}": find(name).spec.replace(resolution=side) for name, side in REFERENCES}
    return MappingProxyType(rows)


def references_for(networks: Iterable[ArchSpec], count: int = BESIDE) -> Mapping[str, ArchSpec]:
    """The references that say most about the drift of some networks: of each those whose weights are nearest.

    Args:
        networks: that are measured.
        count: of references for a network.
    """
    known = references()
    wanted: set[str] = set()
    for network in networks:
        ranked = sorted(known, key=lambda name: abs(math.log(known[name].cost.params / network.cost.params)))
        wanted.update(ranked[:count])
    return {name: spec for name, spec in known.items() if name in wanted}


class Drift(NamedTuple):
    """How many times longer networks take than they took in the profile, by the logarithm of their weights."""

    sizes: tuple[float, ...]
    factors: tuple[float, ...]

    def of(self, spec: ArchSpec) -> float:
        """That of a network: the weighted median of all references, of which those of about its size weigh most.

        A median, because a reference can be slow or fast by itself: on some machines, networks take one of several
        times, depending on where their memory is.
        """
        size = math.log(spec.cost.params)
        rows = sorted(
            (factor, math.exp(-(((own - size) / NEAR) ** 2) / 2) + 1e-9)
            for own, factor in zip(self.sizes, self.factors, strict=True)
        )
        half = math.fsum(weight for _, weight in rows) / 2
        for factor, weight in rows:
            half -= weight
            if half <= 0:
                return factor
        return rows[-1][0]


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
