"""Where the names of points are written in a chart, so that they are read: beside their points, not over each other.

Vega-Lite draws each name where it is told and knows no collisions, so that sides are chosen here, for a plot of about
the size that it has on a small screen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

LETTER, LINE = 5.6, 12.0  # the size of a letter of a name in pixels
WIDTH, HEIGHT = 330.0, 260.0  # of the plot on a small screen
POINT = 5.0  # half the side of a point
COVERED, CUT = 100.0, 4.0  # what a pixel of a name over a name, and outside of the plot, counts beside one over a point


class Side(NamedTuple):
    """A side of a point: how the text is aligned to it, and the distance in pixels."""

    align: str
    dx: float
    dy: float


SIDES = {
    "above": Side("center", 0, -12),
    "right": Side("left", 9, 0),
    "below": Side("center", 0, 12),
    "left": Side("right", -9, 0),
}


class _Box(NamedTuple):
    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: _Box) -> float:
        """Pixels that both cover."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0.0, width) * max(0.0, height)


def sides_of(
    points: Sequence[tuple[float, float]], names: Mapping[int, str], *, is_log: bool, margin: float
) -> dict[str, list[int]]:
    """The points whose names are written on each side, by the side.

    Args:
        points: (x, y) of all points of the chart.
        names: of some of them, by their places in `points`.
        is_log: whether the scale of x is logarithmic.
        margin: between the points and both ends of the axis of x, in pixels.
    """
    spots = _pixels(points, is_log, margin)
    marks = [_Box(x - POINT, y - POINT, x + POINT, y + POINT) for x, y in spots]
    found: dict[str, list[int]] = {side: [] for side in SIDES}
    written: list[_Box] = []
    for index in sorted(names, key=lambda index: spots[index]):
        boxes = {side: _box(spots[index], names[index], SIDES[side]) for side in SIDES}
        best = min(SIDES, key=lambda side: _cost(boxes[side], written, marks))
        found[best].append(index)
        written.append(boxes[best])
    return found


def _pixels(points: Sequence[tuple[float, float]], is_log: bool, margin: float) -> list[tuple[float, float]]:
    """Where points are drawn, from the upper left corner of the plot."""
    across = [math.log(max(1.0, x)) if is_log else x for x, _ in points]
    up = [y for _, y in points]

    def share(value: float, values: Sequence[float]) -> float:
        low, high = min(values), max(values)
        return 0.5 if high <= low else (value - low) / (high - low)

    return [
        (margin + share(x, across) * (WIDTH - 2 * margin), 10 + (1 - share(y, up)) * (HEIGHT - 20))
        for x, y in zip(across, up, strict=True)
    ]


def _box(spot: tuple[float, float], name: str, side: Side) -> _Box:
    width = LETTER * len(name)
    left = spot[0] + side.dx - {"center": width / 2, "left": 0.0, "right": width}[side.align]
    middle = spot[1] + side.dy
    return _Box(left, middle - LINE / 2, left + width, middle + LINE / 2)


def _cost(box: _Box, written: Sequence[_Box], marks: Sequence[_Box]) -> float:
    """How badly a name is read there."""
    inside = box.overlap(_Box(0, 0, WIDTH, HEIGHT))
    cut = (box.right - box.left) * (box.bottom - box.top) - inside
    return CUT * cut + COVERED * sum(map(box.overlap, written)) + sum(map(box.overlap, marks))
