"""Several GPUs of one machine as one: a worker each, in a thread of its own that mostly waits for its device."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from typing import Generic

from .draws import Draw, T
from .workers import DrawResult, Workers


class Several(Generic[T]):
    """Workers side by side. The draws of one network go to one of them while it has room, which shares their launches.

    A worker takes draws while it waits for none; then it computes them while the others are filled.

    Args:
        each: the workers, one a device.
    """

    def __init__(self, each: Sequence[Workers[T]]) -> None:
        self._each = tuple(each)
        self._stack = ExitStack()
        self._filled = [0] * len(self._each)  # draws that a worker took and has not begun
        self._last: tuple[int, int] | None = None  # the job of the last draw and the worker that got it
        self._running: dict[Future[list[DrawResult[T]]], int] = {}

    def __enter__(self) -> Several[T]:
        for worker in self._each:
            self._stack.enter_context(worker)
        self._pool = self._stack.enter_context(ThreadPoolExecutor(len(self._each), thread_name_prefix="zen-device"))
        self.look_ahead = sum(worker.look_ahead for worker in self._each)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def busy(self) -> bool:
        return bool(self._running) or any(worker.busy for worker in self._each)

    def room(self, task: T) -> bool:
        return self._free(task) is not None

    def submit(self, draw: Draw[T]) -> None:
        index = self._free(draw.task, draw.job)
        if index is None:  # nobody asked for room
            index = min(self._idle(), key=self._filled.__getitem__)
        self._each[index].submit(draw)
        self._filled[index] += 1
        self._last = draw.job, index

    def wait(self) -> list[DrawResult[T]]:
        for index in self._idle():
            if self._each[index].busy:
                self._running[self._pool.submit(self._each[index].wait)] = index
                self._filled[index] = 0
        done, _ = wait(self._running, return_when=FIRST_COMPLETED)
        results: list[DrawResult[T]] = []
        for future in done:
            del self._running[future]
            results += future.result()
        return results

    def _idle(self) -> list[int]:
        """The workers that compute nothing."""
        running = set(self._running.values())
        return [index for index in range(len(self._each)) if index not in running]

    def _free(self, task: T, job: int | None = None) -> int | None:
        """The worker that gets the next draw: that of the draw before of the same network, or the emptiest."""
        idle = [index for index in self._idle() if self._each[index].room(task)]
        if self._last is not None and self._last[0] == job and self._last[1] in idle:
            return self._last[1]
        return min(idle, key=self._filled.__getitem__, default=None)
