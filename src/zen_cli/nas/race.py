"""A race of finalists: random draws go to those that may still be the best, until the first is certain. No I/O.

Let m_i be the mean of finalist i's draws, and r_ij the radius of a one-sided confidence interval of the difference of
two means (Welch). A finalist j is out when m_i - m_j > r_ij for the present first i. The race is decided when all
others are out, or when no finalist j that is in has m_j - m_i + r_ij above the tolerance.

Both ways are wrong only where, for the truly best b and some i and look, m_i - m_b exceeds its expectation by more than
r_ib. There are K - 1 such i, and look number l of a race has the share 6 / (pi l)^2 of the error. So with intervals of
error (1 - certainty) 6 / (pi l)^2 / (K - 1) the whole race is right with at least that certainty, whenever it ends.

Source: successive rejection by confidence intervals; Maron and Moore, *Hoeffding Races* (1993), and Even-Dar, Mannor
and Mansour, *Action Elimination* (2006); Welch, *The generalization of Student's problem* (1947).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias

from ..metrics.sums import mean_and_error
from .student import student_quantile

CERTAINTY = 0.95
LEAST_DRAWS = 2  # of a finalist, so that its draws have a variance
GROWTH = 1.3  # of the draws of a finalist from one look to the next

Ending: TypeAlias = Literal["certain", "tolerance", "draws", "time", "interrupted"]


class Standing(NamedTuple):
    """Where a race is.

    Attributes:
        first: the finalist in front.
        rivals: how many others may still be better.
        below: how far, in nats and at the certainty of the race, the best finalist may be above the first; 0 where it
            is the best itself.
    """

    first: int
    rivals: int
    below: float


class Race:
    """Which finalists get more draws, and whether the best is known.

    Args:
        finalists: how many, at least one.
        tolerance: how far the first may be below the best in nats.
        first_draws: of each finalist before the first look.
        certainty: with which the answer is right.
    """

    def __init__(self, finalists: int, *, tolerance: float, first_draws: int, certainty: float = CERTAINTY) -> None:
        self._tolerance, self._error = tolerance, 1 - certainty
        self._first_draws = first_draws if finalists == 1 else max(LEAST_DRAWS, first_draws)
        self._looks = 0
        self.draws: list[list[float]] = [[] for _ in range(finalists)]
        self.running = list(range(finalists))
        self.standing: Standing | None = None  # None before the first look, or where none is left

    @property
    def decided(self) -> Ending | None:
        """`certain` or `tolerance`, None while the race is open."""
        if self.standing is None or (self.standing.rivals and self.standing.below > self._tolerance):
            return None
        return "tolerance" if self.standing.rivals else "certain"

    @property
    def total(self) -> int:
        """All draws that were made."""
        return sum(map(len, self.draws))

    @property
    def wanted(self) -> tuple[int, int]:
        """(number of the next draw, how many to make) of each finalist that is running: all have equally many."""
        known = max((len(self.draws[index]) for index in self.running), default=0)
        return known, self._first_draws if known == 0 else max(1, math.ceil(known * (GROWTH - 1)))

    def drop(self, index: int) -> None:
        """Takes a finalist that has no score out."""
        self.running.remove(index)
        if not self.running:
            self.standing = None

    def tell(self, draws: Mapping[int, Sequence[float]]) -> None:
        """The draws that were wanted, by finalist; then the race looks who is out."""
        for index in self.running:
            self.draws[index] += draws[index]
        if self.running:
            self._look()

    def _look(self) -> None:
        self._looks += 1
        rivals = max(1, len(self.draws) - 1)
        error = self._error * 6 / (math.pi * self._looks) ** 2 / rivals
        samples = {index: Sample.of(self.draws[index]) for index in self.running}
        first = max(self.running, key=lambda index: (samples[index].mean, -index))
        above = {
            index: samples[index].mean - samples[first].mean + radius(samples[first], samples[index], error)
            for index in self.running
            if index != first
        }
        self.running = [index for index in self.running if index == first or above[index] >= 0]
        below = max((above[index] for index in self.running if index != first), default=0.0)
        self.standing = Standing(first, len(self.running) - 1, below)


class Sample(NamedTuple):
    """A mean of draws, the square of its standard error, and how many draws there were."""

    mean: float
    variance: float
    size: int

    @classmethod
    def of(cls, draws: Sequence[float]) -> Sample:
        """Of at least two draws."""
        mean, error = mean_and_error(draws)
        return cls(mean, (error or 0.0) ** 2, len(draws))


def radius(first: Sample, second: Sample, error: float) -> float:
    """What the difference of two means exceeds its expectation by with this probability, below one half (Welch)."""
    total = first.variance + second.variance
    if total == 0:
        return 0.0
    shares = math.fsum(sample.variance**2 / (sample.size - 1) for sample in (first, second))
    return math.sqrt(total) * student_quantile(1 - error, total**2 / shares)
