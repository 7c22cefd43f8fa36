"""A first member within the limits: the seed network, a smallest member, or what a walk towards the limits reaches."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from typing import Any

from ..errors import SpecError
from ..metrics.terms import NetworkTerms
from .limits import Limits, too_low, write_least, write_limit
from .scorers import Evaluator

# Three walks share the tries. The first never steps further from the limits; where it ends in a dead end, such as a
# space whose widths may only change together, the others anneal: (share of the tries, temperature at the beginning).
WALKS = ((0.2, 0.0), (0.4, 0.1), (0.4, 0.05))
HOPELESS = 10  # a limit that is so many times below all that the first walk sees ends the search
SEED = 0  # of the steps away from the limits; the moves come from the caller


def find_start(evaluator: Evaluator, limits: Limits, neighbour: Callable[[Any], Any], tries: int = 20_000) -> Any:
    """A member within the limits: the seed network, a smallest member, or what a walk from them reaches.

    Args:
        evaluator: of members of the space.
        limits: what it has to keep.
        neighbour: a random move.
        tries: how many moves the walks make.

    Raises:
        SpecError: no member was found; names the limit and the smallest value seen.
    """
    space, seed = evaluator.space, evaluator.seed
    starts = [space.start(seed), *space.smallest(seed)]
    least: dict[str, float] = {}

    def excess(genome: Any) -> float:
        """By what share the limits are broken, summed."""
        terms = evaluator.terms(genome)
        assert terms is not None
        worst = 0.0
        for name, value, limit in limits.usage(terms):
            least[name] = min(value, least.get(name, value))
            worst += max(0.0, value / limit - 1)
        return worst

    for genome in starts:
        if excess(genome) == 0:
            return genome
    origin = nearest = min(starts, key=excess)
    least_excess, random = excess(nearest), Random(SEED)
    for share, heat in WALKS:
        genome, value = origin, excess(origin)
        steps = int(share * tries)
        for step in range(steps):
            changed = neighbour(genome)
            found = excess(changed)
            if found == 0:
                return changed
            temperature = heat * (1 - step / steps) ** 2
            if found <= value or (temperature and random.random() < math.exp((value - found) / temperature)):
                genome, value = changed, found
            if value < least_excess:
                nearest, least_excess = genome, value
        if any(least[name] > HOPELESS * limit for name, limit in limits.items()):
            break
    raise SpecError(_too_tight(limits, least, evaluator.terms(nearest)))


def _too_tight(limits: Limits, least: dict[str, float], nearest: NetworkTerms | None) -> str:
    for name, bound in limits.items():
        needed = least[name] * (bound / limits.lowered(name))
        if needed > bound:
            return too_low(name, bound, needed)
    assert nearest is not None
    broken = [row for row in limits.usage(nearest) if row[1] > row[2]]
    parts = " and ".join(
        f"max_{name} {write_limit(name, limits[name])} (found {write_least(name, value * limits[name] / lowered)})"
        for name, value, lowered in broken
    )
    which = "it" if len(broken) == 1 else "one of them"
    return f"limits: no network was found that keeps all at once; the nearest one breaks {parts}; raise {which}"
