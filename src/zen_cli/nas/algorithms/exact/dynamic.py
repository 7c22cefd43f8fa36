"""The dynamic program: the best network at a price for each parameter and multiply-add, over cells of widths.

A network is a path: stem, then blocks, then head. What the rest of a path must know of its beginning is the stage, the
depth used so far (a state h of `Depths`) and the cell w of the width. `ahead[i][h, w]` is the best value of a beginning
that ends so in stage i.

A block of n sub-layers is one transition, worth

    T_n[I, W] = max over M (entry[I, M] + max over K (first + (n - 1) more)[M, W]) + shortcut[I, W],

a (max, +) product of small matrices; a block keeps its op, kernel and mid width from its first sub-layer to its last,
and only its first unit pays for a projection.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from ...space import Gene
from .graph import Graph, Place, make_gene, places
from .problem import Depths, Problem
from .tables import Part, SubLayer, head_part, repeat, stem_part, sublayer_tables

Prices: TypeAlias = tuple[float, float]


class Path(NamedTuple):
    """A path through a graph: its genome (of the middles of its cells) and its value at the prices."""

    genome: tuple[Gene, ...]
    value: float


@dataclass
class Program:
    """A graph with its tables, to be solved at any prices."""

    problem: Problem
    graph: Graph
    tables: dict[tuple[Place, int], SubLayer] = field(init=False)
    stem: Part = field(init=False)
    head: Part = field(init=False)

    def __post_init__(self) -> None:
        problem, graph = self.problem, self.graph
        self.stem = stem_part(problem, graph.stem)
        self.head = head_part(problem, graph.ins(len(problem.stages) - 1), graph.head)
        self.tables = {}
        for (place, index), choice in graph.choices.items():
            stage = problem.stages[place.stage]
            ins = graph.ins(place.stage - place.enter)
            stride = stage.stride if place.enter else 1
            self.tables[place, index] = sublayer_tables(
                problem.variants[index], stage, stride, ins, choice.mids, graph.widths[place.stage], problem.convention
            )

    def solve(self, prices: Prices) -> Solution:
        """The best path at these prices."""
        return Solution(self, prices)


class _Block(NamedTuple):
    """A variant's tables at the prices: entry [I, M], body [N, M, W] over its steps, shortcut [I, W]."""

    entry: Tensor
    body: Tensor
    shortcut: Tensor


class _Transition(NamedTuple):
    """T [N, I, W] over block depths `steps`, of the variants of one kind."""

    steps: list[int]
    values: Tensor


class Solution:
    """The dynamic program of a graph at some prices, solved forwards; see the top of this module."""

    def __init__(self, program: Program, prices: Prices) -> None:
        self.program, self.prices = program, prices
        problem, graph = program.problem, program.graph
        self.depths: Depths = problem.depths
        self.blocks = {key: self._block(key) for key in program.tables}
        self.transitions = {place: self._transitions(place) for place in places(problem)}
        stem = program.stem.at(prices)
        self.first = stem.numel()  # of the cells in front of stage 0 those behind a block start here
        self.ahead = [self._nothing(graph.ins(stage).count) for stage in range(len(problem.stages))]
        self.ahead[0][0, : self.first] = stem
        for place in places(problem):
            self._forwards(place)
        head = program.head.at(prices)  # [I, C]
        deltas = torch.tensor([problem.log_delta(state) for state in self.depths.states], dtype=torch.float64)
        self.end = (self.ahead[-1][:-1] + deltas[:, None]).masked_fill(~graph.exits[-1], -math.inf)  # [H, I]
        self.deltas, self.head = deltas, head
        ends = self.end.amax(0)[:, None] + head
        self.value = float(ends.amax()) if ends.numel() else -math.inf
        assert not math.isnan(self.value)

    def _nothing(self, cells: int) -> Tensor:
        """Minus infinity for each depth and cell, [H + 1, C]; what is too deep goes to the last row."""
        return torch.full((len(self.depths.states) + 1, cells), -math.inf, dtype=torch.float64)

    def _block(self, key: tuple[Place, int]) -> _Block:
        tables, choice = self.program.tables[key], self.program.graph.choices[key]
        first, more = tables.first.at(self.prices), tables.more.at(self.prices)
        rows = [repeat(first, more, self.depths.steps[step]).amax(0) for step in choice.steps]
        return _Block(tables.entry.at(self.prices), torch.stack(rows), tables.shortcut.at(self.prices))

    def _transitions(self, place: Place) -> dict[int, _Transition]:
        rows: dict[int, _Transition] = {}
        for kind, indices in self.groups(place).items():
            steps = sorted({step for index in indices for step in self.program.graph.choices[place, index].steps})
            shape = (len(steps), *self._shape(place))
            values = torch.full(shape, -math.inf, dtype=torch.float64)
            for index in indices:
                block = self.blocks[place, index]
                at = [steps.index(step) for step in self.program.graph.choices[place, index].steps]
                product = max_plus(block.entry, block.body) + block.shortcut
                values[at] = torch.maximum(values[at], product)
            rows[kind] = _Transition(steps, values)
        return rows

    def groups(self, place: Place) -> dict[int, list[int]]:
        """Variants at a place by their kind in `Depths.kinds`."""
        rows: dict[int, list[int]] = {}
        for index, variant in enumerate(self.program.problem.variants):
            if (place, index) in self.program.tables:
                rows.setdefault(self.depths.kinds[variant.layers], []).append(index)
        return rows

    def _shape(self, place: Place) -> tuple[int, int]:
        graph = self.program.graph
        return graph.ins(place.stage - place.enter).count, graph.widths[place.stage].count

    def outs(self, values: list[Tensor], stage: int) -> Tensor:
        """The columns of a stage that a block can lead to."""
        return values[stage][:, self.first :] if stage == 0 else values[stage]

    def moves(self, place: Place) -> Iterator[tuple[int, list[int], Tensor]]:
        """(h, the states behind blocks from h, T [N, I, W]) for every depth h that is not too deep."""
        count = len(self.depths.states)
        for state in range(count):
            for kind, transition in self.transitions[place].items():
                row = self.depths.next[kind][state]
                targets = [row[step] for step in transition.steps]
                fits = sum(target < count for target in targets)
                if fits:
                    yield state, targets[:fits], transition.values[:fits]

    def source(self, place: Place) -> Tensor:
        """The beginnings that a block can go on from, [H, I]; those of its own stage change with every block."""
        ahead = self.ahead[place.stage - place.enter][:-1]
        return ahead.masked_fill(~self.program.graph.exits[place.stage - 1], -math.inf) if place.enter else ahead

    def _forwards(self, place: Place) -> None:
        source, target = self.source(place), self.outs(self.ahead, place.stage)
        for state, targets, values in self.moves(place):
            row = source[state]
            if bool(torch.isfinite(row).any()):
                target[targets] = torch.maximum(target[targets], (row[:, None] + values).amax(1))

    def path(self) -> Path:
        """The best path."""
        problem, graph = self.program.problem, self.program.graph
        total = self.end[:, :, None] + self.head
        state, ins, head = _unravel(int(total.argmax()), total.shape)
        genes = [problem.head._replace(width=graph.head.inside(head))]
        stage = len(problem.stages) - 1
        while stage or ins >= self.first:
            out = ins if stage else ins - self.first
            place, state, ins, gene = self._step_back(stage, state, out)
            genes.append(gene)
            stage = place.stage - place.enter
        genes.append(problem.stem._replace(width=graph.stem.inside(ins)))
        return Path(tuple(reversed(genes)), self.value)

    def _step_back(self, stage: int, state: int, out: int) -> tuple[Place, int, int, Gene]:
        """(place, state before, width in, block) of the block that led to this point."""
        best: tuple[float, Place, int, int, int, int] | None = None
        for enter in (True, False):
            place = Place(stage, enter)
            if place not in self.transitions:
                continue
            source = self.source(place)
            for kind, transition in self.transitions[place].items():
                for row, step in enumerate(transition.steps):
                    for before in range(state):
                        if self.depths.next[kind][before][step] == state:
                            sums = source[before] + transition.values[row, :, out]
                            ins = int(sums.argmax())
                            if best is None or float(sums[ins]) > best[0]:
                                best = float(sums[ins]), place, kind, step, before, ins
        assert best is not None
        _, place, kind, step, before, ins = best
        return place, before, ins, self._gene(place, kind, step, ins, out)

    def _gene(self, place: Place, kind: int, step: int, ins: int, out: int) -> Gene:
        """The best block of this depth between two widths."""
        best: tuple[float, int, int] | None = None
        for index in self.groups(place)[kind]:
            choice, block = self.program.graph.choices[place, index], self.blocks[place, index]
            if step in choice.steps:
                sums = (
                    block.entry[ins]
                    + block.body[choice.steps.index(step), :, out]
                    + block.shortcut[min(ins, len(block.shortcut) - 1), min(out, block.shortcut.shape[1] - 1)]
                )
                mid = int(sums.argmax())
                if best is None or float(sums[mid]) > best[0]:
                    best = float(sums[mid]), index, mid
        assert best is not None
        _, index, mid = best
        variant, tables = self.program.problem.variants[index], self.program.tables[place, index]
        sublayers = self.depths.steps[step]
        first, more = (part.at(self.prices)[:, mid, out] for part in (tables.first, tables.more))
        worth = repeat(first, more, sublayers)
        graph, stage = self.program.graph, self.program.problem.stages[place.stage]
        width, mid_width = graph.widths[place.stage].inside(out), graph.choices[place, index].mids.inside(mid)
        return make_gene(
            variant,
            variant.kernels[int(worth.argmax())],
            width,
            mid_width,
            stage.stride if place.enter else 1,
            sublayers,
        )


def max_plus(left: Tensor, right: Tensor) -> Tensor:
    """max over M of left[I, M] + right[N, M, W]: the product of (max, +) algebra, [N, I, W]."""
    best = left[:, 0, None] + right[:, 0, None, :]
    buffer = torch.empty_like(best)
    for mid in range(1, left.shape[1]):
        torch.add(left[:, mid, None], right[:, mid, None, :], out=buffer)
        torch.maximum(best, buffer, out=best)
    return best


def _unravel(index: int, shape: torch.Size) -> tuple[int, int, int]:
    rest, third = divmod(index, shape[2])
    return *divmod(rest, shape[1]), third
