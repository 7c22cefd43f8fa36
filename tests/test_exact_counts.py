"""Units per stage, labels and the bundle method: the parts of the exact search that know evenness, each by its law."""

from __future__ import annotations

import math
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from exact_tools import members, tiny_space

from zen_cli.metrics.evenness import depth_term, network_evenness
from zen_cli.metrics.terms import score_spec
from zen_cli.nas.algorithms.exact.bundle import Bundle
from zen_cli.nas.algorithms.exact.counts import Counts, bounds_by_counts, with_counts
from zen_cli.nas.algorithms.exact.evenly import Evenly
from zen_cli.nas.algorithms.exact.graph import make_graph
from zen_cli.nas.algorithms.exact.paths import best_path
from zen_cli.nas.algorithms.exact.problem import Problem, read_problem
from zen_cli.nas.algorithms.exact.program import Program
from zen_cli.nas.algorithms.exact.reduce import solve_backward
from zen_cli.nas.algorithms.exact.relaxation import Point, Relaxation
from zen_cli.nas.limits import Limits
from zen_cli.nas.space import Genome, to_spec

UNITS, LEVELS = 4, 3
SPACE = tiny_space(
    "basic", strides=(2, 2), rules={"never_narrower": False}, kernels=[3], depth={"min": 1, "max": 2}, max_blocks=5
)
LIMITS = Limits(macs=120_000)


def problem_of(floor: float | None) -> Problem:
    """The problem of networks of `UNITS` units."""
    base = read_problem(SPACE, SPACE.seeds[0], LIMITS, convention="paper", norm="frobenius", alpha=0.01, is_even=True)
    return replace(base, evenness=Evenly(UNITS, LEVELS, floor, 1e3, 120_000.0))


def counts_of(genome: Genome) -> Counts:
    """Units of each stage."""
    rows = [0]
    for gene in genome[1:-1]:
        rows += [0] if gene.stride > 1 else []
        rows[-1] += gene.depth
    return tuple(rows)


@pytest.mark.parametrize("floor", [None, 9.0], ids=["even", "band"])
def test_one_program_bounds_every_division_of_the_units_as_a_program_of_its_own_does(floor: float | None) -> None:
    problem, random = problem_of(floor), Random(3)
    relaxation = Relaxation(problem)
    graph = make_graph(problem, 1.0, covering=True)
    assert graph.exact
    for _ in range(3):
        tangents = tuple(random.uniform(1e4, 6e4) for _ in range(LEVELS))
        point = Point((random.uniform(2, 9) if floor else 0.0, random.uniform(1, 9)), tangents)
        solution = Program(problem, graph).solve(relaxation.rates(point))
        bounds = bounds_by_counts(solution, solve_backward(solution)[1], -math.inf)
        assert max(bounds.values()) == pytest.approx(solution.value, abs=1e-8)
        assert {sum(counts) for counts in bounds} == {UNITS}
        for counts, bound in bounds.items():
            own = Program(problem, with_counts(problem, graph, counts)).solve(relaxation.rates(point))
            assert own.value == pytest.approx(bound, abs=1e-8)
            assert counts_of(best_path(own)) == counts
        least = solution.value - 0.5
        some = bounds_by_counts(solution, solve_backward(solution)[1], least)
        assert some.keys() == {counts for counts, bound in bounds.items() if bound > least + 1e-8}


def test_the_bound_of_a_division_holds_for_each_of_its_networks() -> None:
    floor = 9.0
    problem, seed = problem_of(floor), SPACE.seeds[0]
    relaxation, point = Relaxation(problem), Point((6.0, 4.0), (3e4, 3e4, 3e4))
    solution = Program(problem, make_graph(problem, 1.3, covering=True)).solve(relaxation.rates(point))
    bounds = bounds_by_counts(solution, solve_backward(solution)[1], -math.inf)
    checked = 0
    for genome in members(SPACE, UNITS):
        spec = to_spec(genome, seed)
        if sum(counts_of(genome)) != UNITS or spec.cost.macs > 120_000:
            continue
        if network_evenness(genome, 3, seed.resolution).value >= floor:
            assert score_spec(spec) <= bounds[counts_of(genome)] + relaxation.constant(point) + 1e-9
            checked += 1
    assert checked > 50


def test_coordinates_give_back_their_point_and_the_gradient_is_a_slope_of_the_bound() -> None:
    problem = problem_of(9.0)
    relaxation, point = Relaxation(problem), Point((6.0, 4.0), (2e4, 3e4, 5e4))
    spot = relaxation.coordinates(point)
    again = relaxation.point_at(spot)
    assert np.allclose([*again.prices, *again.tangents], [*point.prices, *point.tangents])
    program = Program(problem, make_graph(problem, 1.0, covering=True))

    def bound(coordinates: np.ndarray) -> tuple[float, Genome]:
        there = relaxation.point_at(tuple(coordinates.tolist()))
        solution = program.solve(relaxation.rates(there))
        return solution.value + relaxation.constant(there), best_path(solution)

    value, genome = bound(np.array(spot))
    found = network_evenness(genome, 3, SPACE.seeds[0].resolution)
    cost = to_spec(genome, SPACE.seeds[0]).cost
    slope = np.array(relaxation.gradient((cost.params, cost.macs, 0, 0), found, point))
    random = np.random.default_rng(5)
    for _ in range(50):  # convex: above each of its tangent planes
        other = np.array(spot) * random.uniform(0.5, 2.0, len(spot))
        assert bound(other)[0] >= value + float(slope @ (other - np.array(spot))) - 1e-9


def test_the_bundle_method_finds_the_lowest_point_of_a_polyhedron() -> None:
    random = np.random.default_rng(2)
    for _ in range(5):
        slopes = random.normal(size=(30, 5))
        centre = random.uniform(0.7, 1.5, 5)
        slopes = np.concatenate([slopes, -slopes])  # lowest at the centre, where all planes meet
        bundle = Bundle((1.0,) * 5, 0.3, 1e-4)
        for _ in range(80):
            spot = np.array(bundle.ask())
            if bundle.settled:
                break
            heights = slopes @ (spot - centre)
            assert heights.max() >= 0
            bundle.tell(tuple(spot.tolist()), float(heights.max()), slopes[heights.argmax()].tolist())
        assert bundle.value < 0.02
        assert np.allclose(bundle.point, centre, atol=0.05)


def test_the_depth_term_changes_within_its_slopes() -> None:
    random = Random(4)
    jumps = 0
    for _ in range(300):
        units, least = random.randint(4, 40), 10 ** random.uniform(6.5, 9)
        most = least * random.uniform(1, 3)
        slopes = Evenly(units, LEVELS, None, least, most).depth_slopes
        if slopes is None:
            jumps += 1
            continue
        one, other = sorted(random.uniform(least, most) for _ in range(2))
        change = -0.5 * (depth_term(units, other) - depth_term(units, one))
        assert slopes[0] * (other - one) - 1e-12 <= change <= slopes[1] * (other - one) + 1e-12
    assert 0 < jumps < 100
