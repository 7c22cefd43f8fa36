"""A cluster in virtual time: nodes that hold workers, which take as long as a draw says, and that can be lost."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from zen_cli.errors import RunError
from zen_cli.metrics.cluster.crew import own_versions
from zen_cli.metrics.cluster.fleet import Done, Greeting, Work, WorkerLostError


@dataclass(eq=False)
class FakeWorker:
    """A worker of a node, and when it has done what it was given."""

    node: str
    free_at: float
    is_lost: bool = False


@dataclass(eq=False)
class Message:
    """What a worker was asked, and when the answer is there."""

    worker: FakeWorker
    done_at: float
    answer: Any


@dataclass
class FakeFleet:
    """A `Fleet` whose time passes only while somebody waits for it.

    Attributes:
        nodes: the workers that each node can hold.
        seconds: that one draw takes on a node.
        score: of one draw.
        fatal: whether a draw ends the worker that computes it.
        events: what happens at which time.
        greeting: of every worker.
        start_s: until a worker is ready.
    """

    nodes: dict[str, int]
    score: Callable[[Any], float | RunError]
    seconds: Callable[[str], float] = lambda _: 0.1
    fatal: Callable[[Any], bool] = lambda _: False
    events: list[tuple[float, Callable[[FakeFleet], None]]] = field(default_factory=list)
    greeting: Greeting = field(default_factory=own_versions)
    start_s: float = 1.0
    kind: str = "cpu"
    now: float = 0.0
    computed: int = 0
    stopped: int = 0
    workers: list[FakeWorker] = field(default_factory=list)

    def clock(self) -> float:
        return self.now

    def slots(self) -> Mapping[str, int]:
        return dict(self.nodes)

    def start(self, node: str) -> FakeWorker:
        self.workers.append(FakeWorker(node, self.now + self.start_s, node not in self.nodes))
        return self.workers[-1]

    def greet(self, worker: FakeWorker) -> Hashable:
        return Message(worker, worker.free_at, self.greeting)

    def send(self, worker: FakeWorker, work: Work) -> Hashable:
        work = pickle.loads(pickle.dumps(work))
        self.computed += len(work.draws)
        seconds = self.seconds(worker.node) * len(work.draws)
        worker.free_at = max(self.now, worker.free_at) + seconds
        scores = [self.score(draw) for draw in work.draws]
        answer: Any = WorkerLostError("killed") if any(map(self.fatal, work.draws)) else Done(seconds, scores)
        return Message(worker, worker.free_at, answer)

    def wait(self, pending: Sequence[Any], timeout: float) -> Sequence[Any]:
        times = [self.now if message.worker.is_lost else message.done_at for message in pending]
        times += [self.now + timeout, *(when for when, _ in self.events)]
        self.now = max(self.now, min(times))
        for when, event in list(self.events):
            if when <= self.now:
                self.events.remove((when, event))
                event(self)
        return [message for message in pending if message.worker.is_lost or message.done_at <= self.now]

    def result(self, pending: Any) -> Any:
        if isinstance(pending.answer, WorkerLostError):
            pending.worker.is_lost = True
        if pending.worker.is_lost:
            raise WorkerLostError("killed")
        return pending.answer

    def stop(self, worker: FakeWorker) -> None:
        worker.is_lost = True
        self.stopped += 1

    def close(self) -> None:
        self.nodes.clear()

    def lose(self, node: str, *, known: bool = True) -> None:
        """A node is killed; with `known`, the cluster has noticed."""
        if known:
            self.nodes.pop(node, None)
        for worker in self.workers:
            worker.is_lost = worker.is_lost or worker.node == node
