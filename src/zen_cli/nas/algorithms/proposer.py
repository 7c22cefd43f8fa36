"""Algorithms that propose networks and are told their ratings; `nas.loop` drives them.

They do no I/O, draw from a generator of their own, and can be stopped and restored between two steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol


class Rating(NamedTuple):
    """A member's score, higher being better, and the cost that breaks ties."""

    score: float
    params: int
    macs: int


class Member(NamedTuple):
    """A network of the population; sorted from worst to best, ties broken by cost."""

    score: float
    params: int  # negative, so that of equal scores the cheaper network is the better one
    macs: int  # negative
    genome: Any

    @classmethod
    def of(cls, genome: Any, rating: Rating) -> Member:
        """A genome with its rating."""
        return cls(rating.score, -rating.params, -rating.macs, genome)

    @property
    def rating(self) -> Rating:
        """Its rating."""
        return Rating(self.score, -self.params, -self.macs)


class Proposer(Protocol):
    """The state of a search that goes on step by step.

    Attributes:
        proposals: how many networks were proposed and told.
        step: how many `propose` gives next, those that led nowhere included.
        idle_rounds: rounds without a better network, for `patience`.
        round: number of the present round, from 0.
        temperature: how large a loss is accepted, in units of the score; 0 where there is no such thing.
    """

    proposals: int
    idle_rounds: int
    round: int

    @property
    def step(self) -> int:
        """Proposals of one step."""

    @property
    def temperature(self) -> float:
        """The loss that about one in three proposals may have."""

    @property
    def population(self) -> list[Member]:
        """The best networks so far, best first, no two alike; never empty."""

    def propose(self) -> list[Any]:
        """Genomes to rate."""

    def tell(self, ratings: Sequence[Rating | None]) -> None:
        """The ratings of what `propose` gave, in order; None for what breaks a limit or has no score."""

    def state(self) -> dict[str, Any]:
        """All of it as JSON types."""

    def restore(self, state: Any, decode: Callable[[Any], Any]) -> None:
        """Goes on from what `state` gave; `decode` makes a genome of its JSON form.

        Raises:
            ValueError: this is not a state of the algorithm; pydantic's ValidationError is one.
        """
