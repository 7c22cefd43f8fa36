"""Problems with evenness, division by division of the units among the stages: see `counts`.

A problem of N units is first made smaller: what lies in no network that is even enough is removed, down to single
widths where there are few enough. Then the division of the greatest bound gets prices and tangents of its own, which
lower the bounds of its neighbours too; until the greatest bound is that of a division that was tightened already, which
becomes a part of its own, to be cut further.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from .counts import Counts, bounds_by_counts, with_counts
from .program import ROUNDING, Program
from .reduce import solve_backward
from .relaxation import Point, Relaxation
from .tighten import Node, Tightener

MAX_SHARED = 2_000_000  # numbers of a table, for the cells of a whole problem to be split
ROUNDS = 12
ANY: Counts = ()  # all divisions
REACH = 0.15  # for `Bundle`, from the prices and tangents of a neighbour


@dataclass
class Divided:
    """A problem with the bounds of all divisions that may matter, and points that were good for some of them."""

    node: Node
    bounds: dict[Counts, float]
    points: dict[Counts, Point]

    @property
    def bound(self) -> float:
        """The greatest of the bounds."""
        return max(self.bounds.values(), default=-np.inf)

    def next(self) -> Counts:
        """The division to tighten next: that of the greatest bound and that farthest from all points, in turns."""
        bounds = self.bounds
        if len(self.points) % 2 == 0:
            return max(bounds, key=lambda counts: (bounds[counts], counts))
        near = {counts: min(_distance(counts, one) for one in self.points) for counts in bounds}
        return max(bounds, key=lambda counts: (near[counts], bounds[counts], counts))

    def start(self, counts: Counts) -> Point:
        """The point of the nearest division that was tightened, with tangents for these counts."""
        if not self.points:
            return self.node.point
        near = min(self.points, key=lambda one: (_distance(one, counts), one))
        point, even = self.points[near], sum(counts) / len(counts) / 3
        shares = ((new + even) / (old + even) for old, new in zip(near, counts, strict=True))
        return point._replace(tangents=tuple(t * share for t, share in zip(point.tangents, shares, strict=True)))


def _distance(one: Counts, other: Counts) -> int:
    return sum(abs(a - b) for a, b in zip(one, other, strict=True))


class Divider:
    """Divides problems, and bounds what they are divided into."""

    def __init__(self, tightener: Tightener) -> None:
        self._tightener = tightener

    def refine(self, node: Node, least: float) -> Node | Divided | None:
        """A whole problem in smaller cells, or divided if they are small; None if it holds nothing above `least`."""
        if node.evens is None:
            node.evens = self._keep_even(node)
            if not node.evens:
                return None
        self._tightener.tighten(node, ROUNDS, least)
        if node.bound <= least:
            return None
        if not node.graph.exact and node.graph.split_size <= MAX_SHARED:
            return replace(node, graph=node.graph.split(), reach=REACH)
        found = self._bound_all(node, least)
        bounds = {key: min(bound, node.bound) for key, bound in found.items() if ANY in node.evens or key in node.evens}
        return Divided(node, bounds, {}) if bounds else None

    def take(self, divided: Divided, least: float) -> Node | None:
        """Takes out a division, and lowers the bounds of others; None if it holds nothing above `least`."""
        counts = divided.next()
        start = divided.start(counts)
        divided.points[counts] = start
        self._lower(divided, start, least)
        if counts not in divided.bounds:
            return None
        whole = divided.node
        graph = with_counts(whole.problem, whole.graph, counts)
        node = Node(whole.problem, graph, start, divided.bounds.pop(counts), reach=REACH)
        self._tightener.tighten(node, ROUNDS, least)
        divided.points[counts] = node.point
        if divided.bounds:
            self._lower(divided, node.point, least)
        return node if node.bound > least else None

    def _lower(self, divided: Divided, point: Point, least: float) -> None:
        """Lowers bounds by what a point proves."""
        found = self._bound_all(replace(divided.node, point=point), least, divided.bounds)
        divided.bounds = {key: min(bound, found[key]) for key, bound in divided.bounds.items() if key in found}

    def _keep_even(self, node: Node) -> frozenset[Counts]:
        """Removes what no network of the wanted evenness has; the divisions that have one.

        Without a floor of evenness nothing is removed, and these are `ANY`.
        """
        evenness = node.problem.evenness
        assert evenness is not None
        if evenness.floor is None:
            return frozenset([ANY])
        problem, floor = replace(node.problem, evenness=replace(evenness, floor=None)), evenness.floor - ROUNDING
        start, _ = Relaxation(problem).start()
        even = Node(problem, node.graph, start._replace(tangents=node.point.tangents), np.inf)
        while True:
            self._tightener.tighten(even, ROUNDS, floor, polishing=0)
            if even.bound <= floor:
                return frozenset()
            node.graph = even.graph
            if even.graph.exact or even.graph.split_size > MAX_SHARED:
                return frozenset(self._bound_all(even, floor))
            even = replace(even, graph=even.graph.split(), reach=REACH)

    def _bound_all(self, node: Node, least: float, among: Collection[Counts] = ()) -> dict[Counts, float]:
        """The bounds of all divisions, or of these, at the point of a node, of those above `least`."""
        solution = self._tightener.solve(Program(node.problem, node.graph, self._tightener.tables), node)
        constant = Relaxation(node.problem).constant(node.point)
        _, leaving = solve_backward(solution)
        rows = bounds_by_counts(solution, leaving, least - constant, among)
        return {counts: value + constant for counts, value in rows.items()}
