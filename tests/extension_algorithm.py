"""An algorithm of one's own: a random walk. `python extension_algorithm.py search ...` is `zen` with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from zen_cli.cli import main
from zen_cli.nas.algorithms import ALGORITHMS
from zen_cli.nas.algorithms.proposer import Member, Rating
from zen_cli.nas.band import Band
from zen_cli.nas.drive import drive
from zen_cli.nas.outcome import Callbacks, Outcome
from zen_cli.nas.rundir import RunDirectory
from zen_cli.nas.settings import SearchSettings
from zen_cli.nas.space import Space

ALGORITHMS["random-walk"] = __name__


class RandomWalk:
    """Goes to a neighbour within the limits, whatever its score."""

    step = 1
    temperature = 0.0
    idle_rounds = round = 0

    def __init__(self, space: Space, start: tuple[Any, Rating], settings: SearchSettings, band: Band | None) -> None:
        self._space = space
        self._here = self._best = Member.of(*start)
        self._next: Any = None
        self.proposals = 0

    @property
    def population(self) -> list[Member]:
        return [self._best]

    def propose(self) -> list[Any]:
        self._next = self._space.neighbour(self._here.genome, Random(self.proposals))
        return [self._next]

    def tell(self, ratings: Sequence[Rating | None]) -> None:
        self.proposals += 1
        if ratings[0] is not None:
            self._here = Member.of(self._next, ratings[0])
            self._best = max(self._best, self._here)

    def state(self) -> dict[str, Any]:
        return {"here": list(self._here), "best": list(self._best), "proposals": self.proposals}

    def restore(self, state: Any, decode: Callable[[Any], Any]) -> None:
        self._here, self._best = (Member(*row[:3], decode(row[3])) for row in (state["here"], state["best"]))
        self.proposals = state["proposals"]


class RandomWalkAlgorithm:
    """The random walk as an entry of the table."""

    summary, unit, uses = "a walk without a goal", "evaluations", frozenset[str]()

    def supports(self, settings: SearchSettings) -> str:
        return "proxy: the random walk looks for the Zen-score only" if settings.proxy is not None else ""

    def search(self, settings: SearchSettings, run: RunDirectory | None, callbacks: Callbacks) -> Outcome:
        return drive(RandomWalk, settings, run, callbacks)


ALGORITHM = RandomWalkAlgorithm()

if __name__ == "__main__":
    main()
