"""What runs on a node of a cluster: the engine of that machine, which takes batches of draws and gives scores."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import Any

import torch

from ...errors import RunError
from ..monte_carlo.workers import Workers
from .crew import own_versions
from .fleet import Done, Greeting, Work

KEPT = 2  # engines: of the score and of a metric beside it


class Actor:
    """A worker on one device.

    Args:
        device: `cpu` or `cuda`; of the GPUs that the node has, only its own is visible.
        cores: of a CPU.
    """

    def __init__(self, device: str, cores: int) -> None:
        if device == "cpu":
            torch.set_num_threads(cores)
        self._device = torch.device("cuda", 0) if device == "cuda" else torch.device("cpu")
        self._engines: OrderedDict[str, Workers[Any]] = OrderedDict()

    def greet(self) -> Greeting:
        """Who this is."""
        return own_versions()

    def run(self, work: Work) -> Done:
        """The scores of a batch."""
        began = time.monotonic()
        engine, places = self._engine(work), dict[tuple[int, int], int]()
        found: list[float | RunError | None] = [None] * len(work.draws)

        def take() -> None:
            for result in engine.wait():
                found[places[result.draw.job, result.draw.number]] = result.score

        for index, draw in enumerate(work.draws):
            places[draw.job, draw.number] = index
            while not engine.room(draw.task):
                take()
            engine.submit(draw)
        while engine.busy:
            take()
        return Done(time.monotonic() - began, [score for score in found if score is not None])

    def _engine(self, work: Work) -> Workers[Any]:
        if work.token in self._engines:
            self._engines.move_to_end(work.token)
            return self._engines[work.token]
        while len(self._engines) >= KEPT:
            _, old = self._engines.popitem(last=False)
            old.__exit__(None, None, None)
        engine: Workers[Any] = work.make(self._device)
        engine.__enter__()
        self._engines[work.token] = engine
        return engine
