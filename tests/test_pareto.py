"""Fronts as functions on arrays: against their definitions, computed one by one, and against pymoo where it is."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from zen_cli.nas.pareto import hypervolume, ladder, non_dominated, spread

# Small whole numbers, so that points are often equal in some column or all.
POINTS = st.tuples(st.integers(0, 40), st.integers(1, 4)).flatmap(
    lambda shape: arrays(float, shape, elements=st.integers(0, 6).map(float))
)


def beats(one: np.ndarray, other: np.ndarray) -> bool:
    return bool((one <= other).all() and (one < other).any())


@given(POINTS)
def test_what_no_point_beats_by_definition(points: np.ndarray) -> None:
    found = non_dominated(points)
    for index, point in enumerate(points):
        is_first = not any((earlier == point).all() for earlier in points[:index])
        assert found[index] == (is_first and not any(beats(other, point) for other in points))


def test_more_points_than_a_block() -> None:
    points = np.random.default_rng(0).random((700, 3))
    found = non_dominated(points)
    kept = points[found]
    assert all(not any(beats(other, point) for other in kept) for point in kept)
    assert all(any(beats(other, point) for other in kept) for point in points[~found])


@given(POINTS)
def test_the_volume_is_the_number_of_unit_cubes_that_are_beaten(points: np.ndarray) -> None:
    width, corner = points.shape[1], 5
    cubes = (np.array(cube) for cube in itertools.product(range(corner), repeat=width))
    count = sum(any((point <= cube).all() for point in points) for cube in cubes)
    assert hypervolume(points, [corner] * width) == count


@pytest.mark.parametrize("width", [2, 3])
def test_the_volume_is_that_of_pymoo(width: int) -> None:
    indicators = pytest.importorskip("pymoo.indicators.hv", reason="pymoo is not installed")
    points = np.random.default_rng(width).random((60, width))
    corner = np.full(width, 0.9)
    assert hypervolume(points, corner) == pytest.approx(indicators.HV(ref_point=corner)(points), rel=1e-12)


def test_no_points() -> None:
    assert non_dominated(np.empty((0, 2))).tolist() == []
    assert hypervolume(np.empty((0, 2)), [1, 1]) == 0
    assert hypervolume([[2.0, 0.0]], [1, 1]) == 0
    assert spread(np.empty((0, 1)), [], [[1.0]]) == []


def test_the_best_under_each_limit() -> None:
    costs, scores = [[5.0], [1.0], [3.0], [3.5]], [9.0, 1.0, 4.0, 4.0]
    assert spread(costs, scores, [[0.5], [1], [2], [3], [4], [5], [10]]) == [(1, 2), (2, 4), (0, 6)]
    assert spread([[1.0, 9.0], [9.0, 1.0]], [1.0, 2.0], [[9, 5], [5, 9], [9, 9]]) == [(1, 2), (0, 1)]


@given(st.floats(1, 1e6), st.floats(1.5, 100), st.integers(1, 40))
def test_a_ladder_of_one_cost_has_equal_ratios(low: float, factor: float, count: int) -> None:
    rows = ladder([low], [low * factor], count)[:, 0]
    assert rows[-1] == low * factor
    assert rows[0] == pytest.approx(low if count > 1 else low * factor)
    if count > 2:
        ratios = rows[1:] / rows[:-1]
        assert ratios == pytest.approx(np.full(count - 1, factor ** (1 / (count - 1))))


@pytest.mark.parametrize("width", [2, 3, 4])
def test_a_ladder_of_several_costs_fills_the_box(width: int) -> None:
    rows = ladder([1.0] * width, [10.0] * width, 1000)
    assert rows[-1].tolist() == [10.0] * width
    assert rows.min() >= 1
    assert rows.max() <= 10
    logs = np.log10(rows)
    for lows in itertools.product((0.0, 0.5), repeat=width):  # every half of each side has its share
        inside = ((logs >= lows) & (logs <= np.add(lows, 0.5))).all(axis=1).mean()
        assert inside == pytest.approx(0.5**width, rel=0.3)
    assert len(np.unique(rows, axis=0)) == 1000
