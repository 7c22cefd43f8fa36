"""The exact search: prices, cells, branch and bound, and a local search for networks; see docs/exact.md."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from ....errors import UsageError
from ....metrics.terms import spec_terms
from ....net.spec import ArchSpec
from ...space import Genome, genome_of, to_spec
from .depths import MAX_STATES
from .graph import Graph, make_graph
from .paths import TooManyError, best_path, list_paths
from .polish import Polisher
from .prices import Descent, Plane, Prices, first_prices, per_unit, room
from .problem import SUMS, Problem
from .program import ROUNDING, Program, Solution
from .reduce import cut, prune

COARSE = 1.25  # the widest width of a first cell over its narrowest
WHOLE = 1e9  # one cell for all widths
FEW, MANY = 100, 20_000  # paths that are listed before cutting, and where nothing can be cut


class Progress(NamedTuple):
    """How far the search is: dynamic programs solved, the best value and the bound in nats, and their gap."""

    iterations: int
    value: float | None
    bound: float
    gap: float


@dataclass
class Node:
    """A part of the space: what is left of its graph, prices to start from, a bound, and a radius for `Descent`."""

    graph: Graph
    prices: Prices
    bound: float
    radius: float


class Stop(Exception):  # noqa: N818  # no error: the search is over
    """The search is over, for this reason."""


class Search:
    """One search: `run` goes to the end, `prepare` only as far as the bound of the whole space."""

    def __init__(
        self,
        problem: Problem,
        gap: float,
        known: Sequence[ArchSpec],
        deadline: Callable[[], bool] | None,
        on_progress: Callable[[Progress], None] | None,
    ) -> None:
        self.problem = problem
        self.target = gap
        self.deadline = deadline
        self.on_progress = on_progress
        self.polisher = Polisher(problem, check=self._check)
        self.iterations = 0
        self.tried: set[Genome] = set()
        self.start = first_prices(problem.limits, max(state.layers for state in problem.depths.states))
        self.smallest = problem.space.smallest(problem.seed)
        for genome in (*map(genome_of, known), *self.smallest, genome_of(problem.seed)):
            self.polisher.weigh(genome)
        self.bound = self._first_bound()

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
            root = self.prepare()
            if root is not None:
                self._branch(root)
        except Stop as stop:
            stopped = str(stop)
        if self.bound <= self.floor + ROUNDING:
            stopped = "optimal"
        return stopped

    def prepare(self) -> Node | None:
        """The whole space without what cannot matter, cell by cell down to single widths; None if nothing is left."""
        start, radius = self.start
        rough = Program(self.problem, make_graph(self.problem, COARSE, covering=False))
        descent, genomes = self._descend(rough, start, radius, rounds=25)
        if self._must_count_blocks(genomes):
            return self.prepare()
        known = self.floor
        self._polish(genomes, 3)
        if self.floor <= known:
            self._polish(self.smallest, 3)
        if not math.isfinite(self.floor):
            raise UsageError(self._hopeless())
        graph = make_graph(self.problem, COARSE, covering=True)
        while True:
            solution = self._solve(Program(self.problem, graph), descent.best)
            self.bound = min(self.bound, max(self.floor, solution.value + math.fsum(descent.best)))
            self._report()
            if self._must_count_blocks([best_path(solution)]):
                return self.prepare()
            pruned = prune(solution, self.floor - math.fsum(descent.best))
            if pruned is None:
                return None
            if pruned.exact:
                break
            graph = pruned.split()
        node = Node(pruned, descent.best, self.bound, 1.0)
        bound, genomes = self._tighten(node, rounds=12)
        self.bound = min(self.bound, bound)
        self._report()
        return self.prepare() if self._must_count_blocks(genomes) else node

    def _first_bound(self) -> float:
        """A bound within milliseconds: one cell for all widths, at the first prices."""
        prices, _ = self.start
        program = Program(self.problem, make_graph(self.problem, WHOLE, covering=True))
        return program.solve(per_unit(prices, self.problem.limits)).value + math.fsum(prices)

    def _must_count_blocks(self, genomes: Iterable[Genome]) -> bool:
        """Whether the best paths have too many blocks, so that the depths have to count them from now on."""
        if self.problem.counts_blocks or all(len(one) <= self.problem.space.max_blocks for one in genomes):
            return False
        counting = replace(self.problem, counts_blocks=True)
        if len(counting.depths.states) > MAX_STATES:
            return False
        self.problem = counting
        return True

    def _branch(self, root: Node) -> None:
        """Best bound first: tighten, prune, polish, cut in two; until the gap is closed or nothing can be cut."""
        rows, number, rest = [(-root.bound, 0, root)], 0, -math.inf
        while rows:
            self.bound = min(self.bound, max(self.floor, rest, -rows[0][0]))
            self._report()
            node = heapq.heappop(rows)[2]
            if node.bound <= self.floor:
                break
            bound, genomes = self._tighten(node, rounds=10)
            if bound <= self.floor or self._list(node, FEW):
                continue
            halves = cut(self.problem, node.graph, genomes)
            if halves is None:
                if not self._list(node, MANY):
                    rest = max(rest, bound)
                continue
            for graph in halves:
                number += 1
                heapq.heappush(rows, (-bound, number, Node(graph, node.prices, bound, 1.0)))
        self.bound = min(self.bound, max(self.floor, rest))

    def _list(self, node: Node, most: int) -> bool:
        """Visits all that is left of a node; returns whether it was few enough."""
        solution = self._solve(Program(self.problem, node.graph), node.prices)
        try:
            for genome in list_paths(solution, lambda: self.floor - math.fsum(node.prices), most):
                self._check()
                self.polisher.weigh(genome)
        except TooManyError:
            return False
        return True

    def _tighten(self, node: Node, rounds: int) -> tuple[float, list[Genome]]:
        """Better prices for a node, its bound, and the paths that make it; what cannot matter is removed."""
        program = Program(self.problem, node.graph)
        descent, genomes = self._descend(program, node.prices, node.radius, rounds)
        node.bound, node.prices = min(node.bound, descent.value), descent.best
        self._polish(genomes, 1)
        if node.bound > self.floor:
            pruned = prune(self._solve(program, descent.best), self.floor - math.fsum(descent.best))
            if pruned is None:
                node.bound = self.floor
            else:
                node.graph = pruned
        return node.bound, genomes

    def _descend(self, program: Program, start: Prices, radius: float, rounds: int) -> tuple[Descent, list[Genome]]:
        """The best prices for a program, and the paths that meet there; those that exceed limits least come first."""
        limits = self.problem.limits
        descent = Descent(start, (limits.params is not None, limits.macs is not None), radius)
        genomes: dict[Plane, Genome] = {}
        for _ in range(rounds):
            prices = descent.ask()
            if descent.settled:
                break
            solution = self._solve(program, prices)
            value = solution.value + math.fsum(prices)
            if not math.isfinite(value):  # no path is left
                descent.value = -math.inf
                break
            genome = best_path(solution)
            plane = Plane.through(prices, value, room(self.polisher.weigh(genome).usage, limits))
            genomes.setdefault(plane, genome)
            descent.tell(prices, value, plane)
            if descent.value <= self.floor:
                break
        slack = max(0.02, 2 * (descent.value - descent.model)) if math.isfinite(descent.model) else math.inf
        near = [plane for plane in genomes if plane.at(descent.best) >= descent.value - slack]
        found = [self.polisher.weigh(genomes[plane]) for plane in near]
        return descent, [one.genome for one in sorted(found, key=lambda one: -one.merit)]

    def _solve(self, program: Program, prices: Prices) -> Solution:
        self._check()
        self.iterations += 1
        return program.solve(per_unit(prices, self.problem.limits))

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
        least = [spec_terms(to_spec(genome, self.problem.seed)).total for genome in self.smallest]
        for name in SUMS:
            limit, found = getattr(self.problem.limits, name), min(getattr(total, name) for total in least)
            if limit is not None and found > limit:
                return f"max_{name}: {limit:,} is less than the smallest network of the space needs, {found:,}"
        return "limits: no network was found that keeps all of them at once; raise max_params or max_macs"
