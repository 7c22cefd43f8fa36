"""Parts of a problem and their bounds: the prices and tangents that make a bound lowest, and the paths there."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...space import Genome
from .graph import Graph
from .paths import best_path
from .polish import Found, Polisher
from .prices import Descent, Plane
from .problem import Problem
from .program import Program, Solution, TableCache
from .reduce import prune
from .relaxation import Point, Relaxation, blend

FIXED_WORK = 400_000  # of a program, beside its numbers
TANGENT_STEPS = 6  # how often tangents follow the best paths
LEAST_STEP = 1e-4  # of the bound, in nats, for tangents to follow once more


@dataclass
class Node:
    """A part of a problem: what is left of its graph, where to start, a bound, and a radius for `Descent`."""

    problem: Problem
    graph: Graph
    point: Point
    bound: float
    radius: float = 1.0


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
        self.tables = TableCache()
        self.tried: set[Genome] = set()

    def tighten(self, node: Node, rounds: int) -> list[Genome]:
        """Better prices for a node, its bound, and the paths that make it; what cannot matter is removed."""
        program = Program(node.problem, node.graph, self.tables)
        genomes = self.descend(node, program, rounds)
        self.polish(genomes, 1)
        if node.bound > self.polisher.best:
            constant = Relaxation(node.problem).constant(node.point)
            pruned = prune(self.solve(program, node), self.polisher.best - constant)
            if pruned is None:
                node.bound = self.polisher.best
            else:
                node.graph = pruned
        return genomes

    def descend(self, node: Node, program: Program, rounds: int) -> list[Genome]:
        """The best point for a program, and the paths that meet there; those that exceed limits least come first.

        Where evenness counts, tangents follow the best paths as long as that lowers the bound.
        """
        lowest, genomes = self._descend_prices(node, program, node.point.tangents, rounds)
        latest = genomes
        for _ in range(TANGENT_STEPS if node.point.tangents else 0):
            if not genomes or lowest <= self.polisher.best:
                break
            rows = [found.evenness for found in map(self.polisher.weigh, latest) if found.evenness is not None]
            value, others = self._descend_prices(node, program, blend(rows), max(3, rounds // 3))
            latest = others or latest
            genomes = list(dict.fromkeys((*others, *genomes)))
            if value > lowest - LEAST_STEP:
                break
            lowest = value
        return genomes

    def _descend_prices(
        self, node: Node, program: Program, tangents: tuple[float, ...], rounds: int
    ) -> tuple[float, list[Genome]]:
        """The lowest bound at these tangents, and the paths that meet there; the node keeps its best point."""
        relaxation = Relaxation(node.problem)
        descent = Descent(node.point.prices, relaxation.free, node.radius)
        genomes: dict[Plane, Found] = {}
        for _ in range(rounds):
            prices = descent.ask()
            if descent.settled:
                break
            point = Point(prices, tangents)
            solution = self.solve(program, node, point)
            value = solution.value + relaxation.constant(point)
            if not math.isfinite(value):  # no path is left
                descent.value = -math.inf
                break
            found = self.polisher.weigh(best_path(solution))
            plane = Plane.through(prices, value, relaxation.slope(found.usage, found.evenness, tangents))
            genomes.setdefault(plane, found)
            descent.tell(prices, value, plane)
            if descent.value <= self.polisher.best:
                break
        if descent.value < node.bound:
            node.bound, node.point = descent.value, Point(descent.best, tangents)
        slack = max(0.02, 2 * (descent.value - descent.model)) if math.isfinite(descent.model) else math.inf
        near = [found for plane, found in genomes.items() if plane.at(descent.best) >= descent.value - slack]
        return descent.value, [one.genome for one in sorted(near, key=lambda one: -one.merit)]

    def solve(self, program: Program, node: Node, point: Point | None = None) -> Solution:
        """A program at a point, by default the best one of its node; counted."""
        self.check()
        if self.most_work is not None and self.work >= self.most_work:
            raise Stop("work")
        self.iterations += 1
        self.work += FIXED_WORK + program.work
        return program.solve(Relaxation(node.problem).rates(point or node.point))

    def check(self) -> None:
        """Ends the search at the deadline."""
        if self.deadline is not None and self.deadline():
            raise Stop("deadline")

    def polish(self, genomes: Sequence[Genome], count: int) -> None:
        """Local search from the first of these that were not tried yet."""
        for genome in [one for one in genomes if one not in self.tried][:count]:
            self.tried.add(genome)
            self.polisher.polish(genome)
