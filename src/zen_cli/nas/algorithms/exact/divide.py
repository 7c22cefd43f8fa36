"""Problems with evenness, division by division of the units among the stages: see `counts`.

A problem of N units is first made smaller: what lies in no network that is even enough is removed, down to single
widths where there are few enough. Then the division of the greatest bound gets prices and tangents of its own, which
lower the bounds of its neighbours too; until the greatest bound is that of a division that was tightened already, which
becomes a part of its own, to be cut further.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .counts import Counts, bounds_by_counts, with_counts
from .program import Program
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

    @property
    def worst(self) -> Counts:
        """The division with the greatest bound."""
        return max(self.bounds, key=lambda counts: (self.bounds[counts], counts))


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
        """Takes the division of the greatest bound out of a problem; None if it holds nothing above `least`."""
        counts = divided.worst
        whole = divided.node
        graph = with_counts(whole.problem, whole.graph, counts)
        node = Node(whole.problem, graph, _start(divided, counts), divided.bounds.pop(counts), reach=REACH)
        self._tightener.tighten(node, ROUNDS, least)
        divided.points[counts] = node.point
        if divided.bounds:
            found = self._bound_all(replace(whole, point=node.point), least)
            divided.bounds = {key: min(bound, found[key]) for key, bound in divided.bounds.items() if key in found}
        return node if node.bound > least else None

    def _keep_even(self, node: Node) -> frozenset[Counts]:
        """Removes what no network of the wanted evenness has; the divisions that have one.

        Without a floor of evenness nothing is removed, and these are `ANY`.
        """
        evenness = node.problem.evenness
        assert evenness is not None
        if evenness.floor is None:
            return frozenset([ANY])
        problem = replace(node.problem, evenness=replace(evenness, floor=None))
        even = Node(problem, node.graph, Point((0.0, 1.0), node.point.tangents), np.inf)
        while True:
            self._tightener.tighten(even, ROUNDS, evenness.floor, polishing=0)
            if even.bound <= evenness.floor:
                return frozenset()
            node.graph = even.graph
            if even.graph.exact or even.graph.split_size > MAX_SHARED:
                return frozenset(self._bound_all(even, evenness.floor))
            even = replace(even, graph=even.graph.split(), reach=REACH)

    def _bound_all(self, node: Node, least: float) -> dict[Counts, float]:
        """The bounds of all divisions at the point of a node, of those above `least`."""
        solution = self._tightener.solve(Program(node.problem, node.graph, self._tightener.tables), node)
        constant = Relaxation(node.problem).constant(node.point)
        _, leaving = solve_backward(solution)
        rows = bounds_by_counts(solution, leaving, least - constant)
        return {counts: value + constant for counts, value in rows.items()}


def _start(divided: Divided, counts: Counts) -> Point:
    """The point of the nearest division that was tightened, with tangents for these counts."""
    if not divided.points:
        return divided.node.point
    near = min(divided.points, key=lambda one: (sum(abs(a - b) for a, b in zip(one, counts, strict=True)), one))
    point, total = divided.points[near], sum(counts)
    shares = ((0.75 * new + 0.05 * total) / (0.75 * old + 0.05 * total) for old, new in zip(near, counts, strict=True))
    return point._replace(tangents=tuple(t * share for t, share in zip(point.tangents, shares, strict=True)))
