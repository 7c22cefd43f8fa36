"""Prices as a relaxation: limits leave the problem and come back as prices, so that the rest is a sum over blocks.

Two limits have prices: the second is that on MACs; the first is that on milliseconds, weights or parameters, or the
floor of evenness where there is one. A third limit is left out, which can only raise the bound.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from ....metrics.evenness import Evenness
from .gains import Rates
from .prices import Prices
from .problem import Problem


class Point(NamedTuple):
    """Where a relaxation is solved: prices, and where evenness counts the tangents, MACs of each resolution."""

    prices: Prices
    tangents: tuple[float, ...] = ()


class Relaxation:
    """The relaxation of one problem."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        evenness = problem.evenness
        self._evenness = evenness
        self._has_floor = evenness is not None and evenness.floor is not None
        self.free = (self._has_floor or problem.most_params is not None, problem.limits.macs is not None)

    def start(self) -> tuple[Point, float]:
        """A point to start from, and how far from it the best prices may be."""
        evenness, (first, second) = self._evenness, self.free
        if evenness is None:
            layers = max(state.layers for state in self.problem.depths.states)
            return Point((0.1 * layers * first, 0.1 * layers * second)), 0.07 * layers
        tangents = (evenness.most_macs / evenness.levels,) * evenness.levels
        if not self._has_floor:
            return Point((0.05 * first, 1.0), tangents), 0.5
        price = float(evenness.units)
        return Point((price, price * second), tangents), 0.7 * price

    def rates(self, point: Point) -> Rates:
        """What a parameter, a multiply-add and evenness are worth at a point."""
        most, (first, second), evenness = self.problem.most_params, point.prices, self._evenness
        macs = second / (self.problem.limits.macs or 1)
        if evenness is None:
            return Rates(first / (most or 1), macs)
        price = first if self._has_floor else 1.0
        levels = tuple(price / (4 * evenness.levels * tangent) for tangent in point.tangents)
        params = 0.0 if self._has_floor else first / (most or 1)
        return Rates(params, macs, 0.75 * price / evenness.units, levels)

    def constant(self, point: Point) -> float:
        """What the bound is beside the value of the best path."""
        first, second = point.prices
        if self._evenness is None:
            return math.fsum(point.prices)
        constant = self._evenness.constant(point.tangents)
        return second + (first * constant if self._has_floor else first + constant)

    def coordinates(self, point: Point) -> tuple[float, ...]:
        """A point as numbers in which the bound is convex: both prices, and what a multiply-add at each level is worth.

        In nats for as many as the limit; only where evenness counts.
        """
        scale = self._level_scale(point.prices)
        return *point.prices, *(scale / tangent for tangent in point.tangents)

    def point_at(self, coordinates: Sequence[float]) -> Point:
        """The inverse of `coordinates`."""
        prices = coordinates[0], coordinates[1]
        scale = self._level_scale(prices)
        return Point(prices, tuple(scale / worth for worth in coordinates[2:]))

    def _level_scale(self, prices: Prices) -> float:
        evenness = self._evenness
        assert evenness is not None
        return (prices[0] if self._has_floor else 1.0) * evenness.most_macs / (4 * evenness.levels)

    def gradient(self, usage: Sequence[float], found: Evenness, point: Point) -> tuple[float, ...]:
        """How the value of a network changes with the coordinates of a point."""
        evenness = self._evenness
        assert evenness is not None
        first, second = self.slope(usage, found, point.tangents)
        sides = list(zip(found.level_macs, point.tangents, strict=True))
        if self._has_floor:
            first += 0.25 - math.fsum(macs / tangent for (_, macs), tangent in sides) / (4 * evenness.levels)
        levels = ((macs - tangent) / evenness.most_macs for (_, macs), tangent in sides)
        return (first * self.free[0], second, *levels)

    def slope(self, usage: Sequence[float], found: Evenness | None, tangents: Sequence[float]) -> Prices:
        """How the value of a network changes with both prices; negative where it breaks a limit."""
        params, macs = self.problem.most_params, self.problem.limits.macs
        second = 0.0 if macs is None else 1 - usage[1] / macs
        if self._has_floor and self._evenness is not None and found is not None:
            return self._evenness.at(found, tangents), second
        return (0.0 if params is None else 1 - usage[0] / params), second
