"""Fronts of score over MACs: the default algorithm and the evolution against the proven front, and NSGA-II of pymoo.

    python benchmarks/front.py                     # ten limits of two presets
    python benchmarks/front.py --nsga2             # and hypervolume; NSGA-II has ten times the CPU seconds

Proven is the front to a gap of 0.2%. NSGA-II gets the moves of the space as its mutation, members from random walks as
its first population of 100, no crossover, and the limits as a constraint. All run in one thread of this process, so
that their CPU seconds compare.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from random import Random
from typing import Any

import numpy as np

from zen_cli.metrics.terms import spec_terms
from zen_cli.nas.answer import search
from zen_cli.nas.climb import make_scorer
from zen_cli.nas.members import random_members
from zen_cli.nas.outcome import Outcome
from zen_cli.nas.pareto import hypervolume
from zen_cli.nas.request import check_request
from zen_cli.nas.scorers import Evaluator
from zen_cli.nas.settings import SearchSettings
from zen_cli.nas.space import genome_of

COST = "macs"
MORE = 10  # CPU seconds of NSGA-II for one of the evolution's


def settings_of(preset: str, **more: Any) -> SearchSettings:
    return check_request({"preset": preset, "front": COST, "verify": 0, **more})


def timed(settings: SearchSettings) -> tuple[Outcome, float]:
    began = time.process_time()
    outcome = search(settings)
    return outcome, time.process_time() - began


def points_of(outcome: Outcome) -> np.ndarray:
    """(score, MACs) of each network, [N, 2]."""
    return np.array([(row.score, spec_terms(row.spec).total.macs) for row in outcome.candidates])


def best_below(points: np.ndarray, limit: float) -> float:
    inside = points[points[:, 1] <= limit]
    return float(inside[:, 0].max()) if len(inside) else 0.0


def volume(points: np.ndarray, settings: SearchSettings) -> float:
    """Of what is beaten, in nats times natural logarithms of MACs below the limit."""
    corner = [0.0, np.log(settings.limits[COST])]
    return hypervolume(np.column_stack([-points[:, 0], np.log(points[:, 1])]), corner)


def ten_limits(preset: str, evaluations: str, seeds: Sequence[int]) -> None:
    exact, exact_s = timed(settings_of(preset, algorithm="exact", gap="0.2%"))
    searches: list[tuple[str, dict[str, Any]]] = [("auto", {})]
    searches += [(f"evolution, seed {seed}", {"budget": (evaluations,), "seed": seed}) for seed in seeds]
    for name, more in searches:
        found, seconds = timed(settings_of(preset, algorithm=name.partition(",")[0], **more))
        points = points_of(found)
        gaps = [1 - best_below(points, row.limits[COST]) / row.score for row in exact.candidates if row.limits]
        figures = f"{name} | {seconds:.1f} | {np.mean(gaps):.2%} | {max(gaps):.2%}"
        print(f"| {preset} | {len(gaps)} | {exact_s:.1f} | {figures} |", flush=True)


def nsga2(settings: SearchSettings, seconds: float, seed: int) -> np.ndarray:
    """(score, MACs) of the front that NSGA-II has after CPU seconds, [N, 2]."""
    from pymoo.algorithms.moo.nsga2 import NSGA2
    from pymoo.core.duplicate import ElementwiseDuplicateElimination
    from pymoo.core.mutation import Mutation
    from pymoo.core.problem import ElementwiseProblem
    from pymoo.core.sampling import Sampling
    from pymoo.operators.crossover.nox import NoCrossover

    evaluator = Evaluator(settings.space, settings.seed_network(), settings.score.convention)
    _, scorer = make_scorer(settings, evaluator)
    random = Random(seed)
    first = [genome_of(spec) for spec in random_members(settings, 100)]

    class Nas(ElementwiseProblem):
        def __init__(self) -> None:
            super().__init__(n_var=1, n_obj=2, n_ieq_constr=1)

        def _evaluate(self, x: Any, out: dict[str, Any], *_: Any, **__: Any) -> None:
            (rating,), _ = scorer.rate([x[0]], lambda: False)
            out["F"] = [0.0, 1e18] if rating is None else [-rating.score, rating.macs]
            out["G"] = [1.0 if rating is None else -1.0]

    class Walks(Sampling):
        def _do(self, problem: Any, n_samples: int, **_: Any) -> np.ndarray:
            rows = np.empty((n_samples, 1), dtype=object)
            for index in range(n_samples):
                rows[index, 0] = first[index]
            return rows

    class Move(Mutation):
        def _do(self, problem: Any, x: np.ndarray, **_: Any) -> np.ndarray:
            rows = np.empty_like(x)
            for index, genome in enumerate(x[:, 0]):
                rows[index, 0] = settings.space.neighbour(genome, random)
            return rows

    class Same(ElementwiseDuplicateElimination):
        def is_equal(self, a: Any, b: Any) -> bool:
            return bool(a.X[0] == b.X[0])

    algorithm = NSGA2(100, sampling=Walks(), crossover=NoCrossover(), mutation=Move(), eliminate_duplicates=Same())
    algorithm.setup(Nas(), seed=seed, verbose=False)
    end = time.process_time() + seconds
    while time.process_time() < end:
        algorithm.next()
    front = np.array(algorithm.opt.get("F"))
    return np.column_stack([-front[:, 0], front[:, 1]])


def against_nsga2(settings: SearchSettings, preset: str) -> None:
    found, seconds = timed(settings)
    mine, seed = points_of(found), settings.score.seed
    other = nsga2(settings, MORE * seconds, seed)
    ratio = volume(mine, settings) / volume(other, settings)
    best = f"{mine[:, 0].max():.2f} | {other[:, 0].max():.2f}"
    row = f"| {preset} | {settings.algorithm} | {seed} | {seconds:.1f} | {MORE * seconds:.1f} | {best} | {ratio:.3f} |"
    print(row, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", nargs="+", default=["imagenet-400m", "cifar-1m"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--budget", default="480kevals")
    parser.add_argument("--nsga2", action="store_true")
    parser.add_argument("--nsga2-budget", default="60kevals", help="of the evolution")
    words = parser.parse_args()
    print(f"| preset | limits | proven, s | algorithm | s | mean gap | worst gap |\n|{'---|' * 7}")
    for preset in words.presets:
        ten_limits(preset, words.budget, words.seeds)
    if words.nsga2:
        head = "| preset | algorithm | seed | s | NSGA-II, s | best | NSGA-II's | volume over NSGA-II's |"
        print(f"\n{head}\n|{'---|' * 8}")
        for preset in words.presets:
            against_nsga2(settings_of(preset, seed=words.seeds[0]), preset)
            for seed in words.seeds:
                more = {"algorithm": "evolution", "budget": (words.nsga2_budget,), "top": 100}
                against_nsga2(settings_of(preset, seed=seed, **more), preset)


if __name__ == "__main__":
    main()
