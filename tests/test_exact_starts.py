"""Networks that are even by construction: members of the space, and as even as they claim."""

from __future__ import annotations

import math

import pytest

from zen_cli.metrics.evenness import best_units, network_evenness, upper_bound
from zen_cli.nas.algorithms.exact.polish import Aim, Polisher
from zen_cli.nas.algorithms.exact.problem import Problem, read_problem
from zen_cli.nas.algorithms.exact.starts import SPREAD, even_networks, search_evenly
from zen_cli.nas.limits import Limits
from zen_cli.nas.shapes import shape_of
from zen_cli.nas.space import BlockSpace, load_space

PROBLEMS = [("mobile", 224, 300e6), ("mobile", 32, 84e6), ("resnet", 224, 4e9), ("mobile", 224, 40e6)]


def problem_of(name: str, resolution: int, macs: float) -> Problem:
    space = load_space(name)
    assert isinstance(space, BlockSpace)
    score = {"convention": "paper", "norm": "frobenius", "alpha": 0.01}
    return read_problem(space, space.seed(resolution), Limits(macs=macs), is_even=True, **score)  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "resolution", "macs"), PROBLEMS)
def test_they_are_members_of_many_shapes_and_about_as_deep_as_wanted(name: str, resolution: int, macs: float) -> None:
    problem = problem_of(name, resolution, macs)
    genomes = list(even_networks(problem, 24, None))
    assert genomes == list(even_networks(problem, 24, None))
    assert all(not problem.space.excludes(genome, problem.seed) for genome in genomes)
    assert len({shape_of(genome) for genome in genomes}) > 12
    found = [network_evenness(genome, 3, resolution) for genome in genomes]
    units = [each.residual_units for each in found]
    assert abs(sum(units) / len(units) - best_units(macs)) < SPREAD
    deep = [network_evenness(genome, 3, resolution) for genome in even_networks(problem, 24, 1.5 * best_units(macs))]
    assert sum(each.residual_units for each in deep) > sum(units)


@pytest.mark.parametrize(("name", "resolution", "macs"), [PROBLEMS[0], PROBLEMS[2]])
def test_their_units_are_even_and_from_them_a_local_search_is_near_the_free_bound(
    name: str, resolution: int, macs: float
) -> None:
    problem = problem_of(name, resolution, macs)
    genomes = list(even_networks(problem, 3, None))
    for genome in genomes:
        found = network_evenness(genome, 3, resolution)
        assert found.unit_deficit < 0.2
        assert abs(math.log(found.unit_macs / macs)) < 0.5
    polisher = Polisher(problem, Aim(None, 200))
    polisher.descend(genomes[0])
    assert polisher.best > upper_bound(macs, 5) - 0.1


def test_searches_from_their_ends_never_lose_the_best_and_are_the_same_each_time() -> None:
    problem = problem_of(*PROBLEMS[3])
    polishers = [Polisher(problem, Aim(None, 200)) for _ in range(3)]
    for polisher, count in zip(polishers, (1, 2, 2), strict=True):
        search_evenly(polisher, count)
    few, *many = (polisher.best for polisher in polishers)
    assert few <= many[0] == many[1]
    best = polishers[1].best_of_shapes(2)
    assert network_evenness(best[0], 3, 224).value == many[0]
    assert shape_of(best[0]) != shape_of(best[1])
