"""The dual: prices for parameters and multiply-adds that make the bound as low as it gets.

At prices u = (u_p, u_m) >= 0, in nats for a whole budget, the dynamic program finds the greatest

    q(u) = max over paths x of  value(x) - u_p (params(x) / P - 1) - u_m (macs(x) / M - 1),

which is at least the value of every network within the budgets: there both brackets are at most zero. q is convex and
piecewise linear, and every path x gives a plane below it (Kelley's cutting planes). The next prices are where the
planes found so far are lowest within a box around the best prices; the box keeps early, wild steps short.
"""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import torch
from torch import Tensor

_PLANES = 40


class Plane(NamedTuple):
    """q(u) >= level + slope . u"""

    level: float
    slope: tuple[float, float]

    def at(self, prices: tuple[float, float]) -> float:
        """Its height at these prices."""
        return self.level + self.slope[0] * prices[0] + self.slope[1] * prices[1]


class Descent:
    """Box-step cutting planes in the plane of the two prices; ask, then tell.

    Args:
        start: prices to start from.
        free: which prices may differ from zero.
        radius: half the side of the box, in nats.
    """

    def __init__(self, start: tuple[float, float], free: tuple[bool, bool], radius: float) -> None:
        self.free = free
        self.radius = radius
        self.best = (start[0] * free[0], start[1] * free[1])
        self.value = float("inf")
        self.planes: list[Plane] = []
        self.model = -float("inf")

    @property
    def settled(self) -> bool:
        """Whether the planes prove that no prices do better by more than a thousandth of a nat."""
        return self.value - self.model < 1e-3

    def ask(self) -> tuple[float, float]:
        """The next prices to try."""
        if not self.planes:
            return self.best
        prices, self.model = self._lowest()
        return prices

    def tell(self, prices: tuple[float, float], value: float, plane: Plane) -> None:
        """What the dynamic program found at the prices."""
        if plane not in self.planes:
            self.planes.append(plane)
        if value < self.value:
            edge = any(abs(new - old) > 0.99 * self.radius for new, old in zip(prices, self.best, strict=True))
            self.radius *= 1.5 if edge else 1.0
            self.best, self.value = prices, value
        else:
            self.radius *= 0.6
        if len(self.planes) > _PLANES:  # the lowest at the best prices say least
            self.planes.sort(key=lambda one: one.at(self.best), reverse=True)
            self.planes = self.planes[: _PLANES * 3 // 4]

    def _lowest(self) -> tuple[tuple[float, float], float]:
        """Where the planes' upper envelope is lowest within the box, and how low: at one of its vertices."""
        box = [
            (max(0.0, best - self.radius), best + self.radius) if free else (0.0, 0.0)
            for best, free in zip(self.best, self.free, strict=True)
        ]
        planes = torch.tensor([[one.level, *one.slope] for one in self.planes], dtype=torch.float64)
        spots = torch.cat([_corners(box), _edges(planes, box), _meetings(planes)])
        low = torch.tensor([side[0] for side in box], dtype=torch.float64)
        high = torch.tensor([side[1] for side in box], dtype=torch.float64)
        spots = spots[torch.isfinite(spots).all(1) & (spots >= low - 1e-9).all(1) & (spots <= high + 1e-9).all(1)]
        spots = spots.clamp(low, high)
        heights = (planes[:, :1] + planes[:, 1:] @ spots.T).amax(0)
        index = int(heights.argmin())
        return (float(spots[index, 0]), float(spots[index, 1])), float(heights[index])


def _corners(box: list[tuple[float, float]]) -> Tensor:
    return torch.tensor([[x, y] for x in box[0] for y in box[1]], dtype=torch.float64)


def _edges(planes: Tensor, box: list[tuple[float, float]]) -> Tensor:
    """Where two planes meet above an edge of the box, [S, 2]."""
    rows = [torch.empty(0, 2, dtype=torch.float64)]
    if len(planes) > 1:
        one, other = _tuples(len(planes), 2)
        gap = planes[one] - planes[other]  # level + slope . u = 0
        for axis in (0, 1):
            for fixed in box[axis]:
                across = -(gap[:, 0] + gap[:, 1 + axis] * fixed) / gap[:, 2 - axis]
                pair = (torch.full_like(across, fixed), across)
                rows.append(torch.stack(pair if axis == 0 else pair[::-1], dim=1))
    return torch.cat(rows)


def _meetings(planes: Tensor) -> Tensor:
    """Where three planes meet, [S, 2]."""
    if len(planes) < 3:
        return torch.empty(0, 2, dtype=torch.float64)
    one, other, third = _tuples(len(planes), 3)
    left, right = planes[one] - planes[other], planes[one] - planes[third]
    det = left[:, 1] * right[:, 2] - left[:, 2] * right[:, 1]
    x = (left[:, 2] * right[:, 0] - right[:, 2] * left[:, 0]) / det
    y = (right[:, 1] * left[:, 0] - left[:, 1] * right[:, 0]) / det
    return torch.stack((x, y), dim=1)


def _tuples(count: int, size: int) -> Tensor:
    return torch.tensor(list(combinations(range(count), size))).T
