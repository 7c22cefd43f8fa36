"""Parts of a problem and their bounds: the prices and tangents that make a bound lowest, and the paths there."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...space import Genome
from .bundle import Bundle
from .graph import Graph
from .paths import best_path
from .polish import Found, Polisher
from .prices import Descent, Plane
from .problem import Problem
from .program import Program, Solution, TableCache
from .reduce import prune
from .relaxation import Point, Relaxation

FIXED_WORK = 400_000  # of a program, beside its numbers
TOLERANCE = 1e-4  # of a bound, where evenness counts: less descent is not worth a program


@dataclass
class Node:
    """A part of a problem: what is left of its graph, where to start, a bound, and how far the best prices may be.

    `radius` is in nats for `Descent`; where evenness counts `reach` is relative, for `Bundle`, and `is_whole` says that
    the units are not divided among the stages yet; `evens` are the divisions that can be even enough, where known.
    """

    problem: Problem
    graph: Graph
    point: Point
    bound: float
    radius: float = 1.0
    reach: float = 0.3
    is_whole: bool = False
    evens: frozenset[tuple[int, ...]] | None = None


class Stop(Exception):  # noqa: N818  # no error: the search is over
    """The search is over, for this reason."""


class Tightener:
    """Solves programs, counts them, and lowers the bounds of nodes.

    Args:
        polisher: remembers networks.
        deadline: called between steps; the search stops when it returns True.
        most_work: work after which to stop, in numbers computed; None for no end.

    Raises:
        Stop: from every method, when the search is over.
    """

    def __init__(
        self, polisher: Polisher, deadline: Callable[[], bool] | None = None, most_work: float | None = None
    ) -> None:
        self.polisher = polisher
        self.deadline = deadline
        self.most_work, self.work = most_work, 0
        self.iterations = 0
        self.tables = TableCache(self.check)
        self.tried: set[Genome] = set()

    def tighten(self, node: Node, rounds: int, least: float | None = None, polishing: int = 1) -> list[Genome]:
        """Better prices for a node, its bound, and the paths that make it; what cannot matter is removed.

        What is worth `least` or less does not matter: by default, what is not better than the best known network.
        So many of the paths are `polishing`.
        """
        program = Program(node.problem, node.graph, self.tables)
        genomes = self.descend(node, program, rounds, least)
        self.polish(genomes, polishing)
        least = self.polisher.best if least is None else least
        if node.bound > least:
            constant = Relaxation(node.problem).constant(node.point)
            pruned = prune(self.solve(program, node), least - constant)
            if pruned is None:
                node.bound = least
            else:
                node.graph = pruned
        return genomes

    def descend(self, node: Node, program: Program, rounds: int, least: float | None = None) -> list[Genome]:
        """The best point for a program, and the paths that meet there; those that exceed limits least come first."""
        if node.problem.evenness is not None:
            return self._descend_evenly(node, program, rounds, least)
        relaxation = Relaxation(node.problem)
        first, second = node.point.prices
        descent = Descent((first, second), relaxation.free, node.radius)
        genomes: dict[Plane, Found] = {}
        for _ in range(rounds):
            prices = descent.ask()
            if descent.settled:
                break
            point = Point(prices)
            solution = self.solve(program, node, point)
            value = solution.value + relaxation.constant(point)
            if not math.isfinite(value):  # no path is left
                descent.value = -math.inf
                break
            found = self.polisher.weigh(best_path(solution))
            plane = Plane.through(prices, value, relaxation.slope(found.usage, found.evenness, ()))
            genomes.setdefault(plane, found)
            descent.tell(prices, value, plane)
            if descent.value <= self.polisher.best:
                break
        if descent.value < node.bound:
            node.bound, node.point = descent.value, Point(descent.best)
        slack = max(0.02, 2 * (descent.value - descent.model)) if math.isfinite(descent.model) else math.inf
        near = [found for plane, found in genomes.items() if plane.at(descent.best) >= descent.value - slack]
        return [one.genome for one in sorted(near, key=lambda one: -one.merit)]

    def _descend_evenly(self, node: Node, program: Program, rounds: int, least: float | None) -> list[Genome]:
        """`descend` in the coordinates of prices and tangents."""
        relaxation = Relaxation(node.problem)
        bundle = Bundle(relaxation.coordinates(node.point), node.reach, TOLERANCE * max(1.0, abs(node.bound)))
        rows: list[tuple[float, Found]] = []
        for _ in range(rounds):
            spot = bundle.ask()
            if bundle.settled:
                break
            point = relaxation.point_at(spot)
            solution = self.solve(program, node, point)
            value = solution.value + relaxation.constant(point)
            if not math.isfinite(value):  # no path is left
                node.bound = -math.inf
                return []
            found = self.polisher.weigh(best_path(solution))
            assert found.evenness is not None
            bundle.tell(spot, value, relaxation.gradient(found.usage, found.evenness, point))
            rows.append((value, found))
            if value < node.bound:
                node.bound, node.point = value, point
            if value <= (self.polisher.best if least is None else least):
                break
        near = dict.fromkeys(found for _, found in sorted(rows, key=lambda row: row[0])[:6])
        return list(dict.fromkeys(one.genome for one in sorted(near, key=lambda one: -one.merit)))

    def solve(self, program: Program, node: Node, point: Point | None = None) -> Solution:
        """A program at a point, by default the best one of its node; counted."""
        self.check()
        self.count(0)
        self.iterations += 1
        self.work += FIXED_WORK + program.work
        return program.solve(Relaxation(node.problem).rates(point or node.point))

    def count(self, work: int) -> None:
        """Adds to the work; ends the search where there was too much before."""
        if self.most_work is not None and self.work >= self.most_work:
            raise Stop("work")
        self.work += work

    def check(self) -> None:
        """Ends the search at the deadline."""
        if self.deadline is not None and self.deadline():
            raise Stop("deadline")

    def polish(self, genomes: Sequence[Genome], count: int) -> None:
        """Local search from the first of these that were not tried yet."""
        for genome in [one for one in genomes if one not in self.tried][:count]:
            self.tried.add(genome)
            self.polisher.polish(genome)
