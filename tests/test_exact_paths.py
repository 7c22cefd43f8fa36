"""The parts of the exact search that know paths, compared with a list of all networks of a tiny space."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Iterator
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from exact_tools import admits, measure, members, tiny_space, value

from zen_cli.nas.algorithms.exact.depths import Depth
from zen_cli.nas.algorithms.exact.gains import Rates
from zen_cli.nas.algorithms.exact.graph import Graph, Slot, make_graph
from zen_cli.nas.algorithms.exact.paths import TooManyError, best_path, list_paths
from zen_cli.nas.algorithms.exact.polish import Found, Polisher
from zen_cli.nas.algorithms.exact.problem import Problem, read_problem
from zen_cli.nas.algorithms.exact.program import Program, Solution
from zen_cli.nas.algorithms.exact.reduce import cut, prune, traits
from zen_cli.nas.limits import Limits
from zen_cli.nas.space import Genome

MIXED = tiny_space("basic", "bottleneck", width={"min": 8, "max": 16}, kernels=[3])


def problem_of(limits: Limits, norm: str = "l1") -> Problem:
    return read_problem(MIXED, MIXED.seeds[0], limits, convention="paper", norm=norm, alpha=0.01)


@pytest.mark.parametrize("prices", [(0.0, 0.0), (2e-3, 0.0), (1e-3, 2e-5), (0.0, 1e-4)])
@pytest.mark.parametrize("norm", ["l1", "frobenius"])
def test_the_program_finds_the_best_of_all_networks_at_any_prices(prices: tuple[float, float], norm: str) -> None:
    problem = problem_of(Limits(params=1, sublayers=5), norm)
    best = max(priced(prices, norm).values())
    solution = Program(problem, make_graph(problem, 1.0, covering=True)).solve(Rates(*prices))
    assert solution.value == pytest.approx(best, abs=1e-9)
    assert priced(prices, norm)[best_path(solution)] == pytest.approx(best, abs=1e-9)
    assert Program(problem, make_graph(problem, 2.0, covering=True)).solve(Rates(*prices)).value >= best - 1e-9


def priced(prices: tuple[float, float], norm: str = "l1") -> dict[Genome, float]:
    """The values of all members of at most 3 sub-layers at prices."""
    rows = ((genome, measure(genome, MIXED.seeds[0], "paper")) for genome in members(MIXED, 3))
    return {genome: value(*row, norm) - prices[0] * row[0].params - prices[1] * row[0].macs for genome, row in rows}


def test_listing_finds_all_that_are_good_enough() -> None:
    problem, prices = problem_of(Limits(params=1, sublayers=5)), (1e-3, 1e-5)
    values = priced(prices)
    floor = sorted(values.values())[-150]
    expected = {genome for genome, one in values.items() if one >= floor - 1e-9}
    graph = make_graph(problem, 1.0, covering=True)
    solution = Program(problem, graph).solve(Rates(*prices))
    assert set(list_paths(solution, lambda: floor, 100_000)) == expected
    pruned = prune(solution, floor)
    assert pruned is not None
    assert set(list_paths(Program(problem, pruned).solve(Rates(*prices)), lambda: floor, 100_000)) == expected
    with pytest.raises(TooManyError):
        list(list_paths(solution, lambda: floor, 20))
    assert prune(solution, solution.value + 1) is None


def used(problem: Problem, genome: Genome) -> Iterator[Hashable]:
    """What a path uses of a graph."""
    yield "stem", genome[0].width
    yield "head", genome[-1].width
    stage, depth = 0, Depth(0, 0)
    for before, gene in pairwise(genome[:-1]):
        if gene.stride > 1:
            yield "exit", stage, depth, before.width
            stage += 1
        layers = problem.variants[problem.variant_of(gene)].layers
        depth = Depth(depth.sublayers + gene.sublayers, depth.layers + gene.sublayers * layers)
        slot, variant = Slot(stage, gene.stride > 1), problem.variant_of(gene)
        yield "width", stage, gene.width
        yield "mid", slot, variant, gene.mid
        yield "depth", slot, variant, gene.sublayers
    yield "exit", stage, depth, genome[-2].width


def held(problem: Problem, graph: Graph) -> Iterator[Hashable]:
    """What a graph of single widths has left."""
    yield from (("stem", width) for width in graph.stem.lo.tolist())
    yield from (("head", width) for width in graph.head.lo.tolist())
    for stage, cells in enumerate(graph.widths):
        yield from (("width", stage, width) for width in cells.lo.tolist())
    for (slot, variant), choice in graph.choices.items():
        yield from (("mid", slot, variant, mid) for mid in choice.mids.lo.tolist())
        yield from (("depth", slot, variant, problem.depths.steps[step]) for step in choice.steps)
    for stage, exits in enumerate(graph.exits):
        widths = graph.ins(stage).lo.tolist()
        yield from (("exit", stage, problem.depths.states[h], widths[i]) for h, i in np.argwhere(exits).tolist())


def test_pruning_removes_exactly_what_no_good_path_uses() -> None:
    problem, prices = problem_of(Limits(params=1, sublayers=5)), (1e-3, 1e-5)
    values, whole = priced(prices), make_graph(problem, 1.0, covering=True)
    some = next(
        genome for genome in values if genome[1].stride < genome[2].stride
    )  # may end its first stage at another width
    other = (some[0], some[1]._replace(width=24 - some[1].width), *some[2:])
    parts = [whole]
    for pair in ([min(values, key=len), max(values)], [some, other]):
        halves = cut(problem, whole, pair)
        assert halves is not None
        parts += halves
    for graph in parts:
        solution = Program(problem, graph).solve(Rates(*prices))
        best: dict[Hashable, float] = defaultdict(lambda: -math.inf)
        for genome in every_path(solution):
            for what in used(problem, genome):
                best[what] = max(best[what], values[genome])
        for floor in sorted(set(best.values())):
            kept, fewer = prune(solution, floor - 1e-10), prune(solution, floor + 1e-6)
            assert kept is not None
            assert set(held(problem, kept)) == {what for what, one in best.items() if one >= floor - 1e-8}
            left = set() if fewer is None else set(held(problem, fewer))
            assert left == {what for what, one in best.items() if one >= floor + 5e-7}


def test_a_cut_parts_every_network_from_some_and_loses_none() -> None:
    problem, prices = problem_of(Limits(params=1, sublayers=4)), (1e-3, 1e-5)
    graph = make_graph(problem, 1.0, covering=True)
    everything = every_path(Program(problem, graph).solve(Rates(*prices)))
    rng, values = Random(3), priced(prices)
    for _ in range(6):
        some = rng.sample(sorted(everything), 2)
        if traits(problem, some[0]) == traits(problem, some[1]):
            continue
        halves = cut(problem, graph, some)
        assert halves is not None
        parts = [every_path(Program(problem, one).solve(Rates(*prices))) for one in halves]
        assert parts[0] | parts[1] == everything
        assert not parts[0] & parts[1]
        assert parts[0] and parts[1]
        for half, part in zip(halves, parts, strict=True):
            floor = sorted(values[genome] for genome in part)[-20:][0]
            pruned = prune(Program(problem, half).solve(Rates(*prices)), floor)
            assert pruned is not None
            good = set(list_paths(Program(problem, pruned).solve(Rates(*prices)), lambda least=floor: least, 1_000))
            assert good == {genome for genome in part if values[genome] >= floor - 1e-9}


def every_path(solution: Solution) -> set[Genome]:
    return set(list_paths(solution, lambda: -1e9, 10_000_000))


def test_polishing_never_makes_worse_and_weighs_like_the_list() -> None:
    limits = Limits(params=4_000, macs=150_000, sublayers=5)
    problem, rng = problem_of(limits), Random(1)
    genomes = list(members(MIXED, 3))
    for genome in rng.sample(genomes, 5):
        polisher = Polisher(problem)
        start, end = polisher.weigh(genome), polisher.polish(genome)
        total, width, side = measure(genome, MIXED.seeds[0], "paper")
        assert start.usage == (total.params, total.macs, total.layers, total.sublayers)
        assert start.value == pytest.approx(value(total, width, side, "l1"), abs=1e-9)
        assert start.feasible == admits(limits, (total, width, side))
        assert end.merit >= start.merit
        for index in range(len(end.genome)):
            for gene in polisher.neighbours.others(end.genome[index], index == 0, index == len(end.genome) - 1):
                changed = (*end.genome[:index], gene, *end.genome[index + 1 :])
                assert polisher.weigh(changed).merit <= end.merit + 1e-9
        assert all(admits(limits, measure(one, MIXED.seeds[0], "paper")) for one in polisher.ranking())


def test_the_shortlist_has_the_best_of_all_pairs_of_moves() -> None:
    limits = Limits(params=4_000, macs=150_000, sublayers=5)
    polisher, rng = Polisher(problem_of(limits)), Random(2)
    effects = np.array([[rng.uniform(-3, 3), *(rng.randint(-900, 900) for _ in range(4))] for _ in range(60)])
    effects[0], starts, usage = 0, [1, 11, 12, 40, 60], (3_900, 149_000, 12, 5)
    block = np.searchsorted(starts, np.arange(60), side="right")
    merits = {}
    for one in range(60):
        for other in range(60):
            if block[one] < block[other]:
                merit = effects[one, 0] + effects[other, 0]
                for column, limit, extra in ((0, 4_000, 0), (1, 150_000, 0), (3, 5, 1)):
                    over = (usage[column] + effects[one, column + 1] + effects[other, column + 1]) / limit - 1
                    merit -= 400 * (over + extra) if over > 0 else 0
                merits[one, other] = merit
    found = polisher._shortlist(Found((), 0.0, 0.0, usage), effects, starts)
    assert found == sorted(merits, key=lambda pair: (-merits[pair], pair))[:48]
