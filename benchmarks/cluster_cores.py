"""Monte-Carlo scores on real Ray actors of one core each: how much faster two of them are than one.

It needs Ray, and two cores that do nothing else; else only the CPU seconds, of draws and of the driver, say something.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from report import publish, table

from zen_cli import parse_plainnet
from zen_cli.metrics.cluster.connect import connect
from zen_cli.metrics.cluster.workers import Cluster
from zen_cli.metrics.records import ScoreRecord
from zen_cli.metrics.scoring import score_all
from zen_cli.metrics.settings import check_settings
from zen_cli.net.spec import ArchSpec

NETWORKS, DRAWS, ROUNDS = 120, 8, 2
SETTINGS = check_settings(draws=DRAWS, device="cpu")


def main() -> None:
    nets = [
        parse_plainnet(f"SuperConvK3BNRELU(3,32,2,1)SuperResK3K3(32,{64 + index},2,64,2)", resolution=64)
        for index in range(NETWORKS)
    ]
    seconds: dict[int, list[float]] = {1: [], 2: []}
    rows = []
    with connect("ray", "cpu", cores=1) as executor:
        crew = executor._crew
        room = crew._fleet.slots()
        wanted: list[ScoreRecord] = []
        for count in (1, 2):
            crew._fleet.slots = lambda count=count: dict.fromkeys(room, count)  # type: ignore[method-assign,misc]
            while len(crew.ready) < count:
                crew.step()
            warm(executor, nets)
            for number in range(ROUNDS):
                began, driver, actors = time.monotonic(), time.process_time(), actor_seconds()
                found = [row for row in score_all(nets, SETTINGS, executor=executor) if isinstance(row, ScoreRecord)]
                took = time.monotonic() - began
                driver, actors = time.process_time() - driver, actor_seconds() - actors
                wanted = wanted or found
                assert found == wanted
                seconds[count].append(took)
                each = f"{1000 * actors / len(found) / DRAWS:.1f} ms"
                rows.append([count, number + 1, f"{took:.2f} s", f"{actors:.1f} s", each, f"{driver / actors:.1%}"])
    gain = min(seconds[1]) / min(seconds[2])
    publish(
        "cluster_cores",
        f"Ray actors of one core each score {NETWORKS} networks with {DRAWS} draws, the same bytes in each round. Two "
        f"are {gain:.2f} times as fast as one, by the best rounds; load of the machine before: {LOAD:.1f}.",
        table(["workers", "round", "time", "CPU of actors", "CPU of a draw", "CPU of the driver beside"], rows),
    )


def warm(executor: Cluster, nets: Sequence[ArchSpec]) -> None:
    """Lets every actor begin and find out how long a draw takes."""
    for _ in score_all(nets[: NETWORKS // 4], SETTINGS, executor=executor):
        pass


def actor_seconds() -> float:
    """CPU seconds of the actors of this process until now."""
    processes = {pid: (parent, name, ticks) for pid, parent, name, ticks in _processes()}
    tick = os.sysconf("SC_CLK_TCK")
    return sum(
        ticks / tick
        for parent, name, ticks in processes.values()
        if name.startswith("ray::Actor") and processes.get(parent, (0, "", 0))[0] == os.getpid()
    )


def _processes() -> Iterator[tuple[int, int, str, int]]:
    """Number, parent, first word of the command line and CPU ticks of each process of this machine."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            name = (path / "cmdline").read_text().split("\0")[0]
            words = (path / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        yield int(path.name), int(words[1]), name, int(words[11]) + int(words[12])


LOAD = os.getloadavg()[0]

if __name__ == "__main__":
    main()
