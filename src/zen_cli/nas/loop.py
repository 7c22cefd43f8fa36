"""The loop of a search: proposals, ratings, next proposals, until a budget ends; with checkpoints on the way."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, NamedTuple

from .algorithms.evolution import Evolution, Member
from .budget import Budget
from .rundir import RunDirectory
from .scorers import Scorer

CHECKPOINT_SECONDS = 2.0
SPARK_POINTS = 512
GENERATIONS_PER_COLLECTION = 1000


class Snapshot(NamedTuple):
    """How far a search is, after a generation.

    `population` is sorted, best first; `median` and `spread` (between its quartiles) are of its scores; `trail` is the
    best score after equal numbers of generations, and now. All of these are higher where better; `sign` is -1 where
    what people know by its name is lower where better.
    """

    proposals: int
    elapsed_s: float
    round: int
    temperature: float
    population: list[Member]
    median: float
    spread: float
    trail: tuple[float, ...]
    sign: int = 1

    @property
    def best(self) -> Member:
        """The best network so far."""
        return self.population[0]

    def row(self) -> dict[str, Any]:
        """A row of the history."""
        return {
            "evaluations": self.proposals,
            "round": self.round,
            "best": self.sign * self.best.score,
            "median": self.sign * self.median,
            "spread": self.spread,
            "temperature": self.temperature,
            "elapsed_s": round(self.elapsed_s, 3),
        }


class Loop:
    """Drives an evolution.

    Args:
        evolution: at its start; restored here where the run directory has a checkpoint.
        scorer: rates proposals.
        decode: makes a genome of its JSON form.
        budget: when to end.
        patience: end after so many rounds without a better network.
        generation: proposals between two looks at the clock, rows of the history and chances to stop.
        leaves_garbage: whether the scorer may leave reference cycles; if it does not, few collections save time.
        sign: of the score as people know it, -1 where lower is better.
        run: where checkpoints go, if anywhere.
        warn: told of a damaged checkpoint.
        clock: seconds, for tests.
    """

    def __init__(
        self,
        evolution: Evolution,
        scorer: Scorer,
        *,
        decode: Callable[[Any], Any],
        budget: Budget,
        patience: int | None,
        generation: int,
        leaves_garbage: bool = True,
        sign: int = 1,
        run: RunDirectory | None = None,
        warn: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._evolution, self._scorer = evolution, scorer
        self._budget, self._patience = budget, patience
        self._generation, self._run, self._clock = generation, run, clock
        self._trail: list[float] = []  # the best score after every `_trail_step` generations
        self._trail_step = 1
        self._sign = sign
        self._leaves_garbage = leaves_garbage
        self._before_s = 0.0
        self._history_bytes = 0
        state = run.read_checkpoint(warn) if run is not None else None
        if state is not None:
            evolution.restore(state["evolution"], decode)
            self._before_s, self._history_bytes = state["elapsed_s"], state["history_bytes"]
            self._trail, self._trail_step = state["trail"], state["trail_step"]
        self._generations = len(self._trail) * self._trail_step
        self._began = clock()

    @property
    def elapsed_s(self) -> float:
        """Seconds of search, those before a checkpoint included."""
        return self._before_s + self._clock() - self._began

    def run(self, on_generation: Callable[[Snapshot], None], should_stop: Callable[[], bool]) -> str:
        """Searches until a budget ends; says which: evaluations, time, patience or interrupted.

        Args:
            on_generation: sees every generation.
            should_stop: asked between generations, for Ctrl-C.

        Raises:
            OutputError: the run directory cannot be written any more.
            RunError: nothing can be scored.
        """
        if self._run is not None:
            self._run.open_history(self._history_bytes)
        saved = self._clock()
        with _garbage_collection(rare=not self._leaves_garbage) as tidy:
            while (reason := self._reason_to_stop(should_stop)) is None:
                self._advance()
                snapshot = self._snapshot()
                if self._run is not None:
                    self._run.append_history(snapshot.row())
                    if self._clock() - saved >= CHECKPOINT_SECONDS:
                        self._save()
                        saved = self._clock()
                on_generation(snapshot)
                tidy()
        if self._run is not None:
            self._save()
        return reason

    def _advance(self) -> None:
        evolution, rate = self._evolution, self._scorer.rate
        end = evolution.proposals + self._generation
        while evolution.proposals < end and not self._is_spent():
            evolution.tell(rate(evolution.ask()))

    def _is_spent(self) -> bool:
        most = self._budget.evaluations
        return most is not None and self._evolution.proposals + self._evolution.step > most

    def _reason_to_stop(self, should_stop: Callable[[], bool]) -> str | None:
        if should_stop():
            return "interrupted"
        if self._is_spent():
            return "evaluations"
        elapsed, budget = self.elapsed_s, self._budget
        if budget.seconds is not None and elapsed >= budget.seconds:
            return "time"
        if budget.device_seconds is not None and elapsed >= budget.device_seconds:  # it keeps one device busy
            return "time"
        if self._patience is not None and self._evolution.idle_rounds >= self._patience:
            return "patience"
        return None

    def _snapshot(self) -> Snapshot:
        evolution = self._evolution
        population = evolution.population
        count = len(population)
        self._generations += 1
        if self._generations % self._trail_step == 0:
            self._trail.append(population[0].score)
        if len(self._trail) > SPARK_POINTS:
            self._trail = self._trail[1::2]
            self._trail_step *= 2
        return Snapshot(
            evolution.proposals,
            self.elapsed_s,
            evolution.round,
            evolution.temperature,
            population,
            population[count // 2].score,
            population[count // 4].score - population[3 * count // 4].score,
            (*self._trail, population[0].score),
            self._sign,
        )

    def _save(self) -> None:
        assert self._run is not None
        self._run.write_checkpoint(
            {
                "evolution": self._evolution.state(),
                "elapsed_s": self.elapsed_s,
                "trail": self._trail,
                "trail_step": self._trail_step,
            }
        )


@contextmanager
def _garbage_collection(*, rare: bool) -> Iterator[Callable[[], None]]:
    """Yields what to call after every generation; where collections are rare, that is what collects, nothing else.

    Genomes and terms are tuples without cycles, and to look for some after every few hundred of them takes a third of
    the time.
    """
    enabled, generations = gc.isenabled(), count(1)

    def tidy() -> None:
        if rare and next(generations) % GENERATIONS_PER_COLLECTION == 0:
            gc.collect()

    if rare:
        gc.disable()
    try:
        yield tidy
    finally:
        if enabled:
            gc.enable()
