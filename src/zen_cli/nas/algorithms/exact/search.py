"""The exact search: prices, cells, branch and bound, and a local search for networks; see docs/exact.md."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import NamedTuple

from ....errors import UsageError
from ....metrics.terms import spec_terms
from ....net.spec import ArchSpec
from ...space import Genome, genome_of, to_spec
from .depths import MAX_STATES
from .graph import Graph, make_graph
from .paths import TooManyError, best_path, list_paths
from .polish import Found, Polisher
from .prices import Descent, Plane
from .problem import SUMS, Problem
from .program import ROUNDING, Program, Solution, TableCache
from .reduce import cut, prune
from .relaxation import Point, Relaxation, blend

FIXED_WORK = 400_000  # of a program, beside its numbers
COARSE = 1.25  # the widest width of a first cell over its narrowest
WHOLE = 1e9  # one cell for all widths
FEW, MANY = 100, 20_000  # paths that are listed before cutting, and where nothing can be cut
TANGENT_STEPS = 6  # how often tangents follow the best paths
MAX_TABLE = 2_000_000  # numbers of a table, for cells to be split
LEAST_STEP = 1e-4  # of the bound, in nats, for tangents to follow once more


class Progress(NamedTuple):
    """How far the search is: dynamic programs solved, the best value and the bound in nats, and their gap."""

    iterations: int
    value: float | None
    bound: float
    gap: float


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


class Search:
    """One search: `run` goes to the end, `prepare` only as far as the bound of the whole space.

    Args:
        problems: the best network of all of them is searched for; they have one space and the same limits.
        polisher: remembers networks.
        gap: relative gap at which to stop.
        known: networks within the limits that are known already.
        deadline: called between steps; the search stops when it returns True.
        on_progress: called after every step.
        most_work: work after which to stop, in numbers computed, which unlike time is the same everywhere; None for no
            end.
    """

    def __init__(
        self,
        problems: Sequence[Problem],
        polisher: Polisher,
        gap: float,
        known: Sequence[ArchSpec],
        deadline: Callable[[], bool] | None,
        on_progress: Callable[[Progress], None] | None,
        most_work: float | None = None,
    ) -> None:
        self.most_work, self.work = most_work, 0
        self.problems = list(problems)
        self.polisher = polisher
        polisher.check = self._check
        self.target = gap
        self.deadline = deadline
        self.on_progress = on_progress
        self.iterations = 0
        self.tables = TableCache()
        self.tried: set[Genome] = set()
        first = problems[0]
        self.smallest = first.space.smallest(first.seed)
        for genome in (*map(genome_of, known), *self.smallest, genome_of(first.seed)):
            polisher.weigh(genome)
        self.bounds = [_first_bound(problem) for problem in problems]
        self.bound = max(self.bounds)

    @property
    def floor(self) -> float:
        """The best known value."""
        return self.polisher.best

    @property
    def gap(self) -> float:
        """How far the bound is above the best known value, relative to it."""
        if not math.isfinite(self.floor):
            return math.inf
        return max(0.0, self.bound - self.floor) / abs(self.floor)

    def run(self) -> str:
        """The whole search; returns why it ended."""
        stopped = "branches"
        try:
            self._branch(self.prepare())
        except Stop as stop:
            stopped = str(stop)
        if self.bound <= self.floor + ROUNDING:
            stopped = "optimal"
        return stopped

    def prepare(self) -> list[Node]:
        """All problems without what cannot matter, cell by cell down to single widths; those that are left.

        With evenness there are several problems, which start in cells: `_branch` splits those of the best bound.
        """
        order = sorted(range(len(self.problems)), key=lambda index: -self.bounds[index])
        points = {index: self._sketch(index) for index in order if self._matters(index)}
        if not math.isfinite(self.floor):
            raise UsageError(self._hopeless())
        nodes: list[Node | None] = []
        for index, point in points.items():
            if self.problems[index].evenness is None and self._matters(index):
                nodes.append(self._refine(index, point))
            elif self.problems[index].evenness is not None:
                nodes.append(self._bound_in_cells(index, point))
        self._report()
        return [node for node in nodes if node is not None]

    def sketch(self) -> None:
        """Networks around rough prices of each problem, for the polisher."""
        for index in range(len(self.problems)):
            self._sketch(index)

    def _matters(self, index: int) -> bool:
        """Whether a problem may hold a network better than the best known one by more than the gap."""
        return not math.isfinite(self.floor) or self.bounds[index] > self.floor + self.target * abs(self.floor)

    def _sketch(self, index: int) -> Point:
        """Prices of a problem for some of its widths, and the networks around them."""
        while True:
            problem = self.problems[index]
            start, radius = Relaxation(problem).start()
            rough = Program(problem, make_graph(problem, COARSE, covering=False), self.tables)
            node = Node(problem, rough.graph, start, math.inf, radius)
            genomes = self._descend(node, rough, rounds=25)
            if not self._must_count_blocks(index, genomes):
                break
        known = self.floor
        self._polish(genomes, 3 if problem.evenness is None else 1)
        if self.floor <= known:
            self._polish(self.smallest, 3)
        return node.point

    def _bound_in_cells(self, index: int, point: Point) -> Node:
        """A whole problem in cells, with its bound at a point."""
        node = self._coarse(index, point)
        solution = self._solve(Program(node.problem, node.graph, self.tables), node)
        node.bound = min(node.bound, max(self.floor, solution.value + Relaxation(node.problem).constant(point)))
        self._lower(index, node.bound)
        return node

    def _coarse(self, index: int, point: Point) -> Node:
        """A whole problem in cells."""
        problem = self.problems[index]
        return Node(problem, make_graph(problem, COARSE, covering=True), point, self.bounds[index])

    def _refine(self, index: int, point: Point) -> Node | None:
        """What is left of a problem, in single widths; None if nothing is."""
        problem, node = self.problems[index], self._coarse(index, point)
        while True:
            solution = self._solve(Program(problem, node.graph, self.tables), node)
            constant = Relaxation(problem).constant(node.point)
            node.bound = min(node.bound, max(self.floor, solution.value + constant))
            self._lower(index, node.bound)
            if self._must_count_blocks(index, [best_path(solution)] if math.isfinite(solution.value) else []):
                return self._refine(index, self._sketch(index))
            pruned = prune(solution, self.floor - constant)
            if pruned is None:
                self._lower(index, self.floor)
                return None
            if not self._matters(index):
                return None
            if pruned.exact:
                break
            node.graph = pruned.split()
        node.graph = pruned
        genomes = self._tighten(node, rounds=12)
        self._lower(index, node.bound)
        return self._refine(index, self._sketch(index)) if self._must_count_blocks(index, genomes) else node

    def _lower(self, index: int, bound: float) -> None:
        """Notes the bound of a problem, and with it that of all."""
        self.bounds[index] = min(self.bounds[index], bound)
        self.bound = min(self.bound, max(self.floor, *self.bounds))
        self._report()

    def _must_count_blocks(self, index: int, genomes: Iterable[Genome]) -> bool:
        """Whether the best paths have too many blocks, so that the depths have to count them from now on."""
        problem = self.problems[index]
        if problem.counts_blocks or all(len(one) <= problem.space.max_blocks for one in genomes):
            return False
        counting = replace(problem, counts_blocks=True)
        if len(counting.depths.states) > MAX_STATES:
            return False
        self.problems[index] = counting
        return True

    def _branch(self, nodes: Sequence[Node]) -> None:
        """Best bound first: tighten, prune, polish, cut in two; until the gap is closed or nothing can be cut."""
        number, rest = count(), -math.inf
        rows = [(-node.bound, next(number), node) for node in nodes]
        heapq.heapify(rows)
        mine = [node.problem for node in nodes]
        for bound, problem in zip(self.bounds, self.problems, strict=True):
            if problem not in mine:  # left out because it is within the gap
                rest = max(rest, bound)
        while rows:
            self.bound = min(self.bound, max(self.floor, rest, -rows[0][0]))
            self._report()
            node = heapq.heappop(rows)[2]
            if node.bound <= self.floor:
                break
            genomes = self._tighten(node, rounds=10)
            if node.bound <= self.floor:
                continue
            if not node.graph.exact and node.graph.split_size <= MAX_TABLE:
                heapq.heappush(rows, (-node.bound, next(number), replace(node, graph=node.graph.split())))
                continue
            if node.graph.exact and self._list(node, FEW):
                continue
            halves = cut(node.problem, node.graph, genomes)
            if halves is None:
                if not node.graph.exact or not self._list(node, MANY):
                    rest = max(rest, node.bound)
                continue
            for graph in halves:
                heapq.heappush(rows, (-node.bound, next(number), replace(node, graph=graph, radius=1.0)))
        self.bound = min(self.bound, max(self.floor, rest))

    def _list(self, node: Node, most: int) -> bool:
        """Visits all that is left of a node; returns whether it was few enough."""
        solution = self._solve(Program(node.problem, node.graph, self.tables), node)
        constant = Relaxation(node.problem).constant(node.point)
        try:
            for genome in list_paths(solution, lambda: self.floor - constant, most):
                self._check()
                self.polisher.weigh(genome)
        except TooManyError:
            return False
        return True

    def _tighten(self, node: Node, rounds: int) -> list[Genome]:
        """Better prices for a node, its bound, and the paths that make it; what cannot matter is removed."""
        program = Program(node.problem, node.graph, self.tables)
        genomes = self._descend(node, program, rounds)
        self._polish(genomes, 1)
        if node.bound > self.floor:
            constant = Relaxation(node.problem).constant(node.point)
            pruned = prune(self._solve(program, node), self.floor - constant)
            if pruned is None:
                node.bound = self.floor
            else:
                node.graph = pruned
        return genomes

    def _descend(self, node: Node, program: Program, rounds: int) -> list[Genome]:
        """The best point for a program, and the paths that meet there; those that exceed limits least come first.

        Where evenness counts, tangents follow the best paths as long as that lowers the bound.
        """
        lowest, genomes = self._descend_prices(node, program, node.point.tangents, rounds)
        latest = genomes
        for _ in range(TANGENT_STEPS if node.point.tangents else 0):
            if not genomes or lowest <= self.floor:
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
            solution = self._solve(program, node, point)
            value = solution.value + relaxation.constant(point)
            if not math.isfinite(value):  # no path is left
                descent.value = -math.inf
                break
            found = self.polisher.weigh(best_path(solution))
            plane = Plane.through(prices, value, relaxation.slope(found.usage, found.evenness, tangents))
            genomes.setdefault(plane, found)
            descent.tell(prices, value, plane)
            if descent.value <= self.floor:
                break
        if descent.value < node.bound:
            node.bound, node.point = descent.value, Point(descent.best, tangents)
        slack = max(0.02, 2 * (descent.value - descent.model)) if math.isfinite(descent.model) else math.inf
        near = [found for plane, found in genomes.items() if plane.at(descent.best) >= descent.value - slack]
        return descent.value, [one.genome for one in sorted(near, key=lambda one: -one.merit)]

    def _solve(self, program: Program, node: Node, point: Point | None = None) -> Solution:
        self._check()
        if self.most_work is not None and self.work >= self.most_work:
            raise Stop("work")
        self.iterations += 1
        self.work += FIXED_WORK + program.work
        return program.solve(Relaxation(node.problem).rates(point or node.point))

    def _check(self) -> None:
        """Ends the search at the deadline."""
        if self.deadline is not None and self.deadline():
            raise Stop("deadline")

    def _polish(self, genomes: Sequence[Genome], count: int) -> None:
        """Local search from the first of these that were not tried yet."""
        for genome in [one for one in genomes if one not in self.tried][:count]:
            self.tried.add(genome)
            self.polisher.polish(genome)

    def _report(self) -> None:
        """Reports a step; ends the search where the gap is small enough."""
        if self.on_progress is not None:
            value = self.floor if math.isfinite(self.floor) else None
            self.on_progress(Progress(self.iterations, value, self.bound, self.gap))
        if self.gap <= self.target:
            raise Stop("gap")

    def _hopeless(self) -> str:
        """Which limit nothing keeps, and the least that was found."""
        problem = self.problems[0]
        least = [spec_terms(to_spec(genome, problem.seed)).total for genome in self.smallest]
        for name in SUMS:
            limit, found = getattr(problem.limits, name), min(getattr(total, name) for total in least)
            if limit is not None and found > limit:
                return f"max_{name}: {limit:,} is less than the smallest network of the space needs, {found:,}"
        return "limits: no network was found that keeps all of them at once; raise max_params or max_macs"


def _first_bound(problem: Problem) -> float:
    """A bound within milliseconds: one cell for all widths, at the first prices."""
    relaxation = Relaxation(problem)
    point, _ = relaxation.start()
    program = Program(problem, make_graph(problem, WHOLE, covering=True))
    return program.solve(relaxation.rates(point)).value + relaxation.constant(point)
