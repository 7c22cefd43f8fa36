"""A local search for the evolution: from a network to one that no change of one or two blocks makes better.

Where evenness is the objective or a limit, almost all neighbours of a good network break something, and a pair of
changes that pay for each other is hard to meet at random. The exact search compares all pairs at once
(`exact.polish`); one such descent counts some hundred networks and is worth more than thousands of random ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from ..band import Band
    from ..settings import SearchSettings

MOST_UNITS = 200
# Of evenness and of the score: nats, and proposals before the first descent.
EVENNESS_TEMPERATURE, TEMPERATURE = 0.003, 0.3
EVENNESS_AFTER, AFTER = 1024, 4096


class Descent(NamedTuple):
    """A local search.

    Attributes:
        temperature: how large a loss from one end to the next is accepted by about one in three, in nats.
        after: how many proposals come before the first descent.
        most: how many networks it counts at most.
        carry: from a genome to (where it ends, maybe outside of the limits; how many networks it counted).
    """

    temperature: float
    after: int
    most: int
    carry: Callable[[Any], tuple[Any, int]]

    def __call__(self, genome: Any) -> tuple[Any, int]:
        """`carry`."""
        return self.carry(genome)


def make_descent(settings: SearchSettings, band: Band | None) -> Descent | None:
    """The local search of a problem; None where evenness plays no part, or it cannot take the problem."""
    if band is None and settings.proxy != "even":
        return None
    from .exact.algorithm import block_space
    from .exact.polish import MAX_WEIGHED, Aim, Polisher
    from .exact.problem import read_problem
    from .exact.support import unsupported_settings

    if unsupported_settings(settings):
        return None
    score = settings.score
    problem = read_problem(
        block_space(settings),
        settings.seed_network(),
        settings.limits,
        convention=score.convention,
        norm=score.norm,
        alpha=score.alpha,
        is_even=True,
    )
    is_objective = settings.proxy == "even"
    aim = Aim(None, MOST_UNITS) if band is None or is_objective else Aim(band.floor, band.most_units)
    polisher = Polisher(problem, aim)

    def carry(genome: Any) -> tuple[Any, int]:
        before = polisher.weighed
        found = polisher.descend(genome).genome
        return found, polisher.weighed - before

    if is_objective:
        return Descent(EVENNESS_TEMPERATURE, EVENNESS_AFTER, MAX_WEIGHED, carry)
    return Descent(TEMPERATURE, AFTER, MAX_WEIGHED, carry)
