"""The lowest point of a convex function of a few positive numbers, by its values and slopes (proximal bundle method).

The function is a bound that holds at any prices, so that how its lowest point is looked for can only cost time. Every
point that was tried gives a plane below the function. The next point is where the highest of the planes, plus a
quadratic price on the distance from the best point, is lowest. Its dual is the least of a quadratic function over the
weights of the planes, which pairs of weights are moved towards until none is left that gains.

Source: Kiwiel, *Proximity control in bundle methods for convex nondifferentiable minimization* (1990).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .graph import Floats

MAX_PLANES = 24
SERIOUS = 0.1  # share of the expected descent for which the best point moves
LEAST = 0.2  # of a coordinate of the best point: steps go no further down
MAX_PAIRS = 300


class Bundle:
    """Ask for a point, tell its value and slope; coordinates are measured in units of the start.

    Args:
        start: positive numbers; where one is 0 it stays 0.
        reach: length of the first step, relative to the start.
        tolerance: expected descent at which the point is good enough.
    """

    def __init__(self, start: Sequence[float], reach: float, tolerance: float) -> None:
        self._unit: Floats = np.array(start, dtype=np.float64)
        self._reach, self._tolerance = reach, tolerance
        self._best: Floats = np.ones(len(start))
        self._levels: Floats = np.empty(0)
        self._slopes: Floats = np.empty((0, len(start)))
        self._weights: Floats = np.empty(0)
        self._step = 0.0
        self.value = math.inf
        self.expected = math.inf

    @property
    def point(self) -> tuple[float, ...]:
        """The best point."""
        return tuple((self._best * self._unit).tolist())

    @property
    def settled(self) -> bool:
        """Whether little descent is expected."""
        return self.expected < self._tolerance

    def ask(self) -> tuple[float, ...]:
        """The next point to try."""
        if not self._levels.size:
            return self.point
        heights = self._levels + _dot(self._slopes, self._best)
        self._solve(heights)
        move = (self._weights[:, None] * self._slopes).sum(axis=0)
        spot = np.maximum(self._best - self._step * move, LEAST * self._best)
        self.expected = self.value - float((self._levels + _dot(self._slopes, spot)).max())
        return tuple((spot * self._unit).tolist())

    def tell(self, point: Sequence[float], value: float, slope: Sequence[float]) -> None:
        """The value and the slope at a point."""
        with np.errstate(divide="ignore", invalid="ignore"):
            spot = np.where(self._unit > 0, np.array(point) / self._unit, 1.0)
        scaled = np.array(slope) * self._unit
        first = not self._levels.size
        self._forget()
        self._levels = np.append(self._levels, value - float((scaled * spot).sum()))
        self._slopes = np.concatenate([self._slopes, scaled[None]])
        self._weights = np.append(self._weights, 1.0 if first else 0.0)
        if first:
            self._step = self._reach / max(1e-12, math.sqrt(float((scaled * scaled).sum())))
        elif value < self.value - 0.5 * self.expected:
            self._step *= 2
        elif value >= self.value - SERIOUS * self.expected:
            self._step *= 0.7
        if value < self.value - (0.0 if first else SERIOUS * self.expected):
            self._best, self.value = spot, value

    def weight_of(self, index: int) -> float:
        """The weight of the plane of the last point but `index`, in what is expected."""
        return float(self._weights[-1 - index]) if index < self._weights.size else 0.0

    def _forget(self) -> None:
        """Leaves out planes without weight when there are too many."""
        if self._levels.size >= MAX_PLANES:
            kept = np.sort(np.argsort(self._weights, kind="stable")[MAX_PLANES // 4 :])
            self._levels, self._slopes, self._weights = self._levels[kept], self._slopes[kept], self._weights[kept]

    def _solve(self, heights: Floats) -> None:
        """The weights for which weights . heights - step / 2 |weights . slopes|^2 is greatest."""
        products = self._step * (self._slopes[:, None, :] * self._slopes[None]).sum(axis=2)
        weights = np.maximum(self._weights, 0.0)
        weights = weights / weights.sum() if weights.sum() > 0 else np.full(len(heights), 1 / len(heights))
        gains = heights - _dot(products, weights)
        for _ in range(MAX_PAIRS):
            up = int(gains.argmax())
            down = int(np.where(weights > 0, gains, math.inf).argmin())
            gain = float(gains[up] - gains[down])
            if gain < 0.1 * self._tolerance:
                break
            curve = float(products[up, up] + products[down, down] - 2 * products[up, down])
            moved = min(float(weights[down]), gain / curve) if curve > 1e-15 else float(weights[down])
            weights[up] += moved
            weights[down] = 0.0 if moved >= weights[down] else weights[down] - moved
            gains = gains - moved * (products[:, up] - products[:, down])
        self._weights = weights


def _dot(rows: Floats, vector: Floats) -> Floats:
    """Rows times a vector, without linear algebra that may use a second thread."""
    product: Floats = (rows * vector).sum(axis=1)
    return product
