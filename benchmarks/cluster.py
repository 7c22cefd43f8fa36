"""How busy one driver keeps the workers of a cluster: a scorer that sleeps, in real time, with 64 and 512 workers.

The driver does what it does on a cluster (it makes batches, pickles them, looks after the workers and reads results);
what a batch costs on its way is that of the message queue of this process, and not that of a network.
"""

from __future__ import annotations

import heapq
import pickle
import random
import time
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from report import publish, random_spec, table

from zen_cli.metrics.cluster.crew import Crew, own_versions
from zen_cli.metrics.cluster.fleet import Done, Work
from zen_cli.metrics.cluster.workers import Cluster
from zen_cli.metrics.monte_carlo.draws import KeyedChain
from zen_cli.metrics.monte_carlo.estimates import run
from zen_cli.metrics.settings import check_settings

DRAW_SECONDS = 0.25
SECONDS = 20
DRAWS = 4


class Sleepers:
    """A fleet whose workers sleep; a message is over at the time that its worker has slept enough."""

    kind = "cpu"

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._free: dict[int, float] = {}
        self._ends: dict[int, tuple[float, Any]] = {}
        self._queue: list[tuple[float, int]] = []
        self._sent = 0
        self.busy = 0.0
        self.batches = 0

    def slots(self) -> Mapping[str, int]:
        return {f"node {index}": 8 for index in range(self._workers // 8)}

    def start(self, node: str) -> int:
        self._free[len(self._free)] = time.monotonic()
        return len(self._free) - 1

    def greet(self, worker: int) -> Hashable:
        return self._message(time.monotonic(), own_versions())

    def send(self, worker: int, work: Work) -> Hashable:
        count = len(pickle.loads(pickle.dumps(work)).draws)
        end = max(time.monotonic(), self._free[worker]) + count * DRAW_SECONDS
        self._free[worker] = end
        self.busy += count * DRAW_SECONDS
        self.batches += 1
        return self._message(end, Done(count * DRAW_SECONDS, [1.0 + index for index in range(count)]))

    def wait(self, pending: Sequence[Hashable], timeout: float) -> Sequence[Hashable]:
        if self._queue:
            time.sleep(min(timeout, max(0.0, self._queue[0][0] - time.monotonic())))
        now, over = time.monotonic(), []
        while self._queue and self._queue[0][0] <= now:
            over.append(heapq.heappop(self._queue)[1])
        return over

    def result(self, pending: int) -> Any:
        return self._ends.pop(pending)[1]

    def stop(self, worker: int) -> None:
        pass

    def close(self) -> None:
        pass

    def _message(self, end: float, answer: Any) -> int:
        self._sent += 1
        self._ends[self._sent] = end, answer
        heapq.heappush(self._queue, (end, self._sent))
        return self._sent


def main() -> None:
    rng = random.Random(0)
    specs = [random_spec(rng, "bottleneck") for _ in range(64)]
    some = [KeyedChain(spec.id, spec.chain, "net") for spec in specs]
    rows = []
    for workers in (64, 512):
        sleepers = Sleepers(workers)
        count = round(workers * SECONDS / DRAW_SECONDS / DRAWS)
        nets = [some[index % len(some)] for index in range(count)]
        with Cluster(Crew(sleepers)) as executor, executor.workers(own_versions) as crew:  # type: ignore[arg-type]
            began, cpu = time.monotonic(), time.process_time()
            done = sum(1 for _ in run(nets, crew, check_settings(draws=DRAWS), advice=""))
            took, cpu = time.monotonic() - began, time.process_time() - cpu
        share = sleepers.busy / (workers * took)
        rows.append([workers, done, sleepers.batches, f"{took:.1f} s", f"{share:.1%}", f"{cpu / took:.0%}"])
    publish(
        "cluster",
        "One driver, and workers that sleep 0.25 s for a draw, in batches of a second: the share of the time that "
        "workers are busy, from the first draw to the last, and the share of one core that the driver takes.",
        table(["workers", "networks", "batches", "time", "workers busy", "driver"], rows),
    )


if __name__ == "__main__":
    main()
