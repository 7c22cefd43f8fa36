"""How often a GPU would be asked for something, for one draw of each network of a population; needs no GPU.

    python benchmarks/engine_launches.py [--out FILE]

Counts operations of torch that compute (views do not; those of the loop that build a module do, on the host), and
launches of the engine's own kernels. On a GPU each costs some microseconds of the host, which for networks this small
is more than the arithmetic. Counted with one image a draw, because the number of images changes nothing. The second
table is the work that is left: multiply-adds, and memory moved if each map is written once and read once, or if it is
normalised in between.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import torch
from engine_loop import at_least, floor, network, new_file, obvious_loop, population, published, table, tiny
from torch.utils._python_dispatch import TorchDispatchMode

from zen_cli.metrics.monte_carlo import KeyedChain
from zen_cli.metrics.monte_carlo.dispatch import score_plain
from zen_cli.metrics.monte_carlo.draws import Draw
from zen_cli.metrics.monte_carlo.plan import MAX_DRAWS, make_plan
from zen_cli.metrics.settings import check_settings

CPU = torch.device("cpu")
VIEWS = {
    *("alias", "as_strided", "detach", "empty", "expand", "flatten", "lift_fresh", "mT", "new_empty", "permute"),
    *("reshape", "select", "slice", "split", "split_with_sizes", "squeeze", "t", "transpose", "unsqueeze", "view"),
    "_unsafe_view",
}


class Counter(TorchDispatchMode):
    """Counts operations that compute."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += function.overloadpacket.__name__ not in VIEWS
        return function(*args, **(kwargs or {}))


def counted(function: Callable[[], object]) -> int:
    with Counter() as counter:
        function()
    return counter.count


def rows(title: str, networks: list[KeyedChain], sizes: list[int]) -> list[list[str]]:
    """For some sizes of a population: launches a network by the loop, by plain torch and by the engine."""
    settings = check_settings(batch_size=1, draws=1, device="cpu")
    found = []
    for size in sizes:
        some = networks[:size]
        loop = counted(lambda: obvious_loop(some[0].chain, 1, CPU))  # noqa: B023
        plain = counted(lambda: score_plain([Draw(one, 0) for one in some], settings, "float32", CPU))  # noqa: B023
        start = time.perf_counter()
        parts = [some[first : first + MAX_DRAWS] for first in range(0, size, MAX_DRAWS)]
        plans = [make_plan([one.chain for one in part], settings.batch_size) for part in parts]
        tables = time.perf_counter() - start
        fused = 2 * size  # random numbers, and the perturbed copy of the images
        fused += sum(len(launches) + 1 for part in plans for launches in part.launches) + 2 * len(parts)
        cells = [f"{loop}", f"{plain / size:.0f}", f"{fused / size:.1f}", f"{1000 * tables / size:.2f} ms"]
        found.append([title, str(size), *cells])
    return found


def work_of(title: str, one: KeyedChain, batch: int) -> list[str]:
    """Multiply-adds of one draw, and memory that it moves at least and with maps normalised in between."""
    least, more = (floor(one.chain, batch, touches=touches) for touches in (1, 4))
    moved = (f"{work.bytes / 2**20:.0f} MiB" for work in (least, more))
    return [title, str(batch), f"{least.macs / 1e9:.1f}", *moved]


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=at_least(1), nargs="+", default=[1, 16, 64])
    parser.add_argument("--tiny", action="store_true", help="Small networks, to try the script itself.")
    parser.add_argument("--out", type=new_file)
    options = parser.parse_args(words)
    small, mobile = (tiny() if options.tiny else published()).values()
    slack, most = 3.0 if options.tiny else 0.1, max(options.sizes)
    found = []
    parents = [("near 1M parameters", small), ("near 400M", mobile)]
    for (title, parent), budget in zip(parents, ("params", "macs"), strict=True):
        networks = [network(spec) for spec in population(parent, most, budget, slack)]
        make_plan([one.chain for one in networks[:1]], 1)  # what the first call loads is not measured
        found += rows(title, networks, options.sizes)
    header = ["population", "networks", "loop", "plain torch", "engine", "tables of the engine"]
    work = [work_of(title, network(parent), batch) for title, parent in parents for batch in (16, 64)]
    text = "### Launches a network\n\n" + table(header, found) + "\n\n### Work of one draw\n\n"
    text += table(["population", "images", "G multiply-adds", "moved", "moved by plain torch"], work) + "\n"
    print(text, end="")
    if options.out is not None:
        options.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
