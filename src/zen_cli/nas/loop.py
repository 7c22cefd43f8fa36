"""The loop of a search: proposals, ratings, next proposals, until a budget ends; with checkpoints on the way."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from ..errors import RunError, ZenError
from .algorithms.proposer import Member, Proposer
from .budget import Budget
from .garbage import garbage_collection
from .rundir import RunDirectory
from .scorers import Scorer

CHECKPOINT_SECONDS = 2.0
SPARK_POINTS = 512
HISTORY_ROWS = 512


class Snapshot(NamedTuple):
    """How far a search is, after a generation.

    `population` is sorted, best first; `median` and `spread` (between its quartiles) are of its scores; `trail` is the
    best score after equal numbers of generations, and now. All of these are higher where better; `sign` is -1 where
    what is known by its name is lower where better.
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


class LoopState(BaseModel):
    """What a checkpoint holds: the state of the algorithm, and what the loop knows beside it."""

    model_config = ConfigDict(extra="forbid")

    algorithm: dict[str, Any]
    elapsed_s: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    device_s: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    trail: Annotated[list[Annotated[float, Field(allow_inf_nan=False)]], Field(max_length=SPARK_POINTS)]
    trail_step: Annotated[int, Field(ge=1, lt=2**63)]
    generations: Annotated[int, Field(ge=0, lt=2**63)]
    history_bytes: Annotated[int, Field(ge=0, lt=2**63)]


class Loop:
    """Drives an algorithm.

    Args:
        proposer: the algorithm at its start; restored here where the run directory has a checkpoint.
        scorer: rates proposals.
        decode: makes a genome of its JSON form.
        budget: when to end.
        patience: end after so many rounds without a better network.
        generation: proposals between two rows of the history and chances to stop, of a scorer that is not slow.
        sign: of the score as people know it, -1 where lower is better.
        run: where checkpoints go, if anywhere.
        warn: told of a damaged checkpoint.
        clock: seconds, for tests.
        spent: evaluations before the first proposal, which a snapshot counts as well.
        began: when the search began on that clock; now by default.
        devices: how many are in use; a budget of gpu-days counts all of them.

    Raises:
        SourceError: the checkpoint is not one of this search.
    """

    def __init__(
        self,
        proposer: Proposer,
        scorer: Scorer,
        *,
        decode: Callable[[Any], Any],
        budget: Budget,
        patience: int | None,
        generation: int,
        sign: int = 1,
        run: RunDirectory | None = None,
        warn: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
        spent: int = 0,
        began: float | None = None,
        devices: Callable[[], int] = lambda: 1,
    ) -> None:
        self.error: ZenError | None = None
        self._proposer, self._scorer = proposer, scorer
        self._budget, self._patience = budget, patience
        self._generation, self._run, self._clock = generation, run, clock
        self._trail: list[float] = []  # the best score after every `_trail_step` generations
        self._trail_step = 1
        self._sign, self._spent = sign, spent
        self._before_s = self._device_s = 0.0
        self._devices = devices
        self._history_bytes = 0
        self._generations = 0
        if run is not None:
            run.restore_checkpoint(lambda state: self._restore(state, decode), warn)
        self._began = self._counted = clock() if began is None else began

    def _restore(self, state: dict[str, Any], decode: Callable[[Any], Any]) -> None:
        """Takes over a state.

        Raises:
            ValueError: it is not one of this search.
        """
        known = LoopState.model_validate(state)
        self._proposer.restore(known.algorithm, decode)
        members = self._proposer.population
        if not self._scorer.is_slow:  # then rating them again costs nothing
            ratings, _ = self._scorer.rate([member.genome for member in members], lambda: False)
            if ratings != [member.rating for member in members]:
                raise ValueError("population: its networks do not have these scores within the limits")
        self._before_s, self._device_s, self._history_bytes = known.elapsed_s, known.device_s, known.history_bytes
        self._trail, self._trail_step, self._generations = known.trail, known.trail_step, known.generations

    @property
    def elapsed_s(self) -> float:
        """Seconds of search, those before a checkpoint included."""
        return self._before_s + self._clock() - self._began

    def run(self, on_generation: Callable[[Snapshot], None], should_stop: Callable[[], bool]) -> str:
        """Searches until a budget ends; says which: evaluations, time, patience, interrupted or failed.

        Whatever ends it, what was found is in the algorithm's population; an error is kept in `error`.

        Args:
            on_generation: called after every generation.
            should_stop: called between steps, and between networks of a slow scorer.
        """
        try:
            return self._search(on_generation, should_stop)
        except KeyboardInterrupt:
            return "interrupted"
        except ZenError as error:
            self.error = error
        except (MemoryError, OSError) as error:
            self.error = RunError(f"the search ended early: {' '.join(str(error).split()) or type(error).__name__}")
        return "failed"

    def _search(self, on_generation: Callable[[Snapshot], None], should_stop: Callable[[], bool]) -> str:
        if self._run is not None:
            self._run.open_history(self._history_bytes)
        saved = self._clock()
        with garbage_collection(rare=not self._scorer.is_slow) as tidy:
            while (reason := self._reason_to_stop(should_stop)) is None:
                whole = self._advance(should_stop)
                if whole is not None:  # the clock ended the step: a resumed run takes it again
                    reason = self._reason_to_stop(should_stop) or "time"
                    if self._run is not None:
                        self._save(whole)
                    return reason
                snapshot = self._snapshot()
                if self._run is not None:
                    if self._generations % _history_step(self._generations) == 0:
                        self._run.append_history(snapshot.row())
                    if self._clock() - saved >= CHECKPOINT_SECONDS:
                        self._save(self._proposer.state())
                        saved = self._clock()
                on_generation(snapshot)
                tidy()
        if self._run is not None:
            self._save(self._proposer.state())
        return reason

    def _advance(self, should_stop: Callable[[], bool]) -> dict[str, Any] | None:
        """One generation; the state before its last step where a slow scorer did not finish that in time."""
        proposer, scorer = self._proposer, self._scorer

        def is_over() -> bool:
            return should_stop() or self._is_late()

        done = proposer.proposals % self._generation  # of a generation that the clock cut short
        end = proposer.proposals + (1 if scorer.is_slow else self._generation - done)
        while proposer.proposals < end and not self._is_spent() and not is_over():
            before = proposer.state() if scorer.is_slow else None
            ratings, are_all = scorer.rate(proposer.propose(), is_over)
            proposer.tell(ratings)
            if not are_all:
                return before
        return None

    def _is_spent(self) -> bool:
        most = self._budget.evaluations
        return most is not None and self._proposer.proposals + self._proposer.step > most

    def _is_late(self) -> bool:
        now = self._clock()
        self._device_s += (now - self._counted) * self._devices()
        self._counted = now
        seconds, device_seconds = self._budget.seconds, self._budget.device_seconds
        if seconds is not None and self.elapsed_s >= seconds:
            return True
        return device_seconds is not None and self._device_s >= device_seconds

    def _reason_to_stop(self, should_stop: Callable[[], bool]) -> str | None:
        if should_stop():
            return "interrupted"
        if self._is_spent():
            return "evaluations"
        if self._is_late():
            return "time"
        if self._patience is not None and self._proposer.idle_rounds >= self._patience:
            return "patience"
        return None

    def _snapshot(self) -> Snapshot:
        proposer = self._proposer
        population = proposer.population
        count = len(population)
        self._generations += 1
        if self._generations % self._trail_step == 0:
            self._trail.append(population[0].score)
        if len(self._trail) > SPARK_POINTS:
            self._trail = self._trail[1::2]
            self._trail_step *= 2
        return Snapshot(
            self._spent + proposer.proposals,
            self.elapsed_s,
            proposer.round,
            proposer.temperature,
            population,
            population[count // 2].score,
            population[count // 4].score - population[3 * count // 4].score,
            (*self._trail, population[0].score),
            self._sign,
        )

    def _save(self, state: dict[str, Any]) -> None:
        assert self._run is not None
        self._run.write_checkpoint(
            {
                "algorithm": state,
                "elapsed_s": self.elapsed_s,
                "device_s": self._device_s,
                "trail": self._trail,
                "trail_step": self._trail_step,
                "generations": self._generations,
            }
        )


def _history_step(generations: int) -> int:
    """Every how many generations the history gets a row: 1 for the first 1,024, then twice as many with each doubling.

    So it grows with the logarithm of a search's length.
    """
    return 1 << max(0, (generations // HISTORY_ROWS).bit_length() - 1)
