"""How good the exact search is on the published problems. The figure of docs/exact.md is made by `exact_figure.py`.

    python benchmarks/exact.py            solve each published problem and each preset, print tables
    python benchmarks/exact.py --write    ... and write them to benchmarks/results/exact.md

Times are CPU seconds on one thread: of the search alone for the problems, of whole processes for the presets. Every
network is counted and scored again by functions that the solver has no part in.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import numpy as np

from zen_cli.formats.plainnet import parse_plainnet
from zen_cli.metrics.terms import score_spec
from zen_cli.nas.algorithms.exact.result import ExactResult
from zen_cli.nas.algorithms.exact.solve import solve
from zen_cli.nas.limits import Limits
from zen_cli.nas.presets import presets
from zen_cli.nas.space import BlockSpace, genome_of
from zen_cli.net.spec import ArchSpec

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "exact.md"

# Published networks of Zen-NAS (arXiv 2102.01063), as structure strings.
CIFAR_05M = (
    "SuperConvK3BNRELU(3,64,1,1)SuperResK1K5K1(64,168,1,16,3)SuperResK1K3K1(168,80,2,32,4)"
    "SuperResK1K5K1(80,112,2,16,3)SuperResK1K5K1(112,144,1,24,3)SuperResK1K3K1(144,32,2,40,1)"
    "SuperConvK1BNRELU(32,512,1,1)"
)
CIFAR_1M = (
    "SuperConvK3BNRELU(3,88,1,1)SuperResK1K7K1(88,120,1,16,1)SuperResK1K7K1(120,192,2,16,3)"
    "SuperResK1K5K1(192,224,1,24,4)SuperResK1K5K1(224,96,2,24,2)SuperResK1K3K1(96,168,2,40,3)"
    "SuperResK1K3K1(168,112,1,48,3)SuperConvK1BNRELU(112,512,1,1)"
)
IMAGENET_400M = (
    "SuperConvK3BNRELU(3,16,2,1)SuperResIDWE1K7(16,40,2,40,1)SuperResIDWE1K7(40,64,2,64,1)"
    "SuperResIDWE4K7(64,96,2,96,5)SuperResIDWE2K7(96,224,2,224,5)SuperConvK1BNRELU(224,2048,1,1)"
)
IMAGENET_600M = (
    "SuperConvK3BNRELU(3,24,2,1)SuperResIDWE1K7(24,48,2,48,1)SuperResIDWE2K7(48,72,2,72,1)"
    "SuperResIDWE6K7(72,96,2,88,5)SuperResIDWE4K7(96,192,2,168,5)SuperConvK1BNRELU(192,2048,1,1)"
)
IMAGENET_900M = (
    "SuperConvK3BNRELU(3,16,2,1)SuperResIDWE1K7(16,48,2,72,1)SuperResIDWE2K7(48,72,2,64,3)"
    "SuperResIDWE2K7(72,152,2,144,3)SuperResIDWE2K7(152,360,2,352,4)SuperResIDWE4K7(360,288,1,264,3)"
    "SuperConvK1BNRELU(288,2048,1,1)"
)


NOTE = """"CIFAR 2M" above has 18 sub-layers; the preset `cifar-2m` has 20, and 487M MACs. The presets as a user calls
them, by `zen search --preset NAME --norm NORM --algorithm exact --verify 0 --top 1`, which stops at a gap of 0.5%: CPU
seconds of the whole process, median."""


class Task(NamedTuple):
    """A published problem: the space, the images, the limits, and the published network (empty: none)."""

    name: str
    space: str
    resolution: int
    limits: Limits
    published: str

    def read_published(self) -> ArchSpec | None:
        """The published network."""
        classes = 100 if self.resolution == 32 else 1000
        return (
            parse_plainnet(self.published, resolution=self.resolution, num_classes=classes) if self.published else None
        )


TASKS = (
    Task("CIFAR 0.5M", "zennet-resnet", 32, Limits(params=550_000, macs=140_000_000, sublayers=16), CIFAR_05M),
    Task("CIFAR 1M", "zennet-resnet", 32, Limits(params=1_050_000, macs=160_000_000, sublayers=18), CIFAR_1M),
    Task("CIFAR 2M", "zennet-resnet", 32, Limits(params=2_000_000, sublayers=18), ""),
    Task(
        "ImageNet 400M", "zennet-mobile", 224, Limits(params=5_700_000, macs=400_300_000, sublayers=14), IMAGENET_400M
    ),
    Task(
        "ImageNet 600M", "zennet-mobile", 224, Limits(params=7_130_000, macs=600_000_000, sublayers=14), IMAGENET_600M
    ),
    Task(
        "ImageNet 900M", "zennet-mobile", 224, Limits(params=13_300_000, macs=910_000_000, sublayers=16), IMAGENET_900M
    ),
)


def built_in(name: str) -> BlockSpace:
    return BlockSpace.model_validate_json((files("zen_cli") / f"nas/space/builtin/{name}.json").read_text())


def run(
    space: BlockSpace, resolution: int, limits: Limits, norm: str, gap: float, seconds: float
) -> tuple[ExactResult, float]:
    """The result for a problem, checked by independent arithmetic, and its CPU seconds."""
    start = time.process_time()
    result = solve(
        space,
        space.seed(resolution),
        limits,
        norm=norm,
        gap=gap,
        top=1,
        deadline=lambda: time.process_time() - start > seconds,
    )
    taken = time.process_time() - start
    for spec, value in zip(result.networks, result.values, strict=True):
        exceeded = [name for name, limit in limits.items() if getattr(spec.cost, name) > limit]
        if exceeded or space.excludes(genome_of(spec), space.seed(spec.resolution)):
            raise SystemExit(f"{spec.id} is outside the space or the limits")
        if value != score_spec(spec, norm=norm) or value > result.bound + 1e-9:
            raise SystemExit(f"{spec.id}: the solver gives it another score than score_spec, or one above its bound")
    return result, taken


def table(gaps: list[float], seconds: float) -> list[str]:
    """A Markdown table of all published problems in both norms, one row for each gap at which to stop."""
    rows = [
        "| problem | norm | published | stop at gap | best found | bound | gap | CPU s | programs | ended |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    print("\n".join(rows))
    for task in TASKS:
        published = task.read_published()
        for norm in ("l1", "frobenius"):
            for gap in gaps:
                result, taken = run(built_in(task.space), task.resolution, task.limits, norm, gap, seconds)
                score = f"{score_spec(published, norm=norm):.2f}" if published else "-"
                rows.append(
                    f"| {task.name} | {norm} | {score} | {gap:.1%} | {result.values[0]:.3f} | {result.bound:.3f} "
                    f"| {result.gap:.3%} | {taken:.1f} | {result.iterations} | {result.stopped} |"
                )
                print(rows[-1], flush=True)
    return rows


def preset_table(repeats: int) -> list[str]:
    """A Markdown table of the presets as `zen search` solves them, with the median CPU seconds of whole processes."""
    rows = ["| preset | norm | best found | bound | gap | CPU s |", "|---|---|---|---|---|---|"]
    print("\n".join(rows))
    for name in presets():
        for norm in ("l1", "frobenius"):
            words = ["--preset", name, "--norm", norm, "--algorithm", "exact", "--verify", "0", "--top", "1"]
            taken, record = [], b""
            for _ in range(repeats):
                before = resource.getrusage(resource.RUSAGE_CHILDREN)
                command = [sys.executable, "-m", "zen_cli", "search", *words, "--quiet"]
                record = subprocess.run(command, capture_output=True, check=True).stdout
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
            found = json.loads(record)["search"]
            rows.append(
                f"| {name} | {norm} | {found['score']:.3f} | {found['bound']:.3f} | {found['gap']:.3%} "
                f"| {statistics.median(taken):.2f} |"
            )
            print(rows[-1], flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gap", type=float, nargs="+", default=[0.005, 0.0], help="relative gaps at which to stop")
    parser.add_argument("--repeats", type=int, default=5, help="processes for each preset; the median counts")
    parser.add_argument("--shared", action="store_true", help="say that other work runs on the machine")
    parser.add_argument("--seconds", type=float, default=60, help="CPU seconds for each problem")
    parser.add_argument("--write", action="store_true", help="write the tables to benchmarks/results/exact.md")
    options = parser.parse_args()
    processor = platform.processor() or platform.machine()
    cores = f"{os.cpu_count()} cores{' shared with other work' * options.shared}"
    machine = f"{processor}, {cores}, Python {platform.python_version()}, numpy {np.__version__}, one thread"
    print(machine)
    rows = [*table(options.gap, options.seconds), "", NOTE, "", *preset_table(options.repeats)]
    if options.write:
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        head = f"# The exact search on the published problems\n\n`python benchmarks/exact.py --write`, {machine}\n\n"
        RESULTS.write_text(head + "\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
