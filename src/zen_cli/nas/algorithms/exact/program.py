"""The dynamic program: the best network at a price for each parameter and multiply-add, over cells of widths.

A network is a path: stem, then blocks, then head. What the rest of a path must know of its beginning is the stage, the
depth used so far (a state h of `Depths`) and the cell w of the width. `forward[i][h, w]` is the best value of a
beginning that ends so in stage i.

A block of n sub-layers is one transition, worth

    T[I, n, W] = max over M (entry[I, M] + max over K (first + (n - 1) more)[M, W]) + across[I, W],

a (max, +) product of small matrices; a block keeps its op, kernel and mid width from its first sub-layer to its last,
and only its first unit has other channels in.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar, NamedTuple, cast

import numpy as np

from .gains import GainCost, Rates, Spread
from .graph import Cells, Floats, Graph, Ints, Slot, slots
from .problem import Problem
from .tables import SubLayer, head_table, stem_table, sublayer_tables

ROUNDING = 1e-9
MAX_CACHE = 100_000_000  # bytes of the largest tables in a cache


class TableCache:
    """Tables, which all searches of a process share: the problems of one, and those of a front, differ in limits and
    units, and cuts leave most cells as they are.

    `check` is called before one is made, and may end the search.
    """

    _tables: ClassVar[dict[tuple[object, ...], SubLayer]] = {}
    _bytes: ClassVar[int] = 0

    def __init__(self, check: Callable[[], None] = lambda: None) -> None:
        self._check = check

    def get(self, problem: Problem, graph: Graph, slot: Slot, index: int) -> SubLayer:
        """The tables of a variant in a slot of a graph."""
        before, variant = slot.stage - slot.enter, problem.variants[index]
        cells = graph.ins(before), graph.choices[slot, index].mids, graph.widths[slot.stage]
        make = partial(
            sublayer_tables,
            variant,
            problem.stages[slot.stage],
            problem.stages[slot.stage].stride if slot.enter else 1,
            *cells,
            problem.convention,
            problem.space.rules,
            0 if before else graph.stem.count,
            problem.weight,
            problem.evenness is not None,
            problem.first_cost,
            problem.most_live,
        )
        # an op that is registered anew has the same name and another class
        key = (variant.gene.kind, *(each.key if isinstance(each, Cells) else each for each in make.args))
        found = self._tables.get(key)
        if found is None:
            self._check()
            found = make()
            self._keep(key, found, 8 * math.prod(each.count for each in cells) * len(variant.kernels))
        return found

    @classmethod
    def _keep(cls, key: tuple[object, ...], tables: SubLayer, size: int) -> None:
        if cls._bytes + size > MAX_CACHE:
            cls._tables.clear()
            cls._bytes = 0
        cls._tables[key] = tables
        cls._bytes += size


@dataclass
class Program:
    """A graph with its tables, to be solved at any rates."""

    problem: Problem
    graph: Graph
    cache: TableCache = field(default_factory=TableCache)
    tables: dict[tuple[Slot, int], SubLayer] = field(init=False)
    stem: GainCost = field(init=False)
    head: GainCost = field(init=False)

    def __post_init__(self) -> None:
        problem, graph = self.problem, self.graph
        self.stem = stem_table(problem, graph.stem)
        self.head = head_table(problem, graph.ins(len(problem.stages) - 1), graph.head)
        self.tables = {}
        for slot, index in graph.choices:
            self.tables[slot, index] = self.cache.get(problem, graph, slot, index)

    @property
    def work(self) -> int:
        """Numbers that a solution computes: what its time grows with."""
        total = 0
        for (slot, index), choice in self.graph.choices.items():
            kernels = len(self.problem.variants[index].kernels)
            cells = self.graph.ins(slot.stage - slot.enter).count * choice.mids.count
            total += kernels * cells * self.graph.widths[slot.stage].count * len(choice.steps)
        return total

    def solve(self, rates: Rates) -> Solution:
        """The best path at these rates."""
        return Solution(self, rates)


class Block(NamedTuple):
    """A variant's tables at the rates: entry [I, M], body [M, N, W] over its steps, across [I, W].

    Where evenness counts, body is [K, M, N, W] and opening [K, I, M, W].
    """

    entry: Floats
    body: Floats
    across: Floats
    opening: Floats | None = None

    def rows(self) -> Iterator[tuple[int, slice, Floats]]:
        """(mid, cells of width out, [I, N, W] of these) of what a block is worth without `across`."""
        if self.opening is None:
            for mid, (body, entry) in enumerate(zip(self.body, self.entry.T, strict=True)):
                yield mid, slice(None), entry[:, None, None] + body
            return
        for body, opening in zip(self.body, self.opening, strict=True):
            possible = body.max(axis=1) > -math.inf  # [M, W]
            for mid in np.flatnonzero(possible.any(axis=1)).tolist():
                outs = np.flatnonzero(possible[mid])
                cells = slice(int(outs[0]), int(outs[-1]) + 1)
                yield (
                    mid,
                    cells,
                    (self.entry[:, mid, None] + opening[:, mid, cells])[:, None] + body[None, mid, :, cells],
                )


class Transition(NamedTuple):
    """T [I, N, W] over block depths `steps`, indices of `Depths.steps`, of the variants of one kind."""

    steps: list[int]
    values: Floats


class Solution:
    """The dynamic program of a graph at some rates, solved from stem to head; see the top of this module."""

    def __init__(self, program: Program, rates: Rates) -> None:
        self.program, self.rates = program, rates
        problem, graph = program.problem, program.graph
        self.depths = problem.depths
        self.blocks = {key: self._block(key) for key in program.tables}
        self.transitions = {slot: self._transitions(slot) for slot in slots(problem)}
        stem = program.stem.at(rates, made=rates.level(0))
        self.first = stem.size  # of the cells before a block of stage 0 those after another block start here
        self.forward = [self._nothing(graph.ins(stage).count) for stage in range(len(problem.stages))]
        self.forward[0][0, : self.first] = stem
        for slot in slots(problem):
            self._solve_slot(slot)
        self.head = program.head.at(rates, made=rates.level(-1))  # [I, C]
        self.deltas = np.array([problem.log_delta(state) for state in self.depths.states])  # -inf where no path ends
        self.end = self.forward[-1][:-1] + self.deltas[:, None]  # [H, I]
        self.end[~graph.exits[-1]] = -math.inf
        ends = self.end.max(axis=0)[:, None] + self.head
        self.value = float(ends.max()) if ends.size else -math.inf

    def _nothing(self, cells: int) -> Floats:
        """Minus infinity for each depth and cell, [H + 1, C]; what is too deep goes to the last row."""
        return np.full((len(self.depths.states) + 1, cells), -math.inf)

    def worth(self, slot: Slot, share: GainCost) -> Floats:
        """What a share of a block in a slot is worth."""
        return share.at(self.rates, self.rates.level(slot.stage - slot.enter), self.rates.level(slot.stage))

    def bodies(self, slot: Slot, index: int) -> tuple[Floats, Floats]:
        """What the first sub-layer of a block is worth without what depends on its width in, and each further one,
        [K, M, W] each.
        """
        tables = self.program.tables[slot, index]
        first, more = self.worth(slot, tables.first), self.worth(slot, tables.more)
        if tables.spreads is not None and self.rates.levels:
            first = first + self._spread(slot, tables.spreads.first) - self.rates.unit * tables.first.units
            more = more + self._spread(slot, tables.spreads.more) - self.rates.unit * tables.more.units
        return first, more

    def _spread(self, slot: Slot, units: Sequence[Spread]) -> Floats | float:
        """What the logarithms of the MACs of units are worth."""
        levels = self.rates.level(slot.stage - slot.enter), self.rates.level(slot.stage)
        return sum((each.at(self.rates, *levels) for each in units), 0.0)

    def _block(self, key: tuple[Slot, int]) -> Block:
        slot, tables, choice = key[0], self.program.tables[key], self.program.graph.choices[key]
        entry, across = self.worth(slot, tables.entry), self.worth(slot, tables.across)
        first, more = self.bodies(*key)
        times = np.array([self.depths.steps[step] - 1.0 for step in choice.steps])
        body = first[:, :, None] + times[:, None] * more[:, :, None]
        if tables.opening is None or not self.rates.levels:
            return Block(entry, body.max(axis=0), across)
        if tables.spreads is None:
            return Block(entry, body, across, self.rates.unit * tables.opening)
        return Block(entry, body, across, cast(Floats, self._spread(slot, [tables.spreads.opening])))

    def _transitions(self, slot: Slot) -> dict[int, Transition]:
        rows: dict[int, Transition] = {}
        for kind, indices in self.groups(slot).items():
            choices = [self.program.graph.choices[slot, index] for index in indices]
            steps = sorted({step for choice in choices for step in choice.steps})
            values: Floats | None = None
            for index, choice in zip(indices, choices, strict=True):
                block = self.blocks[slot, index]
                product = block_product(block)
                if len(choice.steps) < len(steps):
                    missing = np.full((len(product), len(steps), product.shape[2]), -math.inf)
                    missing[:, [steps.index(step) for step in choice.steps]] = product
                    product = missing
                values = product if values is None else np.maximum(values, product, out=values)
            if values is not None:
                rows[kind] = Transition(steps, values)
        return rows

    def groups(self, slot: Slot) -> dict[int, list[int]]:
        """Variants in a slot by their kind in `Depths.kinds`."""
        rows: dict[int, list[int]] = {}
        for index, variant in enumerate(self.program.problem.variants):
            if (slot, index) in self.program.tables:
                rows.setdefault(self.depths.kinds[self.program.problem.length(variant)], []).append(index)
        return rows

    def outs(self, values: list[Floats], stage: int) -> Floats:
        """The columns of a stage that a block can lead to."""
        return values[stage][:, self.first :] if stage == 0 else values[stage]

    def source(self, slot: Slot) -> Floats:
        """The beginnings that a block can follow, [H, I]; those of its own stage change with every block."""
        forward = self.forward[slot.stage - slot.enter][:-1]
        if not slot.enter:
            return forward
        return np.where(self.program.graph.exits[slot.stage - 1], forward, -math.inf)

    def moves(self, slot: Slot) -> Iterator[tuple[int, Ints, Floats]]:
        """(h, the states after blocks from h, T [I, N, W]) for every depth h that is not too deep."""
        count = len(self.depths.states)
        rows = [(self.depths.next[kind][:, each.steps], each.values) for kind, each in self.transitions[slot].items()]
        for state in range(count):
            for table, values in rows:
                targets = table[state]
                fits = int(np.count_nonzero(targets < count))
                if fits:
                    yield state, targets[:fits], values[:, :fits]

    def _solve_slot(self, slot: Slot) -> None:
        source, target = self.source(slot), self.outs(self.forward, slot.stage)
        for state, targets, values in self.moves(slot):
            row = source[state]
            if row.max(initial=-math.inf) > -math.inf:
                best = (row[:, None, None] + values).max(axis=0)
                target[targets] = np.maximum(target[targets], best)


def block_product(block: Block) -> Floats:
    """What the best block between two widths is worth, [I, N, W]."""
    if block.opening is None:
        return max_plus(block.entry, block.body) + block.across[:, None]
    best = np.full((len(block.entry), *block.body.shape[2:]), -math.inf)
    for _, cells, worth in block.rows():
        np.maximum(best[..., cells], worth, out=best[..., cells])
    return best + block.across[:, None]


def max_plus(left: Floats, right: Floats) -> Floats:
    """max over M of left[I, M] + right[M, N, W]: the product of (max, +) algebra, [I, N, W]."""
    count, mids = left.shape
    rows = right.reshape(mids, -1)
    best: Floats = left[:, 0, None] + rows[0]
    buffer = np.empty_like(best)
    for mid in range(1, mids):
        np.add(left[:, mid, None], rows[mid], out=buffer)
        np.maximum(best, buffer, out=best)
    return best.reshape(count, *right.shape[1:])
