"""The exact search: prices, cells, branch and bound, and a local search for networks; see docs/exact.md."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import count
from typing import NamedTuple

from ....errors import UsageError
from ....metrics.terms import spec_terms
from ....net.spec import ArchSpec
from ...limits import DEPTH, too_low
from ...space import Genome, genome_of, to_spec
from .depths import MAX_STATES
from .divide import Divided, Divider
from .graph import make_graph
from .listing import list_by_labels, list_by_paths
from .paths import best_path
from .polish import Polisher
from .problem import Problem
from .program import ROUNDING, Program, TableCache
from .reduce import cut, prune
from .relaxation import Point, Relaxation
from .tighten import Node, Stop, Tightener

COARSE = 1.25  # the widest width of a first cell over its narrowest
WHOLE = 1e9  # one cell for all widths
FEW, MANY = 100, 20_000  # paths that are listed before cutting, and where nothing can be cut
MAX_TABLE = 2_000_000  # numbers of a table, for cells to be split


class Progress(NamedTuple):
    """How far the search is: dynamic programs solved, the best value and the bound in nats, and their gap."""

    iterations: int
    value: float | None
    bound: float
    gap: float


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
        self.problems = list(problems)
        self.polisher = polisher
        self.tightener = Tightener(polisher, deadline, most_work)
        polisher.check = self.tightener.check
        self.target = gap
        self.on_progress = on_progress
        first = problems[0]
        self.smallest = first.space.smallest(first.seed)
        for genome in (*map(genome_of, known), *self.smallest, genome_of(first.seed)):
            polisher.weigh(genome)
        self.bounds = [math.inf] * len(problems)
        tables = TableCache() if first.evenness is None else self.tightener.tables
        with suppress(Stop):  # with evenness there are many problems, and the rest then stays without a bound
            for index, problem in enumerate(problems):
                self.bounds[index] = _first_bound(problem, tables)
        self.bound = max(self.bounds)

    @property
    def floor(self) -> float:
        """The best known value."""
        return self.polisher.best

    @property
    def least(self) -> float:
        """What is worth no more does not matter: the best known value, with evenness up to the gap above it."""
        if self.problems[0].evenness is None or not math.isfinite(self.floor):
            return self.floor
        return self.floor + (1 - ROUNDING) * self.target * abs(self.floor)

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
        else:
            if not math.isfinite(self.floor):
                raise UsageError(self._hopeless())
        if self.bound <= self.floor + ROUNDING:
            stopped = "optimal"
        return stopped

    def prepare(self) -> list[Node]:
        """All problems without what cannot matter, cell by cell down to single widths; those that are left.

        With evenness there are several problems, which start in cells: `_branch` splits those of the best bound.
        """
        order = sorted(range(len(self.problems)), key=lambda index: -self.bounds[index])
        points = {index: self._sketch(index) for index in order if self._matters(index)}
        if not math.isfinite(self.floor) and self.problems[0].evenness is None:
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
            rough = Program(problem, make_graph(problem, COARSE, covering=False), self.tightener.tables)
            node = Node(problem, rough.graph, start, math.inf, radius)
            genomes = self.tightener.descend(node, rough, rounds=25)
            if not self._must_count_blocks(index, genomes):
                break
        known = self.floor
        if problem.evenness is None or problem.evenness.is_likely:
            self.tightener.polish(genomes, 3 if problem.evenness is None else 1)
            if self.floor <= known:
                self.tightener.polish(self.smallest, 3)
        return node.point

    def _bound_in_cells(self, index: int, point: Point) -> Node:
        """A whole problem in cells, with its bound at a point."""
        node = self._coarse(index, point)
        solution = self.tightener.solve(Program(node.problem, node.graph, self.tightener.tables), node)
        node.bound = min(node.bound, max(self.floor, solution.value + Relaxation(node.problem).constant(point)))
        self._lower(index, node.bound)
        return node

    def _coarse(self, index: int, point: Point) -> Node:
        """A whole problem in cells."""
        problem = self.problems[index]
        graph = make_graph(problem, COARSE, covering=True)
        return Node(problem, graph, point, self.bounds[index], is_whole=problem.evenness is not None)

    def _refine(self, index: int, point: Point) -> Node | None:
        """What is left of a problem, in single widths; None if nothing is."""
        problem, node = self.problems[index], self._coarse(index, point)
        while True:
            solution = self.tightener.solve(Program(problem, node.graph, self.tightener.tables), node)
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
        genomes = self.tightener.tighten(node, rounds=12)
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
        rows: list[tuple[float, int, Node | Divided]] = [(-node.bound, next(number), node) for node in nodes]
        heapq.heapify(rows)
        divider = Divider(self.tightener)
        mine = [node.problem for node in nodes]
        for bound, problem in zip(self.bounds, self.problems, strict=True):
            if problem not in mine:  # left out because it is within the gap
                rest = max(rest, bound)
        while rows:
            self.bound = min(self.bound, max(self.least, rest, -rows[0][0]))
            self._report()
            node = heapq.heappop(rows)[2]
            if node.bound <= self.least:
                break
            if isinstance(node, Divided):
                part = divider.take(node, self.least)
                for one in (part, node):
                    if one is not None and one.bound > self.least:
                        heapq.heappush(rows, (-one.bound, next(number), one))
                continue
            if node.is_whole:
                finer = divider.refine(node, self.least)
                if finer is not None:
                    heapq.heappush(rows, (-finer.bound, next(number), finer))
                continue
            genomes = self.tightener.tighten(node, 10, self.least)
            if node.bound <= self.least:
                continue
            if not node.graph.exact and node.graph.split_size <= MAX_TABLE:
                heapq.heappush(rows, (-node.bound, next(number), replace(node, graph=node.graph.split())))
                continue
            left = self._list(node) if node.graph.exact else None
            if left is not None:
                rest = max(rest, left)
                continue
            halves = cut(node.problem, node.graph, genomes)
            if halves is None:
                if not node.graph.exact or not list_by_paths(self.tightener, node, MANY):
                    rest = max(rest, node.bound)
                continue
            for graph in halves:
                heapq.heappush(rows, (-node.bound, next(number), replace(node, graph=graph, radius=1.0)))
        self.bound = min(self.bound, max(self.least, rest))

    def _list(self, node: Node) -> float | None:
        """Lists all that is left of a node: what no network that it misses exceeds; None where that is too much."""
        if node.problem.evenness is not None:
            return list_by_labels(self.tightener, node, self.least)
        return -math.inf if list_by_paths(self.tightener, node, FEW) else None

    def _report(self) -> None:
        """Reports a step; ends the search where the gap is small enough."""
        if self.on_progress is not None:
            value = self.floor if math.isfinite(self.floor) else None
            self.on_progress(Progress(self.tightener.iterations, value, self.bound, self.gap))
        if self.gap <= self.target:
            raise Stop("gap")

    def _hopeless(self) -> str:
        """Which limit nothing keeps, and the least that was found."""
        problem = self.problems[0]
        rows = [problem.limits.usage(spec_terms(to_spec(genome, problem.seed))) for genome in self.smallest]
        for usages in zip(*rows, strict=True):
            name, found, limit = min(usages, key=lambda usage: usage[1])
            if found > limit:
                given = problem.limits[name]  # above what is kept, by the error of predictions
                return too_low(name, given, found * (given / limit))
        names = " or ".join(f"max_{name}" for name in problem.limits if name not in DEPTH)
        return f"limits: no network was found that keeps all of them at once; raise {names or 'them'}"


def _first_bound(problem: Problem, tables: TableCache) -> float:
    """A bound within milliseconds: one cell for all widths, at the first prices."""
    relaxation = Relaxation(problem)
    point, _ = relaxation.start()
    program = Program(problem, make_graph(problem, WHOLE, covering=True), tables)
    return program.solve(relaxation.rates(point)).value + relaxation.constant(point)
