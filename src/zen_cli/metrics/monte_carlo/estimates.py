"""Networks -> draws -> workers -> estimates: which draw is made next, and when a network is done."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator

from ...devices import resolve_device
from ...errors import RunError, ScoreError
from ..settings import ScoreSettings
from .draws import Draw, Estimate, KeyedChain, draws_wanted, summarise
from .precision import resolve_mode
from .workers import Outcome, Workers, start_workers


def estimate(
    networks: Iterable[KeyedChain],
    settings: ScoreSettings,
    *,
    on_draw: Callable[[int], None] | None = None,
) -> Iterator[Estimate | RunError]:
    """Monte-Carlo Zen-scores, in the order of the networks.

    Args:
        networks: any number of networks; a few are read ahead (two a core on a CPU, up to 1024 for a GPU), so hand over
            what is at hand in a list rather than a stream that makes its reader wait.
        settings: convention, norm, alpha, batch size, draws or precision, seed, device, precision mode. With a
            precision, draws are made until the standard error is that small, see `draws_wanted`.
        on_draw: called with the number of draws that were finished, or that a failed network leaves out.

    Yields:
        One estimate a network, or the error of a network that has none: out of memory, not finite. Each depends on its
        network and the settings alone; on a CPU to the last bit.

    Raises:
        UsageError: the device does not exist, or does not have the precision mode.
    """
    device = resolve_device(settings.device)
    with start_workers(device, settings, resolve_mode(settings, device)) as workers:
        yield from run(iter(networks), workers, settings, on_draw)


class Job:
    """A network on its way to an estimate."""

    def __init__(self, network: KeyedChain, settings: ScoreSettings) -> None:
        self._network, self._settings = KeyedChain(*network), settings  # a copy, so that its id is this job's alone
        self._values: list[float] = []
        self._early: dict[int, float] = {}  # outcomes that came before an earlier draw's
        self._failed: tuple[int, RunError] | None = None
        self._next = 0
        self._outstanding = 0
        self._wanted = draws_wanted([], settings)

    @property
    def network(self) -> KeyedChain:
        """Whose job it is."""
        return self._network

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

    def next_draw(self) -> Draw | None:
        """The draw to make next, or None where there is none to make now."""
        if self._next >= self._wanted or self._failed is not None:
            return None
        return Draw(self._network, self._next)

    def submitted(self) -> None:
        """The draw that `next_draw` named is under way."""
        self._next += 1
        self._outstanding += 1

    def add(self, outcome: Outcome) -> None:
        """Takes the outcome of a draw; the first draw that failed names the error, whichever came back first."""
        self._outstanding -= 1
        number, result = outcome.draw.number, outcome.result
        if not isinstance(result, RunError) and not math.isfinite(result):
            message = f"{self._network.name}: a draw scored {result}; use a larger --alpha or --batch-size"
            result = ScoreError(message)
        if isinstance(result, RunError):
            if self._failed is None or number < self._failed[0]:
                self._failed = number, result
            return
        self._early[number] = result
        if self._outstanding == 0 and self._next == self._wanted and self._failed is None:
            self._values += [self._early[key] for key in sorted(self._early)]
            self._early.clear()
            more = draws_wanted(self._values, self._settings)
            self._wanted = len(self._values) + more if more else 0


def run(
    networks: Iterator[KeyedChain],
    workers: Workers,
    settings: ScoreSettings,
    on_draw: Callable[[int], None] | None = None,
) -> Iterator[Estimate | RunError]:
    """`estimate` with given workers."""
    jobs: deque[Job] = deque()
    by_network: dict[int, Job] = {}
    while True:
        while jobs and (result := jobs[0].result) is not None:
            job = jobs.popleft()
            by_network.pop(id(job.network))
            if on_draw is not None and job.skipped:
                on_draw(job.skipped)
            yield result
        _submit(networks, jobs, by_network, workers, settings)
        if not workers.busy:
            return
        outcomes = workers.wait()
        for outcome in outcomes:
            by_network[id(outcome.draw.network)].add(outcome)
        if on_draw is not None:
            on_draw(len(outcomes))


def _submit(
    networks: Iterator[KeyedChain],
    jobs: deque[Job],
    by_network: dict[int, Job],
    workers: Workers,
    settings: ScoreSettings,
) -> None:
    """Gives the workers all they have room for: draws of the oldest networks first, then of new ones."""
    if not all(_submit_job(job, workers) for job in jobs):
        return
    while len(jobs) < workers.look_ahead:
        network = next(networks, None)
        if network is None:
            return
        job = Job(network, settings)
        jobs.append(job)
        by_network[id(job.network)] = job
        if not _submit_job(job, workers):
            return


def _submit_job(job: Job, workers: Workers) -> bool:
    """Submits what a job has to make now; whether there was room for all of it."""
    while (draw := job.next_draw()) is not None:
        if not workers.room(job.network):
            return False
        workers.submit(draw)
        job.submitted()
    return True
