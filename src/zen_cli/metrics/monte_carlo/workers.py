"""Several CPU cores, or one GPU, as something that takes draws and gives scores back.

Both follow one protocol, so that the schedule in `estimates` knows neither: ask for `room`, `submit` draws, `wait` for
outcomes. A draw that ran out of memory beside others is tried again with half the company; alone, it is an error.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import NamedTuple, Protocol

import torch

from ...devices import is_out_of_memory, usable_cores
from ...errors import RunError
from ..settings import PrecisionMode, ScoreSettings
from .dispatch import score_together
from .draws import Draw, KeyedChain
from .memory import Memory
from .precision import dtype_of
from .single import score_draw

MAX_TOGETHER = 1024


class Outcome(NamedTuple):
    """A draw's score in nats, which need not be finite, or why there is none."""

    draw: Draw
    result: float | RunError


class Workers(Protocol):
    """Takes draws, gives outcomes back in any order.

    `look_ahead` is how many networks are worth having at hand.
    """

    look_ahead: int

    @property
    def busy(self) -> bool:
        """Whether outcomes are still to come."""

    def room(self, network: KeyedChain) -> bool:
        """Whether a draw of this network may be submitted now; always, where nothing is under way."""

    def submit(self, draw: Draw) -> None:
        """Takes a draw."""

    def wait(self) -> list[Outcome]:
        """At least one outcome of those to come."""

    def __enter__(self) -> Workers: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def start_workers(device: torch.device, settings: ScoreSettings, mode: PrecisionMode) -> Workers:
    """The workers that suit a device."""
    return Cores(settings, mode) if device.type == "cpu" else Together(device, settings, mode)


class Cores:
    """One draw on each core that torch may use, each with one thread of torch's own."""

    def __init__(self, settings: ScoreSettings, mode: PrecisionMode) -> None:
        self._settings, self._dtype = settings, dtype_of(mode)
        self._memory = Memory(torch.device("cpu"), settings, mode)
        self._slots = usable_cores()
        self.look_ahead = 2 * self._slots
        self._pool = _single_threads(self._slots)
        self._stop = threading.Event()
        self._running: dict[Future[float], Draw] = {}
        self._again: deque[Draw] = deque()
        self._refused: list[Outcome] = []
        self._budget = 0
        self._used = 0

    def __enter__(self) -> Cores:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    @property
    def busy(self) -> bool:
        return bool(self._running or self._again or self._refused)

    def room(self, network: KeyedChain) -> bool:
        if not self._running:
            return not self._again
        need = self._memory.need(network)
        return not self._again and len(self._running) < self._slots and self._used + need <= self._budget

    def submit(self, draw: Draw) -> None:
        if not self._running:
            self._budget = self._memory.budget()  # what is free is only known while nothing is under way
            self._used = 0
            refusal = self._memory.too_large(draw.network)
            if refusal is not None:
                self._refused.append(Outcome(draw, refusal))
                return
        self._used += self._memory.need(draw.network)
        future = self._pool.submit(score_draw, draw, self._settings, self._dtype, self._stop.is_set)
        self._running[future] = draw

    def wait(self) -> list[Outcome]:
        outcomes, self._refused = self._refused, []
        while not outcomes:
            while self._again and (not self._running or self._fits_again()):
                self.submit(self._again.popleft())
            alone = len(self._running) == 1
            done, _ = wait(self._running, return_when=FIRST_COMPLETED)
            for future in done:
                draw = self._running.pop(future)
                self._used -= self._memory.need(draw.network)
                result = self._result(future, draw, alone)
                if result is None:
                    self._again.append(draw)
                else:
                    outcomes.append(Outcome(draw, result))
            outcomes += self._refused
            self._refused = []
        return outcomes

    def _fits_again(self) -> bool:
        need = self._memory.need(self._again[0].network)
        return len(self._running) < self._slots and self._used + need <= self._budget

    def _result(self, future: Future[float], draw: Draw, alone: bool) -> float | RunError | None:
        """What came of a draw; None if it shall be tried again."""
        try:
            return future.result()
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            if alone:
                return self._memory.exhausted(draw.network)
            self._slots = max(1, self._slots // 2)
            self._memory.halve()
            self._budget //= 2
            return None


class Together:
    """Draws collected up to the memory's budget and run together, layer by layer."""

    def __init__(self, device: torch.device, settings: ScoreSettings, mode: PrecisionMode) -> None:
        self._device, self._settings, self._mode = device, settings, mode
        self._memory = Memory(device, settings, mode)
        self._draws: list[Draw] = []
        self._budget = 0
        self._used = 0
        self.look_ahead = MAX_TOGETHER

    def __enter__(self) -> Together:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._draws.clear()

    @property
    def busy(self) -> bool:
        return bool(self._draws)

    def room(self, network: KeyedChain) -> bool:
        if not self._draws:
            return True
        return len(self._draws) < MAX_TOGETHER and self._used + self._memory.need(network) <= self._budget

    def submit(self, draw: Draw) -> None:
        if not self._draws:
            self._budget, self._used = self._memory.budget(), 0
        self._draws.append(draw)
        self._used += self._memory.need(draw.network)

    def wait(self) -> list[Outcome]:
        draws, self._draws = self._draws, []
        if len(draws) == 1 and (refusal := self._memory.too_large(draws[0].network)) is not None:
            return [Outcome(draws[0], refusal)]
        return self._run(draws)

    def _run(self, draws: Sequence[Draw], part: bool = False) -> list[Outcome]:
        """Outcomes in order; in two halves, one after the other, where memory does not do for all.

        The budget is halved once for it, not again for parts.
        """
        try:
            scores = score_together(draws, self._settings, self._mode, self._device)
            return [Outcome(draw, score) for draw, score in zip(draws, scores, strict=True)]
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
        # behind the handler, where the frames that hold the tensors are gone
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        if len(draws) == 1:
            return [Outcome(draws[0], self._memory.exhausted(draws[0].network))]
        if not part:
            self._memory.halve()
        middle = len(draws) // 2
        return self._run(draws[:middle], part=True) + self._run(draws[middle:], part=True)


def _single_threads(count: int) -> ThreadPoolExecutor:
    """A pool whose threads each let torch use one thread, while the caller's own setting stays what it was."""
    before = torch.get_num_threads()
    ready = threading.Barrier(count + 1)
    pool = ThreadPoolExecutor(count, thread_name_prefix="zen-draw", initializer=_one_thread)
    for _ in range(count):
        pool.submit(ready.wait)
    ready.wait()
    torch.set_num_threads(before)
    return pool


def _one_thread() -> None:
    """Gives this thread of ours one of torch's.

    torch keeps the number by thread, but a thread takes over what was last set anywhere when it first computes or asks;
    asking here settles it.
    """
    torch.set_num_threads(1)
    torch.get_num_threads()
