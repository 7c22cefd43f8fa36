"""Names beside the points of a chart: each is written once, and none over another where there is room."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from zen_cli.report.labels import SIDES, _box, _pixels, sides_of

POINT = st.tuples(st.floats(1, 1e9), st.floats(-50, 300))


@given(st.lists(POINT, min_size=1, max_size=16), st.booleans())
def test_every_name_is_written_once(points: list[tuple[float, float]], is_log: bool) -> None:
    names = {index: f"network{index}" for index in range(0, len(points), 2)}
    found = sides_of(points, names, is_log=is_log, margin=44)
    assert set(found) == set(SIDES)
    assert sorted(index for places in found.values() for index in places) == sorted(names)


@given(st.floats(0, 1), st.floats(0, 1))
def test_two_names_are_readable_however_near_their_points_are(x: float, y: float) -> None:
    points = [(100.0, 10.0), (200.0, 90.0), (100 + 100 * x, 10 + 80 * y)]
    names = {0: "mobilenet_v2", 2: "semnasnet_100"}
    found = sides_of(points, names, is_log=False, margin=44)
    spots = _pixels(points, False, 44)
    boxes = [_box(spots[index], names[index], SIDES[side]) for side, places in found.items() for index in places]
    (one, other) = boxes
    assert one.overlap(other) <= 0.1 * one.overlap(one)


def test_a_name_keeps_inside_of_the_plot() -> None:
    points = [(0.0, 0.0), (10.0, 10.0)]
    found = sides_of(points, {0: "a long name of a network", 1: "another long name"}, is_log=False, margin=44)
    assert (found["right"], found["left"]) == ([0], [1])
