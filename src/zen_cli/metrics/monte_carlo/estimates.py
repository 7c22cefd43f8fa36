"""Networks -> draws -> workers -> estimates: which draw is made next, and when a network is done."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Generic, TypeAlias

import torch

from ...errors import RunError, ScoreError
from ..settings import PrecisionMode, ScoreSettings
from .dispatch import dispatch
from .draws import Draw, Estimate, KeyedChain, T, draws_wanted, summarise
from .executors import Executor, chosen
from .memory import Memory, draw_bytes
from .precision import dtype_of, resolve_mode
from .single import score_draw
from .workers import Batches, Cores, DrawResult, Workers

OnDraw: TypeAlias = Callable[[int], None]
SMALLER = "use a smaller batch size, or the mean-field estimator, which needs none"
LARGER = "use a larger alpha or batch size"


def estimate(
    networks: Iterable[KeyedChain],
    settings: ScoreSettings,
    *,
    first: int = 0,
    on_draw: OnDraw | None = None,
    executor: Executor | None = None,
) -> Iterator[Estimate | RunError]:
    """Monte-Carlo Zen-scores, in the order of the networks.

    Args:
        networks: any number of networks; a few are read before they are needed (two a core on a CPU, up to 1024 for a
            GPU), so give a list rather than a stream that makes its reader wait.
        settings: convention, norm, alpha, batch size, draws or precision, seed, device, precision mode. With a
            precision, draws are made until the standard error is that small, see `draws_wanted`.
        first: number of the first draw: the estimate is of the draws from there on.
        on_draw: called with the number of draws that were finished, or that a failed network leaves out.
        executor: where draws are computed; by default on the devices of this machine that the settings name.

    Yields:
        One estimate a network, or the error of a network that has none: out of memory, not finite. Each depends on its
        network and the settings alone; on a CPU to the last bit.

    Raises:
        UsageError: the device does not exist, or does not have the precision mode.
    """
    executor = chosen(executor, settings.device)
    make = partial(start_workers, settings=settings, mode=resolve_mode(settings, executor.kind))
    with executor.workers(make) as workers:
        yield from run(networks, workers, settings, first=first, on_draw=on_draw, advice=LARGER)


def start_workers(device: torch.device, settings: ScoreSettings, mode: PrecisionMode) -> Workers[KeyedChain]:
    """The workers that suit a device."""
    return cores(settings, mode) if device.type == "cpu" else batches(device, settings, mode)


def cores(settings: ScoreSettings, mode: PrecisionMode) -> Cores[KeyedChain]:
    """The cores of this machine."""
    dtype = dtype_of(mode)
    memory = _memory(torch.device("cpu"), settings, mode, all_weights=False)
    return Cores(lambda draw, is_over: score_draw(draw, settings, dtype, is_over), memory)


def batches(device: torch.device, settings: ScoreSettings, mode: PrecisionMode) -> Batches[KeyedChain]:
    """Batches of draws, for a GPU."""
    memory = _memory(device, settings, mode, all_weights=True)
    return Batches(lambda draws: dispatch(draws, settings, mode, device), memory, device)


def _memory(
    device: torch.device, settings: ScoreSettings, mode: PrecisionMode, *, all_weights: bool
) -> Memory[KeyedChain]:
    batch, itemsize = settings.batch_size, dtype_of(mode).itemsize
    return Memory(
        device,
        lambda task: draw_bytes(task.chain, batch, itemsize, all_weights=all_weights),
        draw=f"one draw at batch size {batch}",
        advice=SMALLER,
    )


class Estimation(Generic[T]):
    """A network on its way to an estimate; `number` tells it from another job of the same network.

    Its draws have the numbers from `first` on.
    """

    def __init__(self, task: T, number: int, settings: ScoreSettings, advice: str, first: int = 0) -> None:
        self.task, self.number = task, number
        self._first = first
        self._settings, self._advice = settings, advice
        self._values: list[float] = []
        self._early: dict[int, float] = {}  # results that came before an earlier draw's
        self._failed: tuple[int, RunError] | None = None
        self._next = 0
        self._outstanding = 0
        self._wanted = draws_wanted([], settings)

    @property
    def result(self) -> Estimate | RunError | None:
        """What the network gets, or None while it is not known."""
        if self._outstanding:
            return None
        if self._failed is not None:
            return self._failed[1]
        return None if self._wanted else summarise(self._values)

    @property
    def skipped(self) -> int:
        """Draws of a fixed number that will never be made, because one of the network's draws failed."""
        return 0 if self._settings.precision is not None else self._settings.draws - self._next

    def next_draw(self) -> Draw[T] | None:
        """The draw to make next, or None where there is none to make now."""
        if self._next >= self._wanted or self._failed is not None:
            return None
        return Draw(self.task, self._first + self._next, self.number)

    def submitted(self) -> None:
        """The draw that `next_draw` named is being made."""
        self._next += 1
        self._outstanding += 1

    def add(self, result: DrawResult[T]) -> None:
        """Takes the result of a draw; the first draw that failed names the error, whichever came back first."""
        self._outstanding -= 1
        number, score = result.draw.number, result.score
        if not isinstance(score, RunError) and not math.isfinite(score):
            score = ScoreError(f"{self.task.name}: a draw scored {score}; {self._advice}")
        if isinstance(score, RunError):
            if self._failed is None or number < self._failed[0]:
                self._failed = number, score
            return
        self._early[number] = score
        if self._outstanding == 0 and self._next == self._wanted and self._failed is None:
            self._values += [self._early[key] for key in sorted(self._early)]
            self._early.clear()
            more = draws_wanted(self._values, self._settings)
            self._wanted = len(self._values) + more if more else 0


def run(
    tasks: Iterable[T],
    workers: Workers[T],
    settings: ScoreSettings,
    *,
    first: int = 0,
    on_draw: OnDraw | None = None,
    advice: str,
) -> Iterator[Estimate | RunError]:
    """The estimates of networks, in their order, by given workers.

    Args:
        tasks: the networks.
        workers: inside their `with` block.
        settings: how many draws, or which precision.
        first: number of the first draw.
        on_draw: called with the number of draws that were finished, after the results that they complete.
        advice: what to use instead where a draw is not finite.
    """
    waiting, jobs, by_number = iter(tasks), deque[Estimation[T]](), dict[int, Estimation[T]]()
    numbers = drawn = 0

    def next_job() -> Estimation[T] | None:
        nonlocal numbers
        for task in waiting:
            job = by_number[numbers] = Estimation(task, numbers, settings, advice, first)
            numbers += 1
            jobs.append(job)
            return job
        return None

    while True:
        while jobs and (result := jobs[0].result) is not None:
            job = jobs.popleft()
            del by_number[job.number]
            drawn += job.skipped
            yield result
        if on_draw is not None and drawn:  # after the results that these draws completed, as it may end everything
            on_draw(drawn)
            drawn = 0
        if all(_submit(job, workers) for job in jobs):  # of the oldest networks first, then of new ones
            while len(jobs) < workers.look_ahead and (new := next_job()) is not None and _submit(new, workers):
                pass
        if not workers.busy:
            return
        results = workers.wait()
        for found in results:
            by_number[found.draw.job].add(found)
        drawn += len(results)


def _submit(job: Estimation[T], workers: Workers[T]) -> bool:
    """Submits what a job has to make now; whether there was room for all of it."""
    while (draw := job.next_draw()) is not None:
        if not workers.room(job.task):
            return False
        workers.submit(draw)
        job.submitted()
    return True
