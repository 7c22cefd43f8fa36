"""What the executor costs on real Ray actors: a scorer that sleeps, one worker and two, batches of half a second.

It needs Ray, and no free cores, because workers that sleep take none.
"""

from __future__ import annotations

import time
from typing import Any

from report import publish, table

from zen_cli import parse_plainnet
from zen_cli.metrics.cluster import workers as batching
from zen_cli.metrics.cluster.connect import connect
from zen_cli.metrics.monte_carlo.draws import Draw, KeyedChain
from zen_cli.metrics.monte_carlo.estimates import run
from zen_cli.metrics.monte_carlo.workers import DrawResult
from zen_cli.metrics.settings import check_settings

DRAW_SECONDS = 0.05
BATCH_SECONDS = 0.5
NETWORKS, DRAWS = 100, 4


class Sleeper:
    """The engine of a worker that sleeps for each draw."""

    look_ahead = 1

    def __init__(self, _: object) -> None:
        self._draws: list[Draw[Any]] = []

    def __enter__(self) -> Sleeper:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    @property
    def busy(self) -> bool:
        return bool(self._draws)

    def room(self, task: object) -> bool:
        return not self._draws

    def submit(self, draw: Draw[Any]) -> None:
        self._draws.append(draw)

    def wait(self) -> list[DrawResult[Any]]:
        time.sleep(DRAW_SECONDS)
        draws, self._draws = self._draws, []
        return [DrawResult(draw, 1.0) for draw in draws]


def main() -> None:
    batching.BATCH_SECONDS = BATCH_SECONDS
    spec = parse_plainnet("SuperConvK3BNRELU(3,16,2,1)SuperConvK3BNRELU(16,32,1,2)", resolution=32)
    nets, settings = [KeyedChain(spec.id, spec.chain, "net")] * NETWORKS, check_settings(draws=DRAWS)
    rows = []
    with connect("ray", "cpu", cores=1) as executor:
        crew = executor._crew
        room = crew._fleet.slots()
        for count in (1, 2):
            crew._fleet.slots = lambda count=count: dict.fromkeys(room, count)  # type: ignore[method-assign,misc]
            while len(crew.ready) < count:
                crew.step()
            with executor.workers(Sleeper) as workers:
                began = time.monotonic()
                done = sum(1 for _ in run(nets, workers, settings, advice=""))
                took = time.monotonic() - began
            ideal = done * DRAWS * DRAW_SECONDS / count
            rows.append([count, f"{took:.2f} s", f"{ideal:.2f} s", f"{took / ideal - 1:.1%}"])
    publish(
        "cluster_ray",
        f"Ray actors that sleep {DRAW_SECONDS} s for a draw, in batches of {BATCH_SECONDS} s, from first draw to last.",
        table(["workers", "time", "sleep alone", "overhead"], rows),
    )


if __name__ == "__main__":
    main()
