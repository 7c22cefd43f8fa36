"""A local search for the evolution: from a network to one that no change of one or two blocks makes better.

Where evenness is the objective or a limit, almost all neighbours of a good network break something, and a pair of
changes that pay for each other is hard to meet at random. The exact search compares all pairs at once
(`exact.polish`); one such descent counts some hundred networks and is worth more than thousands of random ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ..space import BlockSpace

if TYPE_CHECKING:
    from ..band import Band
    from ..limits import Limits
    from ..settings import SearchSettings
    from .exact.polish import Polisher

MOST_UNITS = 200
OTHERS = 16  # shapes of which one descent hands over the best network that it met
# Of evenness and of the score: nats, and proposals before the first descent.
EVENNESS_TEMPERATURE, TEMPERATURE = 0.003, 0.3
EVENNESS_AFTER, AFTER = 1024, 4096


class Descent(NamedTuple):
    """A local search.

    Attributes:
        temperature: how large a loss from one end to the next is accepted by about one in three, in nats.
        after: how many proposals come before the first descent.
        most: how many networks it counts at most.
        carry: from a genome to where it ends, or to itself if that is only outside of the limits.
    """

    temperature: float
    after: int
    most: int
    carry: Callable[[Any], Carried]

    def __call__(self, genome: Any) -> Carried:
        """`carry`."""
        return self.carry(genome)


class Carried(NamedTuple):
    """Where a descent ends; how many networks it counted; the best networks of other shapes among them."""

    genome: Any
    counted: int
    others: Sequence[Any] = ()


def make_descent(settings: SearchSettings, band: Band | None) -> Descent | None:
    """The local search of a problem; None where evenness plays no part, or it cannot take the problem."""
    return next(iter(make_descents(settings, [(settings.limits, band)])), None)


def make_descents(settings: SearchSettings, rungs: Sequence[tuple[Limits, Band | None]]) -> list[Descent]:
    """A local search below each of several limits, in its band where there is one.

    Empty where evenness plays no part, or they cannot take the problem.
    """
    is_objective = settings.proxy == "even"
    if not is_objective and any(band is None for _, band in rungs):
        return []
    from .exact.effects import Neighbours
    from .exact.polish import Aim, Polisher
    from .exact.problem import read_problem
    from .exact.support import unsupported_settings

    if not isinstance(settings.space, BlockSpace) or unsupported_settings(settings):
        return []
    score, neighbours, found = settings.score, None, []
    for limits, band in rungs:
        aim = Aim(None, MOST_UNITS) if is_objective or band is None else Aim(band.floor, band.most_units)
        problem = read_problem(
            settings.space,
            settings.seed_network(),
            limits,
            convention=score.convention,
            norm=score.norm,
            alpha=score.alpha,
            is_even=True,
        )
        neighbours = neighbours or Neighbours(problem, is_even=True)  # the same below all limits
        found.append(_descent(Polisher(problem, aim, neighbours=neighbours), is_objective))
    return found


def _descent(polisher: Polisher, is_objective: bool) -> Descent:
    """Of evenness, or of the score in a band."""
    from .exact.polish import MAX_WEIGHED

    def carry(genome: Any) -> Carried:
        before = polisher.weighed
        polisher.shapes.clear()
        found = polisher.descend(genome)  # where it ends outside, that may be against the rules of the space as well
        end = found.genome if found.feasible else genome
        others = [one for one in polisher.best_of_shapes(OTHERS) if one != end]
        return Carried(end, polisher.weighed - before, others)

    if is_objective:
        return Descent(EVENNESS_TEMPERATURE, EVENNESS_AFTER, MAX_WEIGHED, carry)
    return Descent(TEMPERATURE, AFTER, MAX_WEIGHED, carry)
