"""How far the exact search proves the default problem: the best evenness E*, then the best score in the band below it.

    python benchmarks/band.py                        solve the small problems, print a table
    python benchmarks/band.py --all --seconds 120    ... and the large ones, each stage ended after so many CPU seconds
    python benchmarks/band.py --write                ... and write the table to benchmarks/results/band.md

Times are CPU seconds of one thread. Every network is counted and scored again by functions that the solver has no part
in.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from zen_cli.metrics.evenness import Evenness, network_evenness
from zen_cli.metrics.terms import score_spec
from zen_cli.nas.algorithms.exact.result import ExactResult
from zen_cli.nas.algorithms.exact.solve import solve
from zen_cli.nas.band import make_band
from zen_cli.nas.limits import Limits
from zen_cli.nas.space import BlockSpace

RESULTS = Path(__file__).parent / "results" / "band.md"
WIDTH = 0.05
EVENNESS_GAP = 1e-4
HEAD = "| problem | E* | bound | time | best score | bound | gap | time | units | at each resolution | largest share |"


class Task(NamedTuple):
    """A problem: a space, a limit on MACs, the gap to reach, and whether it takes minutes."""

    name: str
    space: BlockSpace
    macs: int
    gap: float = 0.0
    is_large: bool = False


def built_in(name: str) -> BlockSpace:
    return BlockSpace.model_validate_json((files("zen_cli") / f"nas/space/builtin/{name}.json").read_text())


def grouped() -> BlockSpace:
    """The space `resnet` with grouped bottlenecks only, as in RegNetX: 16 channels a group."""
    space = json.loads((files("zen_cli") / "nas/space/builtin/resnet.json").read_text())
    space |= {"name": "grouped", "ops": ["bottleneck"], "group_widths": [16], "width": {"min": 8, "max": 2048}}
    for seed in space["seeds"]:
        for block in seed["blocks"][1:-1]:
            block |= {"op": "bottleneck", "depth": 2, "width": 32, "mid_width": 32, "group_width": 16}
    return BlockSpace.model_validate(space)


TASKS = (
    *(Task(f"mobile {macs}M", built_in("mobile"), macs * 1_000_000) for macs in (40, 150, 300, 600)),
    Task("grouped 400M", grouped(), 400_000_000, 0.01, True),
    Task("resnet 4.1G", built_in("resnet"), 4_100_000_000, 0.01, True),
)


def run(task: Task, seconds: float) -> str:
    """A row of the table."""
    seed, limits = task.space.seed(224), Limits(macs=task.macs)

    def timed(**more: object) -> tuple[ExactResult, float]:
        start = time.process_time()
        result = solve(
            task.space,
            seed,
            limits,
            deadline=lambda: time.process_time() - start > seconds,
            **more,  # type: ignore[arg-type]
        )
        return result, time.process_time() - start

    evenest, first = timed(objective="even", gap=EVENNESS_GAP)
    even = evenness_of(evenest)
    band = make_band(even, WIDTH, limits, evenest.bound)
    best, second = timed(band=band, known=evenest.networks, gap=task.gap)
    found = evenness_of(best)
    value = score_spec(best.networks[0])
    assert found.value >= band.floor and best.networks[0].cost.macs <= task.macs
    assert abs(value - best.values[0]) < 1e-9
    share = max(share for _, share in found.shares)
    cells = [
        task.name,
        f"{even.value:.4f}",
        f"{evenest.bound:.4f}",
        f"{first:.1f} s",
        f"{value:.2f}",
        f"{best.bound:.2f}",
        f"{best.gap:.2%}",
        f"{second:.1f} s",
        f"{found.residual_units}",
        "/".join(str(count) for count in units(best)),
        f"{share:.0%}",
    ]
    return f"| {' | '.join(cells)} |"


def evenness_of(result: ExactResult) -> Evenness:
    spec = result.networks[0]
    return network_evenness(spec.genes, spec.in_channels, spec.resolution)


def units(result: ExactResult) -> list[int]:
    """Residual units at each resolution after the stem."""
    rows = [0]
    for gene in result.networks[0].genes[1:-1]:
        rows += [0] if gene.stride > 1 else []
        rows[-1] += gene.depth
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="large problems too")
    parser.add_argument("--only", default="", help="problems whose name has this in it")
    parser.add_argument("--seconds", type=float, default=120.0, help="CPU seconds of each stage")
    parser.add_argument("--write", action="store_true", help=f"write {RESULTS.name}")
    options = parser.parse_args()
    lines = [HEAD, "|-" * HEAD.count(" | ") + "|-|"]
    print("\n".join(lines), flush=True)
    for task in TASKS:
        if options.only in task.name and (options.all or options.only or not task.is_large):
            lines.append(run(task, options.seconds))
            print(lines[-1], flush=True)
    if options.write:
        where = (
            f"One thread, {platform.machine()}, Python {platform.python_version()}; "
            f"CPU seconds, of each stage at most {options.seconds:g}."
        )
        RESULTS.write_text("\n".join(["# The default problem, proven", "", where, "", *lines, ""]))


if __name__ == "__main__":
    main()
