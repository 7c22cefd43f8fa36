"""What a cluster can do, whichever kind it is."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from ...errors import RunError


class WorkerLostError(Exception):
    """A worker is gone: its process, its node, or the network to it. What it was doing can be done elsewhere."""


class Greeting(NamedTuple):
    """What a worker says of itself once it is ready: the versions that its numbers depend on, and where it is."""

    zen: str
    torch: str
    host: str


class Work(NamedTuple):
    """A batch for a worker.

    Attributes:
        token: names the metric and its settings; a worker keeps what it made for one.
        make: makes the engine of these, see `executors.Make`.
        draws: what to compute.
    """

    token: str
    make: Any
    draws: Sequence[Any]


class Done(NamedTuple):
    """What came of a batch: seconds of computing, and a score or an error for each draw, in order."""

    seconds: float
    scores: Sequence[float | RunError]


class Fleet(Protocol):
    """Nodes that can hold workers. Messages to one worker are worked on in order.

    Attributes:
        kind: of device that its workers compute on, `cpu` or `cuda`.
    """

    kind: str

    def slots(self) -> Mapping[str, int]:
        """How many workers each node that is there now can hold."""

    def start(self, node: str) -> Any:
        """Begins to start a worker on a node; gives a handle of it, at once."""

    def greet(self, worker: Any) -> Hashable:
        """Asks a worker for its `Greeting`; gives what to wait for."""

    def send(self, worker: Any, work: Work) -> Hashable:
        """Gives a worker a batch; gives what to wait for, which becomes a `Done`."""

    def wait(self, pending: Sequence[Hashable], timeout: float) -> Sequence[Hashable]:
        """Those that are over, at least one unless the time is up."""

    def result(self, pending: Any) -> Any:
        """What came of one that is over.

        Raises:
            WorkerLostError: its worker is gone.
            RunError: the worker cannot be used at all; says why.
        """

    def stop(self, worker: Any) -> None:
        """Ends a worker, if it is still there."""

    def close(self) -> None:
        """Lets go of the cluster."""


@dataclass(eq=False)
class Batch:
    """Draws that are sent together.

    Attributes:
        owner: whose they are.
        draws: what to compute.
        losses: workers that were lost while they computed it.
        sent: when it was sent last.
        is_copied: whether another worker has it as well, because the first one is late.
    """

    owner: Any
    draws: list[Any]
    losses: int = 0
    sent: float = 0.0
    is_copied: bool = False


@dataclass(eq=False)
class Member:
    """A worker of a crew: its handle, its node, and the batches that it has, the one in work first."""

    handle: Any
    node: str
    is_ready: bool = False
    batches: list[Batch] = field(default_factory=list)
