"""The workers of a run on a cluster: started where there is room, given work, replaced when they are lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable
from typing import Any

from ...errors import RunError
from ...version import zen_version
from .fleet import Batch, Done, Fleet, Greeting, Member, Work, WorkerLostError

POLL_SECONDS = 0.5
LOOK_SECONDS = 1.0  # between two looks at which nodes there are
ALONE_SECONDS = 60.0  # without any worker, before that is an error
LATE_SECONDS = 10.0  # after which a batch is given to an idle worker as well, if it is as many times its own time late
LATE_TIMES = 5.0
FAILED_STARTS = 3  # of workers on one node, before it is left alone
AHEAD = 2  # batches of a worker: one in work, one waiting


class Crew:
    """Workers on all nodes of a fleet, one after another as nodes come and go. A context manager.

    Args:
        fleet: the cluster.
        clock: seconds, for tests.
    """

    def __init__(self, fleet: Fleet, clock: Callable[[], float] = time.monotonic) -> None:
        self._fleet, self._clock = fleet, clock
        self._members: list[Member] = []
        self._pending: dict[Hashable, tuple[Member, Batch | None]] = {}
        self._failed: dict[str, int] = {}  # starts in a row that failed, by node
        self._fault = "no node has room for a worker"
        self._looked = -LOOK_SECONDS
        self._seen = clock()  # when there was a worker last
        self._began, self._draws = clock(), 0
        self.requeued = 0

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        for member in self._members:
            self._fleet.stop(member.handle)
        self._members.clear()
        self._pending.clear()
        self._fleet.close()

    @property
    def kind(self) -> str:
        """Of device."""
        return self._fleet.kind

    @property
    def ready(self) -> list[Member]:
        """The workers that can be given work, those with the least first."""
        return sorted((member for member in self._members if member.is_ready), key=lambda member: len(member.batches))

    @property
    def status(self) -> str:
        """What there is, in a few words."""
        count = len(self.ready)
        words = [f"{count} {self.kind} worker{'' if count == 1 else 's'}"]
        if waiting := len(self._members) - count:
            words.append(f"{waiting} starting")
        if self.requeued:
            words.append(f"{self.requeued:,} draws requeued")
        return ", ".join(words)

    def send(self, member: Member, batch: Batch, work: Work) -> None:
        """Gives a worker a batch."""
        batch.sent = self._clock()
        member.batches.append(batch)
        self._pending[self._fleet.send(member.handle, work)] = member, batch

    def late(self) -> Batch | None:
        """A batch that nobody else has, of a worker that has been at its first one for much longer than it should."""
        now = self._clock()
        for member in self._members:
            for first in member.batches[:1]:
                if now - first.sent > max(LATE_SECONDS, LATE_TIMES * first.owner.expected(first)):
                    waiting = (batch for batch in member.batches if not batch.is_copied)
                    if (found := next(waiting, None)) is not None:
                        return found
        return None

    def step(self, timeout: float = POLL_SECONDS) -> None:
        """Looks after the workers and hands what they computed to those that own it.

        Raises:
            RunError: no worker can be had, or one cannot be used.
        """
        self._look()
        for pending in self._fleet.wait(list(self._pending), timeout):
            if pending not in self._pending:  # its worker was lost meanwhile
                continue
            member, batch = self._pending.pop(pending)
            try:
                found = self._fleet.result(pending)
            except WorkerLostError as error:
                self._lose(member, batch, str(error))
                continue
            if batch is None:
                self._welcome(member, found)
            else:
                self._take(member, batch, found)

    def _welcome(self, member: Member, greeting: Greeting) -> None:
        mine = own_versions()
        if (greeting.zen, _public(greeting.torch)) != (mine.zen, _public(mine.torch)):
            raise RunError(
                f"workers: {greeting.host} has zen {greeting.zen} with torch {greeting.torch}, this machine zen "
                f"{mine.zen} with torch {mine.torch}; install the same on both, because scores may differ"
            )
        member.is_ready = True
        self._failed.pop(member.node, None)

    def _take(self, member: Member, batch: Batch, done: Done) -> None:
        member.batches.remove(batch)
        for other in member.batches[:1]:
            other.sent = self._clock()  # it begins now
        self._draws += len(batch.draws)
        batch.owner.receive(batch, done)

    def _look(self) -> None:
        """Starts workers on nodes that have room, and lets go of those on nodes that are gone."""
        now = self._clock()
        if self._members:
            self._seen = now
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        slots = self._fleet.slots()
        for member in [member for member in self._members if member.node not in slots]:
            self._lose(member, None, f"node {member.node[:8]} left")
        for node, count in slots.items():
            if self._failed.get(node, 0) >= FAILED_STARTS:
                continue
            for _ in range(count - sum(member.node == node for member in self._members)):
                member = Member(self._fleet.start(node), node)
                self._members.append(member)
                self._pending[self._fleet.greet(member.handle)] = member, None
        refused = slots and all(self._failed.get(node, 0) >= FAILED_STARTS for node in slots)
        if not self._members and (refused or now - self._seen > ALONE_SECONDS):
            raise RunError(f"workers: there is none left, {self._fault}; what was written is done and can be skipped")

    def _lose(self, member: Member, batch: Batch | None, fault: str) -> None:
        """Takes a lost worker out and gives its batches back; the one in work may be what ended it."""
        if member not in self._members:
            return
        self._members.remove(member)
        self._fleet.stop(member.handle)
        self._pending = {key: row for key, row in self._pending.items() if row[0] is not member}
        self._fault = fault
        if not member.is_ready:
            self._failed[member.node] = self._failed.get(member.node, 0) + 1
        for index, left in enumerate(member.batches):
            left.losses += index == 0
            self.requeued += left.owner.give_back(left)
        self._looked = -LOOK_SECONDS  # replace it at once


def own_versions() -> Greeting:
    """What a worker says of itself here."""
    import socket

    import torch

    return Greeting(zen_version(), str(torch.__version__), socket.gethostname())


def places(members: Iterable[Member]) -> int:
    """How many batches these workers can take."""
    return sum(max(0, AHEAD - len(member.batches)) for member in members)


def _public(torch_version: str) -> Any:
    return torch_version.split("+")[0]
