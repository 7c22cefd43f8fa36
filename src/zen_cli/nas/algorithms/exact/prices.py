"""Prices: for parameters and multiply-adds, such that the bound is as low as it gets.

At prices u = (u_p, u_m) >= 0, in nats for a whole limit, the dynamic program finds the greatest

    q(u) = max over paths x of  value(x) - u_p (params(x) / P - 1) - u_m (macs(x) / M - 1),

which is at least the value of every network within the limits: there both brackets are at most zero. q is convex and
piecewise linear, and every path x gives a plane below it (Kelley's cutting planes). The next prices are where the
planes found so far are lowest within a box around the best prices; the box keeps early, wild steps short.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple, TypeAlias

import numpy as np

from .graph import Floats, Ints

Prices: TypeAlias = tuple[float, float]

MAX_PLANES = 40
GROWTH, SHRINKAGE = 1.5, 0.6


class Plane(NamedTuple):
    """q(u) >= level + slope . u"""

    level: float
    slope: Prices

    @classmethod
    def through(cls, prices: Prices, value: float, slope: Prices) -> Plane:
        """The plane of this slope and of this height at the prices."""
        return cls(value - slope[0] * prices[0] - slope[1] * prices[1], slope)

    def at(self, prices: Prices) -> float:
        """Its height at these prices."""
        return self.level + self.slope[0] * prices[0] + self.slope[1] * prices[1]


class Descent:
    """Box-step cutting planes in the plane of the two prices; ask, then tell.

    Args:
        start: prices to start from.
        free: which prices may differ from zero.
        radius: half the side of the box, in nats.
    """

    def __init__(self, start: Prices, free: tuple[bool, bool], radius: float) -> None:
        self.free = free
        self.radius = radius
        self.best = (start[0] * free[0], start[1] * free[1])
        self.value = math.inf
        self.planes: list[Plane] = []
        self.model = -math.inf

    @property
    def settled(self) -> bool:
        """Whether the planes prove that no prices do better by more than a thousandth of a nat."""
        return self.value - self.model < 1e-3

    def ask(self) -> Prices:
        """The next prices to try."""
        if not self.planes:
            return self.best
        prices, self.model = self._lowest()
        return prices

    def tell(self, prices: Prices, value: float, plane: Plane) -> None:
        """What the dynamic program found at the prices."""
        if plane not in self.planes:
            self.planes.append(plane)
        if value < self.value:
            edge = any(abs(new - old) > 0.99 * self.radius for new, old in zip(prices, self.best, strict=True))
            self.radius *= GROWTH if edge else 1.0
            self.best, self.value = prices, value
        else:
            self.radius *= SHRINKAGE
        if len(self.planes) > MAX_PLANES:  # the lowest at the best prices say least
            self.planes.sort(key=lambda one: one.at(self.best), reverse=True)
            self.planes = self.planes[: MAX_PLANES * 3 // 4]

    def _lowest(self) -> tuple[Prices, float]:
        """Where the planes' upper envelope is lowest within the box, and how low: at one of its vertices."""
        box = [
            (max(0.0, best - self.radius), best + self.radius) if free else (0.0, 0.0)
            for best, free in zip(self.best, self.free, strict=True)
        ]
        low, high = np.array(box).T
        planes = np.array([[one.level, *one.slope] for one in self.planes])
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # parallel planes do not meet
            spots = np.concatenate([_corners(box), _edges(planes, box), _meetings(planes)])
        spots = spots[np.isfinite(spots).all(axis=1)]
        spots = spots[((spots >= low - 1e-9) & (spots <= high + 1e-9)).all(axis=1)].clip(low, high)
        heights = (planes[:, :1] + planes[:, 1:2] * spots[:, 0] + planes[:, 2:] * spots[:, 1]).max(axis=0)
        index = int(heights.argmin())
        return (float(spots[index, 0]), float(spots[index, 1])), float(heights[index])


def _corners(box: list[Prices]) -> Floats:
    return np.array([[x, y] for x in box[0] for y in box[1]])


def _edges(planes: Floats, box: list[Prices]) -> Floats:
    """Where two planes meet above an edge of the box, [S, 2]."""
    rows = []
    one, other = _tuples(len(planes), 2)
    gap = planes[one] - planes[other]  # level + slope . u = 0
    for axis in (0, 1):
        for fixed in box[axis]:
            across = -(gap[:, 0] + gap[:, 1 + axis] * fixed) / gap[:, 2 - axis]
            pair = (np.full_like(across, fixed), across)
            rows.append(np.stack(pair if axis == 0 else pair[::-1], axis=1))
    return np.concatenate(rows)


def _meetings(planes: Floats) -> Floats:
    """Where three planes meet, [S, 2]."""
    one, other, third = _tuples(len(planes), 3)
    left, right = planes[one] - planes[other], planes[one] - planes[third]
    det = left[:, 1] * right[:, 2] - left[:, 2] * right[:, 1]
    x = (left[:, 2] * right[:, 0] - right[:, 2] * left[:, 0]) / det
    y = (right[:, 1] * left[:, 0] - left[:, 1] * right[:, 0]) / det
    return np.stack((x, y), axis=1)


@lru_cache(maxsize=2 * MAX_PLANES)
def _tuples(count: int, size: int) -> Ints:
    """All sets of `size` of the numbers below `count`, one a column."""
    rows: Ints = np.array(list(combinations(range(count), size)), dtype=np.int64).reshape(-1, size).T
    return rows
