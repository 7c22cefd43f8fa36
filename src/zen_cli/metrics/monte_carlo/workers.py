"""Several CPU cores, or one GPU, as something that takes draws and returns their scores.

Both follow one protocol, so that the schedule in `estimates` does not depend on the device: look for `room`, `submit`
draws, `wait` for results. A draw that ran out of memory beside others is tried again with half as many beside it; a
draw that was alone is an error.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Generic, Protocol, TypeAlias

import torch

from ...devices import is_out_of_memory, usable_cores
from ...errors import RunError
from ..threads import single_threads
from .draws import Draw, T
from .memory import Memory

MAX_BATCH = 1024

Score: TypeAlias = Callable[[Draw[T], Callable[[], bool]], float]  # which stops early where the second says so
ScoreBatch: TypeAlias = Callable[[Sequence[Draw[T]]], Sequence[float]]


@dataclass(frozen=True)
class DrawResult(Generic[T]):
    """A draw's score, which need not be finite, or why there is none."""

    draw: Draw[T]
    score: float | RunError


class Workers(Protocol[T]):
    """Takes draws, returns results in any order."""

    @property
    def look_ahead(self) -> int:
        """How many networks are worth having ready."""

    @property
    def busy(self) -> bool:
        """Whether results are still to come."""

    def room(self, task: T) -> bool:
        """Whether a draw of this network may be submitted now; always, where no other is being computed."""

    def submit(self, draw: Draw[T]) -> None:
        """Takes a draw."""

    def wait(self) -> list[DrawResult[T]]:
        """At least one of the results to come."""

    def __enter__(self) -> Workers[T]: ...

    def __exit__(self, *_: object) -> None: ...


class Cores(Generic[T]):
    """One draw on each core that may be used, each with one thread of torch's own.

    Args:
        score: one draw.
        memory: of the CPU.
    """

    def __init__(self, score: Score[T], memory: Memory[T]) -> None:
        self._score, self._memory = score, memory
        self._stack, self._stop = ExitStack(), threading.Event()
        self._running: dict[Future[float], Draw[T]] = {}
        self._again: deque[Draw[T]] = deque()
        self._refused: list[DrawResult[T]] = []
        self._budget = 0
        self._used = 0

    def __enter__(self) -> Cores[T]:
        self._pool, self._slots = self._stack.enter_context(single_threads(usable_cores()))
        self.look_ahead = 2 * self._slots
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._stack.close()

    @property
    def busy(self) -> bool:
        return bool(self._running or self._again or self._refused)

    def room(self, task: T) -> bool:
        if not self._running:
            return not self._again
        return not self._again and self._fits(task)

    def submit(self, draw: Draw[T]) -> None:
        if not self._running:
            self._budget = self._memory.budget()  # what is free is only known while nothing is computed
            self._used = 0
            refusal = self._memory.too_large(draw.task)
            if refusal is not None:
                self._refused.append(DrawResult(draw, refusal))
                return
        self._used += self._memory.need(draw.task)
        self._running[self._pool.submit(self._score, draw, self._stop.is_set)] = draw

    def wait(self) -> list[DrawResult[T]]:
        results, self._refused = self._refused, []
        while not results:
            while self._again and (not self._running or self._fits(self._again[0].task)):
                self.submit(self._again.popleft())
            alone = len(self._running) == 1
            done, _ = wait(self._running, return_when=FIRST_COMPLETED)
            for future in done:
                draw = self._running.pop(future)
                self._used -= self._memory.need(draw.task)
                score = self._score_of(future, draw, alone)
                if score is None:
                    self._again.append(draw)
                else:
                    results.append(DrawResult(draw, score))
            results += self._refused
            self._refused = []
        return results

    def _fits(self, task: T) -> bool:
        return len(self._running) < self._slots and self._used + self._memory.need(task) <= self._budget

    def _score_of(self, future: Future[float], draw: Draw[T], alone: bool) -> float | RunError | None:
        """What came of a draw; None if it has to be tried again."""
        try:
            return future.result()
        except RunError as error:
            return error
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            if alone:
                return self._memory.exhausted(draw.task)
            self._slots = max(1, self._slots // 2)
            self._memory.halve()
            self._budget //= 2
            return None


class Batches(Generic[T]):
    """Draws collected up to the memory's budget and run as one batch.

    Args:
        score: of a batch, in its order.
        memory: of the device.
        device: where.
        most: draws in a batch.
    """

    def __init__(self, score: ScoreBatch[T], memory: Memory[T], device: torch.device, *, most: int = MAX_BATCH) -> None:
        self._score, self._memory, self._device, self.look_ahead = score, memory, device, most
        self._draws: list[Draw[T]] = []
        self._budget = 0
        self._used = 0

    def __enter__(self) -> Batches[T]:
        return self

    def __exit__(self, *_: object) -> None:
        self._draws.clear()

    @property
    def busy(self) -> bool:
        return bool(self._draws)

    def room(self, task: T) -> bool:
        if not self._draws:
            return True
        return len(self._draws) < self.look_ahead and self._used + self._memory.need(task) <= self._budget

    def submit(self, draw: Draw[T]) -> None:
        if not self._draws:
            self._budget, self._used = self._memory.budget(), 0
        self._draws.append(draw)
        self._used += self._memory.need(draw.task)

    def wait(self) -> list[DrawResult[T]]:
        draws, self._draws = self._draws, []
        if len(draws) == 1 and (refusal := self._memory.too_large(draws[0].task)) is not None:
            return [DrawResult(draws[0], refusal)]
        return self._run(draws)

    def _run(self, draws: Sequence[Draw[T]], part: bool = False) -> list[DrawResult[T]]:
        """Results in order; in two parts, one after the other, where there is not enough memory for all.

        The budget is halved once for it, not again for parts.
        """
        try:
            return [DrawResult(draw, score) for draw, score in zip(draws, self._score(draws), strict=True)]
        except RunError as error:
            if len(draws) == 1:
                return [DrawResult(draws[0], error)]
            raise
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
        # after the handler, where the frames that hold the tensors are gone
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        if len(draws) == 1:
            return [DrawResult(draws[0], self._memory.exhausted(draws[0].task))]
        if not part:
            self._memory.halve()
        middle = len(draws) // 2
        return self._run(draws[:middle], part=True) + self._run(draws[middle:], part=True)
