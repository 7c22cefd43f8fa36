"""Prices as a relaxation: limits leave the problem and come back as prices, so that the rest is a sum over blocks.

The first price is that of milliseconds, weights or parameters, the second that of MACs. A floor of evenness takes the
first one, and what has it otherwise gets a third. More limits are left out, which can only raise the bound.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from ....metrics.evenness import Evenness
from .first_cost import Milliseconds
from .gains import Rates
from .prices import Prices
from .problem import Problem


class Point(NamedTuple):
    """Where a relaxation is solved: prices, and where evenness counts the tangents, MACs of each resolution."""

    prices: tuple[float, ...]
    tangents: tuple[float, ...] = ()


class Relaxation:
    """The relaxation of one problem."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        evenness = problem.evenness
        self._evenness = evenness
        self._has_floor = evenness is not None and evenness.floor is not None
        self.free = (self._has_floor or problem.most_params is not None, problem.limits.macs is not None)
        self._has_third = self._has_floor and problem.most_params is not None

    def start(self) -> tuple[Point, float]:
        """A point to start from, and how far from it the best prices may be."""
        evenness, (first, second) = self._evenness, self.free
        if evenness is None:
            layers = max(state.layers for state in self.problem.depths.states)
            return Point((0.1 * layers * first, 0.1 * layers * second)), 0.07 * layers
        tangents = (evenness.most_macs / evenness.levels,) * evenness.levels
        is_timed = isinstance(self.problem.first_cost, Milliseconds)  # then either limit may be the one that decides
        cost, macs = (0.5, 0.5) if is_timed else (0.05, 1.0)
        if not self._has_floor:
            return Point((cost * first, macs), tangents), 0.5
        price = float(evenness.units)
        prices = (price, macs * price * second, *[cost * price] * self._has_third)
        return Point(prices, tangents), 0.7 * price

    def rates(self, point: Point) -> Rates:
        """What a parameter, a multiply-add and evenness are worth at a point."""
        evenness, (price, cost, macs) = self._evenness, self._named(point.prices)
        each = cost / (self.problem.most_params or 1), macs / (self.problem.limits.macs or 1)
        if evenness is None:
            return Rates(*each)
        levels = tuple(price / (4 * evenness.levels * tangent) for tangent in point.tangents)
        return Rates(*each, 0.75 * price / evenness.units, levels)

    def constant(self, point: Point) -> float:
        """What the bound is beside the value of the best path."""
        price, cost, macs = self._named(point.prices)
        constant = 0.0 if self._evenness is None else price * self._evenness.constant(point.tangents)
        return cost + macs + constant

    def _named(self, prices: Sequence[float]) -> tuple[float, float, float]:
        """The prices of evenness, of the first cost and of MACs, each for a whole limit."""
        if self._has_floor:
            return prices[0], math.fsum(prices[2:]), prices[1]
        return 1.0, prices[0], prices[1]

    def coordinates(self, point: Point) -> tuple[float, ...]:
        """A point as numbers in which the bound is convex: all prices, and what a multiply-add at each level is worth.

        In nats for as many as the limit; only where evenness counts.
        """
        scale = self._level_scale(point.prices)
        return *point.prices, *(scale / tangent for tangent in point.tangents)

    def point_at(self, coordinates: Sequence[float]) -> Point:
        """The inverse of `coordinates`."""
        count = 2 + self._has_third
        prices, worths = tuple(coordinates[:count]), coordinates[count:]
        scale = self._level_scale(prices)
        return Point(prices, tuple(scale / worth for worth in worths))

    def _level_scale(self, prices: Sequence[float]) -> float:
        evenness = self._evenness
        assert evenness is not None
        return self._named(prices)[0] * evenness.most_macs / (4 * evenness.levels)

    def gradient(self, usage: Sequence[float], found: Evenness, point: Point) -> tuple[float, ...]:
        """How the value of a network changes with the coordinates of a point."""
        evenness = self._evenness
        assert evenness is not None
        first, second = self.slope(usage, found, point.tangents)
        sides = list(zip(found.level_macs, point.tangents, strict=True))
        if self._has_floor:
            first += 0.25 - math.fsum(macs / tangent for (_, macs), tangent in sides) / (4 * evenness.levels)
        levels = ((macs - tangent) / evenness.most_macs for (_, macs), tangent in sides)
        third = (self._cost_slope(usage),) if self._has_third else ()
        return (first * self.free[0], second, *third, *levels)

    def slope(self, usage: Sequence[float], found: Evenness | None, tangents: Sequence[float]) -> Prices:
        """How the value of a network changes with both prices; negative where it breaks a limit."""
        macs = self.problem.limits.macs
        second = 0.0 if macs is None else 1 - usage[1] / macs
        if self._has_floor and self._evenness is not None and found is not None:
            return self._evenness.at(found, tangents), second
        return self._cost_slope(usage), second

    def _cost_slope(self, usage: Sequence[float]) -> float:
        most = self.problem.most_params
        return 0.0 if most is None else 1 - usage[0] / most
