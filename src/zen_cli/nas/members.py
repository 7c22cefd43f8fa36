"""Random members of a space, for people who want to see what it holds."""

from __future__ import annotations

from random import Random

from ..net.spec import ArchSpec
from .scorers import Evaluator
from .settings import SearchSettings
from .start import find_start

STEPS = 200


def random_members(settings: SearchSettings, count: int) -> list[ArchSpec]:
    """Members within the limits, each the end of a random walk that began at the first one.

    Raises:
        SpecError: no member keeps the limits.
    """
    space, random = settings.space, Random(settings.score.seed)
    evaluator = Evaluator(space, settings.seed_network(), settings.score.convention)
    start = find_start(evaluator, settings.limits, lambda genome: space.neighbour(genome, random))
    members = []
    for _ in range(count):
        genome = start
        for _ in range(STEPS):
            candidate = space.neighbour(genome, random)
            if evaluator.terms(candidate, settings.limits) is not None:
                genome = candidate
        members.append(evaluator.spec(genome))
    return members
