"""The draws of one metric on a crew, behind the engine's protocol, and the executor that gives them."""

from __future__ import annotations

import math
import uuid
from collections import deque
from typing import Generic

from ...errors import RunError
from ..monte_carlo.draws import Draw, T
from ..monte_carlo.executors import Make
from ..monte_carlo.workers import DrawResult
from .crew import AHEAD, Crew, places
from .fleet import Batch, Done, Work

BATCH_SECONDS = 1.0  # what a batch should take, so that messages cost little beside it
MOST_DRAWS = 4096  # of a batch
GROWTH = 4  # of a batch from one to the next at most, because small ones are mostly overhead
LOSSES = 3  # of workers, after which one draw alone is an error
PARTS = 4  # of a batch that was lost once


class Cluster:
    """The executor of a crew. A context manager; its workers stay between metrics.

    Args:
        crew: the workers.
    """

    def __init__(self, crew: Crew) -> None:
        self._crew = crew

    def __enter__(self) -> Cluster:
        self._crew.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._crew.__exit__()

    @property
    def kind(self) -> str:
        return self._crew.kind

    @property
    def devices(self) -> int:
        return max(1, len(self._crew.ready))

    @property
    def status(self) -> str:
        """What there is, in a few words."""
        return self._crew.status

    def workers(self, make: Make[T]) -> ClusterWorkers[T]:
        return ClusterWorkers(self._crew, make)


class ClusterWorkers(Generic[T]):
    """Draws of one metric, sent in batches that take about a second.

    A draw whose worker was lost is sent again. After the first loss of a batch its parts are sent, after the second its
    draws one by one, so that a draw that ends its workers, for example for lack of memory, becomes an error alone.
    """

    def __init__(self, crew: Crew, make: Make[T]) -> None:
        self._crew, self._make, self._token = crew, make, uuid.uuid4().hex
        self._buffer: deque[Draw[T]] = deque()
        self._again: deque[Batch] = deque()
        self._open: dict[tuple[int, int], Draw[T]] = {}  # draws without a result, by job and number
        self._results: list[DrawResult[T]] = []
        self._seconds: float | None = None  # of one draw
        self._size = 1
        self._places = AHEAD  # batches that the crew can take, when that was looked at last

    def __enter__(self) -> ClusterWorkers[T]:
        return self

    def __exit__(self, *_: object) -> None:
        self._buffer.clear()
        self._again.clear()
        self._open.clear()  # what still comes is of no use

    @property
    def look_ahead(self) -> int:
        """Networks worth having ready."""
        return self._capacity() + len(self._open)

    @property
    def busy(self) -> bool:
        return bool(self._open or self._results)

    def room(self, task: T) -> bool:
        return len(self._buffer) < self._capacity()

    def submit(self, draw: Draw[T]) -> None:
        self._open[draw.job, draw.number] = draw
        self._buffer.append(draw)

    def wait(self) -> list[DrawResult[T]]:
        while not self._results:
            self._send()
            self._crew.step()
        self._places = places(self._crew.ready)
        results, self._results = self._results, []
        return results

    def expected(self, batch: Batch) -> float:
        """Seconds that a batch should take."""
        return 0.0 if self._seconds is None else self._seconds * len(batch.draws)

    def receive(self, batch: Batch, done: Done) -> None:
        """Takes what came of a batch; a draw that is known already is left out."""
        for draw, score in zip(batch.draws, done.scores, strict=True):
            if self._open.pop((draw.job, draw.number), None) is not None:
                self._results.append(DrawResult(draw, score))
        each = max(done.seconds, 1e-6) / len(batch.draws)
        self._seconds = each if self._seconds is None else (self._seconds + each) / 2
        most = min(MOST_DRAWS, GROWTH * max(self._size, len(batch.draws)))
        self._size = min(most, max(1, round(BATCH_SECONDS / self._seconds)))

    def give_back(self, batch: Batch) -> int:
        """Takes a batch whose worker was lost; how many of its draws have to be made again."""
        draws = [draw for draw in batch.draws if (draw.job, draw.number) in self._open]
        if len(draws) == 1 and batch.losses >= LOSSES:
            (draw,) = draws
            del self._open[draw.job, draw.number]
            fault = f"{batch.losses} workers were lost while they computed it, perhaps for lack of memory"
            self._results.append(DrawResult(draw, RunError(f"{draw.task.name}: {fault}; use a smaller batch size")))
            return 0
        parts = 1 if batch.losses == 0 else PARTS if batch.losses == 1 else max(1, len(draws))
        step = max(1, math.ceil(len(draws) / parts))
        for start in range(0, len(draws), step):
            self._again.append(Batch(self, draws[start : start + step], batch.losses))
        return len(draws)

    def _capacity(self) -> int:
        """Draws that are worth having ready: a batch for every place, and for as many as may soon be there."""
        return self._size * max(AHEAD, self._places)

    def _send(self) -> None:
        """Gives work to whoever has room: what was lost first, then full batches, and the rest to those with none."""
        members = self._crew.ready
        idle = sum(not member.batches for member in members)
        for _ in range(AHEAD):
            for member in members:
                if len(member.batches) >= AHEAD:
                    continue
                is_idle = not member.batches
                batch = self._next(idle if is_idle else 0)
                if batch is None:
                    break
                idle -= is_idle
                self._crew.send(member, batch, Work(self._token, self._make, tuple(batch.draws)))
        self._places = places(members)

    def _next(self, idle: int) -> Batch | None:
        """The next batch for one of so many idle workers, or for one that has work; None where there is none for it."""
        while self._again:
            batch = self._again.popleft()
            batch.draws = [draw for draw in batch.draws if (draw.job, draw.number) in self._open]
            if batch.draws:
                return batch
        left = len(self._buffer)
        if left >= self._size or (left and idle):
            count = min(left, self._size, max(1, math.ceil(left / idle)) if idle else left)
            return Batch(self, [self._buffer.popleft() for _ in range(count)])
        late = self._crew.late() if idle and not left else None
        if late is None or late.owner is not self:
            return None
        late.is_copied = True
        return Batch(self, list(late.draws), is_copied=True)
