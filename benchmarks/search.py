"""`zen search` against the published algorithm: speed, quality over evaluations, and memory.

    python benchmarks/search.py --save               # speed and quality, a quarter of an hour on one core
    python benchmarks/search.py speed                # one of them
    python benchmarks/search.py memory --evaluations 10000000

Three things are compared in the same run:

- zen search: the whole process, start and answer included, `--verify 0`, one thread;
- published: one candidate at a time. A random member of the best 512 is mutated, the network built as a module, and
  scored by one draw of two forward passes; a candidate above a budget is thrown away, as published. Some dozens of
  iterations are timed and extrapolated: half a GPU day has no place in a benchmark.
- keep the best 512: the same rule for who survives, on our closed form, at our speed. What is left of the difference
  is the evolution.
"""

from __future__ import annotations

import argparse
import bisect
import os
import resource
import subprocess
import sys
import time
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")

from report import machine

from zen_cli.nas.answer import search
from zen_cli.nas.outcome import Callbacks
from zen_cli.nas.request import check_request
from zen_cli.nas.scorers import Evaluator
from zen_cli.nas.settings import SearchSettings
from zen_cli.nas.start import find_start

RESULTS = Path(__file__).parent / "results" / "search.md"
MARKS = (30_000, 120_000, 480_000)


class Problem(NamedTuple):
    """A published problem: options of `zen search`, the published network's score, and the proven optimum."""

    name: str
    options: dict[str, str | int]
    published: float
    optimum: float


PROBLEMS = (
    Problem(
        "CIFAR 1M",
        {"space": "zennet-resnet", "resolution": 32, "num_classes": 100, "max_params": "1.05M", "max_macs": "160M"}
        | {"max_sublayers": "18", "norm": "l1"},
        192.1,
        201.94,
    ),
    Problem(
        "ImageNet 400M",
        {"space": "zennet-mobile", "resolution": 224, "num_classes": 1000, "max_params": "5.7M", "max_macs": "400.3M"}
        | {"max_sublayers": "14", "norm": "l1"},
        144.5,
        147.49,
    ),
)


def settings_of(problem: Problem, evaluations: int, seed: int = 0) -> SearchSettings:
    options: dict[str, Any] = {**problem.options, "budget": (f"{evaluations}evals",), "verify": 0, "seed": seed}
    return check_request(dict(**options))


def time_zen(problem: Problem, evaluations: int) -> float:
    """Seconds on the clock of the whole process."""
    words = [word for key, value in problem.options.items() for word in ("--" + key.replace("_", "-"), str(value))]
    command = [sys.executable, "-m", "zen_cli", "search", *words, "--budget", f"{evaluations}evals"]
    began = time.perf_counter()
    subprocess.run([*command, "--verify", "0", "--quiet"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def time_published(problem: Problem, iterations: int) -> float:
    """Seconds an iteration of the published algorithm: mutate one of the best, build it, count it, score one draw."""
    import torch

    from zen_cli.net.module import build_chain

    torch.set_num_threads(1)
    torch.manual_seed(0)
    settings = settings_of(problem, 1)
    space, random = settings.space, Random(0)
    evaluator = Evaluator(space, settings.seed_network(), "paper")
    population = [(0.0, find_start(evaluator, settings.limits, lambda genome: space.neighbour(genome, random)))]
    side = settings.resolution

    def score(spec: Any) -> float:
        net = build_chain(spec.chain)
        with torch.no_grad():
            for module in net.modules():
                if isinstance(module, torch.nn.Conv2d):
                    torch.nn.init.normal_(module.weight)
            image = torch.randn(16, 3, side, side)
            first = net(image)
            second = net(image + settings.score.alpha * torch.randn_like(image))
            value = (first - second).abs().sum((1, 2, 3)).mean().log()
            for module in net.modules():
                if isinstance(module, torch.nn.BatchNorm2d) and module.running_var is not None:
                    value += module.running_var.mean().sqrt().log()
        return float(value)

    scored, began = 0, time.perf_counter()
    while scored < iterations:
        _, parent = population[int(random.random() * len(population))]
        genome = space.mutate(parent, random)
        spec = evaluator.spec(genome)
        total = spec.cost
        limits = settings.limits
        if any(
            most is not None and used > most for most, used in zip(limits[:2], (total.params, total.macs), strict=True)
        ):
            continue
        if limits.sublayers is not None and total.sublayers > limits.sublayers:
            continue
        bisect.insort(population, (score(spec), genome))
        del population[:-512]
        scored += 1
    return (time.perf_counter() - began) / iterations


def keep_the_best(problem: Problem, evaluations: int, seed: int) -> dict[int, float]:
    """The best score of keeping the best 512 and mutating a random one of them, on the closed form."""
    from zen_cli.nas.algorithms.proposer import Rating
    from zen_cli.nas.climb import make_scorer

    settings = settings_of(problem, evaluations, seed)
    space, random = settings.space, Random(seed)
    evaluator = Evaluator(space, settings.seed_network(), "paper")
    _, scorer = make_scorer(settings, evaluator)
    start = find_start(evaluator, settings.limits, lambda genome: space.neighbour(genome, random))
    (rating,), _ = scorer.rate([start], lambda: False)
    assert isinstance(rating, Rating)
    population = [(rating.score, start)]
    found = {}
    for count in range(1, evaluations + 1):
        genome = space.mutate(population[int(random.random() * len(population))][1], random)
        (row,), _ = scorer.rate([genome], lambda: False)
        if row is not None and (len(population) < 512 or row.score > population[0][0]):
            bisect.insort(population, (row.score, genome))
            del population[:-512]
        if count in MARKS:
            found[count] = population[-1][0]
    return found


def search_once(problem: Problem, evaluations: int, seed: int) -> dict[int, float]:
    """The best score at each mark: a search of n evaluations is the beginning of a longer one."""
    found: dict[int, float] = {}

    def look(snapshot: Any, _: Evaluator) -> None:
        for mark in MARKS:
            if snapshot.proposals <= mark:
                found[mark] = snapshot.best.score

    found[evaluations] = search(settings_of(problem, evaluations, seed), callbacks=Callbacks(look)).candidates[0].score
    return found


def speed(iterations: int) -> str:
    problem = PROBLEMS[0]
    seconds = time_zen(problem, MARKS[-1])
    each = time_published(problem, iterations)
    ratio = each * MARKS[-1] / seconds
    return (
        f"## Speed\n\n{problem.name}, 480,000 evaluations, one core, norm l1.\n\n"
        "| algorithm | seconds | evaluations a second |\n|---|---|---|\n"
        f"| zen search, the whole process, every proposal counted | {seconds:.1f} | {MARKS[-1] / seconds:,.0f} |\n"
        f"| published, {iterations} iterations timed and extrapolated, only scored candidates counted "
        f"| {each * MARKS[-1]:,.0f} | {1 / each:,.1f} |\n\n"
        f"Ratio: {ratio:,.0f}. An iteration of the published algorithm is a network within the budgets, scored; "
        "an evaluation of zen search is a proposal, whether it keeps the budgets or not.\n"
    )


def quality(seeds: int, workers: int) -> str:
    head = " | ".join(f"{mark // 1000}k" for mark in MARKS)
    text = (
        "## Quality\n\nThe best mean-field score (norm l1, alpha 0.01) after so many evaluations; nothing exceeds the "
        f"optimum, which is proven (docs/exact.md).\n\n| problem | algorithm | seed | {head} | published | optimum |\n"
        f"|---|---|---|{'---|' * len(MARKS)}---|---|\n"
    )
    tasks = [(problem, seed, True) for problem in PROBLEMS for seed in range(seeds)]
    tasks += [(problem, 0, False) for problem in PROBLEMS]
    with get_context("spawn").Pool(workers) as pool:
        for (problem, seed, ours), found in zip(tasks, pool.imap(_quality, tasks), strict=True):
            cells = " | ".join(f"{found[mark]:.2f}" for mark in MARKS)
            name = "zen search" if ours else "keep the best 512"
            row = f"| {problem.name} | {name} | {seed} | {cells} | {problem.published} | {problem.optimum} |"
            print(row, flush=True)
            text += row + "\n"
    return text


def _quality(task: tuple[Problem, int, bool]) -> dict[int, float]:
    problem, seed, ours = task
    return (search_once if ours else keep_the_best)(problem, MARKS[-1], seed)


def memory(evaluations: int) -> str:
    rows = []

    def look(snapshot: Any, _: Evaluator) -> None:
        nonlocal mark
        if snapshot.proposals >= mark:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            rows.append(f"| {snapshot.proposals:,} | {peak:.0f} |\n")
            print(rows[-1], end="", flush=True)
            mark = min(mark * 2, evaluations) if mark < evaluations else 2 * evaluations

    mark = evaluations // 8
    search(settings_of(PROBLEMS[0], evaluations), callbacks=Callbacks(look))
    return "## Memory\n\n| evaluations | peak of the process, MiB |\n|---|---|\n" + "".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="*", choices=["speed", "quality", "memory", []], help="(default: speed quality)")
    parser.add_argument("--iterations", type=int, default=40, help="of the published algorithm")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=1, help="searches at a time, for quality")
    parser.add_argument("--evaluations", type=int, default=1_000_000, help="for memory")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/search.md")
    options = parser.parse_args()
    parts = options.part or ["speed", "quality"]
    command = " ".join(["python benchmarks/search.py", *(word for word in sys.argv[1:] if word != "--save")])
    text = f"# zen search\n\n`{command}`, {machine()}\n"
    for part in parts:
        if part == "speed":
            text += "\n" + speed(options.iterations)
        elif part == "quality":
            text += "\n" + quality(options.seeds, options.workers)
        else:
            text += "\n" + memory(options.evaluations)
    print(text)
    if options.save:
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        RESULTS.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
