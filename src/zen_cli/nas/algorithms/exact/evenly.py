"""Evenness in the exact search: as the objective, or as a bound below it, for networks of a fixed number of units.

With N residual units and n resolutions

    E = 3/4 [ log N + S/N ] + 1/4 mean_l log M_l - 1/2 d,      S = sum_u log M_u

S is a sum over units. The logarithm of a level's MACs lies below each of its tangents: log x <= x/t + log t - 1 for
every t > 0. So for any tangents t_l

    E <= 3/4 S/N + sum_l M_l / (4 n t_l)  +  3/4 log N + 1/4 mean_l (log t_l - 1) - 1/2 d

whose first two terms are sums over blocks and whose others are constants. The bound is tight where t_l = M_l. The
depth term d depends on the MACs M of the chain below 200M; a network of evenness E has log M >= E + 1/4 log n at least,
by the free bound, and at most the limit, so that the least d of that interval is taken.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ....metrics.evenness import MACS_OF_MAX_UNITS, SMALL_MACS, Evenness, best_units, depth_term


@dataclass(frozen=True)
class Evenly:
    """How evenness enters a problem.

    Attributes:
        units: N, residual units between stem and head.
        levels: n, the resolutions of the chain.
        floor: the least evenness of a network in nats; None where evenness is the objective.
        least_macs: what the chain of a network that matters has at least.
        most_macs: what it has at most.
    """

    units: int
    levels: int
    floor: float | None
    least_macs: float
    most_macs: float

    @property
    def is_likely(self) -> bool:
        """Whether the evenest networks may have about so many units: N* / 2 to 2 N*."""
        return 0.5 * best_units(self.least_macs) <= self.units <= 2 * best_units(self.most_macs)

    @property
    def least_depth_term(self) -> float:
        """d, the least that the depth term can be."""
        return least_depth_term(self.units, self.least_macs, self.most_macs)

    @property
    def depth_slopes(self) -> tuple[float, float] | None:
        """Between what -1/2 d changes with a multiply-add of the chain, 0 among it; None where it may jump."""
        if self.least_macs >= MACS_OF_MAX_UNITS:
            return 0.0, 0.0
        if self.least_macs < SMALL_MACS <= self.most_macs and self.units < best_units(SMALL_MACS):
            return None
        low, high = (math.log(self.units / best_units(macs)) for macs in (self.most_macs, self.least_macs))
        return min(0.0, low) / (4 * self.least_macs), max(0.0, high) / (4 * self.least_macs)

    def constant(self, tangents: Sequence[float]) -> float:
        """What the bound on E is beside the sums over blocks, less the floor."""
        logs = math.fsum(math.log(each) - 1 for each in tangents) / self.levels
        return 0.75 * math.log(self.units) + 0.25 * logs - 0.5 * self.least_depth_term - (self.floor or 0.0)

    def at(self, found: Evenness, tangents: Sequence[float]) -> float:
        """The bound on E of a network with these tangents, less the floor."""
        sides = zip(found.level_macs, tangents, strict=True)
        linear = math.fsum(macs / tangent for (_, macs), tangent in sides) / (4 * self.levels)
        return 0.75 * (found.unit_term - math.log(found.units)) + linear + self.constant(tangents)


def least_depth_term(units: int, least_macs: float, most_macs: float) -> float:
    """The least depth term of networks with so many residual units whose chains have MACs in an interval."""
    if best_units(least_macs) <= units <= best_units(most_macs):
        return 0.0
    return depth_term(units, most_macs if units > best_units(most_macs) else least_macs)
