"""The exact search: prices, cells, branches, and a local search for networks; see docs/exact.md."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ....errors import UsageError
from ....metrics.terms import score_spec, spec_terms
from ....net.spec import ArchSpec
from ...space import Genome, genome_of, to_spec
from .branch import cut
from .dual import Descent, Plane
from .dynamic import Prices, Program, Solution
from .graph import Graph, make_graph
from .listing import TooManyError, list_paths
from .polish import Polisher
from .problem import Problem
from .prune import prune

_COARSE = 1.25
_FEW = 100
_MANY = 20_000


class Progress(NamedTuple):
    """How far the search is: dynamic programs solved, the best value and the bound in nats, and their gap."""

    iterations: int
    value: float | None
    bound: float
    gap: float


class ExactResult(NamedTuple):
    """What the search found and proved.

    Attributes:
        networks: the best, distinct, best first.
        values: their closed-form scores in nats.
        bound: no network of the space within the limits exceeds it.
        gap: bound over the best value, less one; infinite where no network was asked for or found.
        iterations: dynamic programs solved.
        stopped: why it ended: `optimal`, `gap`, `deadline`, or `branches` where nothing was left to divide.
    """

    networks: tuple[ArchSpec, ...]
    values: tuple[float, ...]
    bound: float
    gap: float
    iterations: int
    stopped: str


@dataclass
class _Part:
    """A part of the space: what is left of its graph, prices to start from, and a bound."""

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
        self.polisher = Polisher(problem)
        self.iterations = 0
        self.bound = math.inf
        self.tried: set[Genome] = set()
        for spec in known:
            self.polisher.weigh(genome_of(spec))

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

    def run(self, top: int) -> ExactResult:
        """The whole search."""
        stopped = "branches"
        try:
            root = self.prepare()
            if root is not None:
                self._branch(root)
        except Stop as stop:
            stopped = str(stop)
        if self.bound <= self.floor + 1e-9:
            stopped = "optimal"
        return self._result(top, stopped)

    def prepare(self) -> _Part | None:
        """The whole space without what cannot matter, cell by cell down to single widths; None if nothing is left."""
        layers = max(state.layers for state in self.problem.depths.states)
        start = self._scaled(0.1 * layers)
        rough = Program(self.problem, make_graph(self.problem, _COARSE, covering=False))
        descent, genomes = self._descend(rough, start, 0.07 * layers, rounds=25)
        self._polish(genomes, 3)
        if not math.isfinite(self.floor):
            self._polish(list(self.problem.space.smallest(self.problem.seed)), 3)
        if not math.isfinite(self.floor):
            raise UsageError(self._hopeless())
        graph = make_graph(self.problem, _COARSE, covering=True)
        while True:
            solution = self._solve(Program(self.problem, graph), descent.best)
            self.bound = min(self.bound, max(self.floor, solution.value + sum(descent.best)))
            self._report()
            pruned = prune(solution, self.floor - sum(descent.best))
            if pruned is None:
                return None
            if pruned.exact:
                break
            graph = pruned.split()
        part = _Part(pruned, descent.best, self.bound, 1.0)
        self.bound = min(self.bound, self._tighten(part, rounds=12)[0])
        self._report()
        return part

    def _branch(self, root: _Part) -> None:
        """Best bound first: tighten, prune, polish, cut in two; until the gap is closed or nothing can be cut."""
        rows, number, rest = [(-root.bound, 0, root)], 0, -math.inf
        while rows:
            self.bound = min(self.bound, max(self.floor, rest, -rows[0][0]))
            self._report()
            part = heapq.heappop(rows)[2]
            if part.bound <= self.floor:
                break
            bound, genomes = self._tighten(part, rounds=10)
            if bound <= self.floor or self._list(part, _FEW):
                continue
            halves = cut(self.problem, part.graph, genomes)
            if halves is None:
                if not self._list(part, _MANY):
                    rest = max(rest, bound)
                continue
            for graph in halves:
                number += 1
                heapq.heappush(rows, (-bound, number, _Part(graph, part.prices, bound, 1.0)))
        self.bound = min(self.bound, max(self.floor, rest))

    def _list(self, part: _Part, most: int) -> bool:
        """Looks at all that is left of a part; whether it was few enough."""
        solution = self._solve(Program(self.problem, part.graph), part.prices)
        try:
            for genome in list_paths(solution, lambda: self.floor - sum(part.prices), most):
                self.polisher.weigh(genome)
        except TooManyError:
            return False
        return True

    def _tighten(self, part: _Part, rounds: int) -> tuple[float, list[Genome]]:
        """Better prices for a part, its bound, and the paths that make it; what cannot matter is struck out."""
        program = Program(self.problem, part.graph)
        descent, genomes = self._descend(program, part.prices, part.radius, rounds)
        part.bound, part.prices = min(part.bound, descent.value), descent.best
        self._polish(genomes, 1)
        if part.bound > self.floor:
            pruned = prune(self._solve(program, descent.best), self.floor - sum(descent.best))
            if pruned is None:
                part.bound = self.floor
            else:
                part.graph = pruned
        return part.bound, genomes

    def _descend(self, program: Program, start: Prices, radius: float, rounds: int) -> tuple[Descent, list[Genome]]:
        """The best prices for a graph of single widths, and the paths that meet there."""
        limits = self.problem.limits
        descent = Descent(start, (limits.params is not None, limits.macs is not None), radius)
        genomes: dict[Plane, Genome] = {}
        for _ in range(rounds):
            prices = descent.ask()
            if descent.settled:
                break
            solution = self._solve(program, prices)
            value = solution.value + sum(prices)
            if not math.isfinite(value):  # no path is left
                descent.value = -math.inf
                break
            path = solution.path()
            found = self.polisher.weigh(path.genome)
            slope = _room(found.params, limits.params), _room(found.macs, limits.macs)
            plane = Plane(value - slope[0] * prices[0] - slope[1] * prices[1], slope)
            genomes.setdefault(plane, path.genome)
            descent.tell(prices, value, plane)
            if descent.value <= self.floor:
                break
        slack = max(0.02, 2 * (descent.value - descent.model)) if math.isfinite(descent.model) else math.inf
        near = [plane for plane in genomes if plane.at(descent.best) >= descent.value - slack]
        near.sort(key=lambda plane: -plane.at(descent.best))
        return descent, [genomes[plane] for plane in near]

    def _solve(self, program: Program, prices: Prices) -> Solution:
        limits = self.problem.limits
        if self.deadline is not None and self.deadline():
            raise Stop("deadline")
        self.iterations += 1
        return program.solve((prices[0] / (limits.params or 1), prices[1] / (limits.macs or 1)))

    def _polish(self, genomes: Sequence[Genome], count: int) -> None:
        """Local search from the first of these that were not tried yet."""
        for genome in [one for one in genomes if one not in self.tried][:count]:
            self.tried.add(genome)
            self.polisher.polish(genome)

    def _scaled(self, price: float) -> Prices:
        limits = self.problem.limits
        return price * (limits.params is not None), price * (limits.macs is not None)

    def _report(self) -> None:
        """Tells of a step; ends the search where the gap is small enough."""
        if self.on_progress is not None:
            value = self.floor if math.isfinite(self.floor) else None
            self.on_progress(Progress(self.iterations, value, self.bound, self.gap))
        if self.gap <= self.target:
            raise Stop("gap")

    def _hopeless(self) -> str:
        """Which limit nothing keeps, and the least that was found."""
        problem = self.problem
        least = [spec_terms(to_spec(genome, problem.seed)).total for genome in problem.space.smallest(problem.seed)]
        for name in ("params", "macs", "layers", "sublayers"):
            limit, found = getattr(problem.limits, name), min(getattr(total, name) for total in least)
            if limit is not None and found > limit:
                return f"--max-{name}: {limit:,} is less than the smallest network of the space needs, {found:,}"
        return "the limits: no network was found that keeps all of them at once; raise --max-params or --max-macs"

    def _result(self, top: int, stopped: str) -> ExactResult:
        problem = self.problem
        rows: dict[str, tuple[float, ArchSpec]] = {}
        for genome in self.polisher.ranking():
            if len(rows) >= top:
                break
            spec = to_spec(genome, problem.seed)
            if not problem.space.excludes(spec) and problem.limits.admits(spec_terms(spec).total):
                score = score_spec(spec, convention=problem.convention, norm=problem.norm, alpha=problem.alpha)
                rows.setdefault(spec.id, (score, spec))
        ranking = sorted(rows.values(), key=lambda row: (-row[0], row[1].id))
        return ExactResult(
            tuple(spec for _, spec in ranking),
            tuple(score for score, _ in ranking),
            self.bound,
            self.gap,
            self.iterations,
            stopped,
        )


def _room(used: int, limit: int | None) -> float:
    """The share of a budget that is left; negative where it is exceeded."""
    return 0.0 if limit is None else 1 - used / limit
