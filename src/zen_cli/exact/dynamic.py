"""The dynamic program: the best network at a price for each parameter and multiply-add, over cells of widths.

A network is a path: stem, then blocks, then head. What the rest of a path must know of its beginning is the stage, the
depth used so far (a state h of `Depths`) and the cell w of the width. `ahead[i][h, w]` is the best value of a beginning
that ends so in stage i, `behind[i][h, w]` the best value of the rest; their sum is the best value of all paths through
that point, and what lies below a known network is struck out for good.

A block of n sub-layers is one transition, worth

    T_n[I, W] = max over M (entry[I, M] + max over K (first + (n - 1) more)[M, W]) + shortcut[I, W],

a (max, +) product of small matrices; a block keeps its op, kernel and mid width from its first sub-layer to its last,
and only its first unit pays for a projection.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from ..space import Gene, WidthRange
from ..spec import UNITS_PER_SUBLAYER
from .cells import Cells, cover, points, singles
from .problem import Depths, Problem, Variant
from .tables import Part, SubLayer, head_part, repeat, stem_part, sublayer_tables

Prices: TypeAlias = tuple[float, float]

_ROUNDING = 1e-9


class Place(NamedTuple):
    """Where blocks stand: in a stage, as its first block (`enter`) or behind it."""

    stage: int
    enter: bool


class Choice(NamedTuple):
    """What a variant at a place may still be: cells of its mid width, and indices of `Depths.steps`, ascending."""

    mids: Cells
    steps: tuple[int, ...]


@dataclass(frozen=True)
class Graph:
    """What is left of a problem: cells of stem, widths (per stage) and head, the blocks' choices, and the exits.

    `exits[i]`, bool [H, I], says at which depth and width a path may go from stage i to the next, or to the head.
    """

    stem: Cells
    widths: tuple[Cells, ...]
    head: Cells
    choices: dict[tuple[Place, int], Choice]
    exits: tuple[Tensor, ...]

    def ins(self, stage: int) -> Cells:
        """The widths in front of a block behind this stage's first; those of the stem belong to stage 0."""
        if stage:
            return self.widths[stage]
        lo, hi = (torch.cat([getattr(one, end) for one in (self.stem, self.widths[0])]) for end in ("lo", "hi"))
        return Cells(lo, hi, self.widths[0].step)

    @property
    def exact(self) -> bool:
        """Whether every cell holds one width."""
        every = [self.stem, self.head, *self.widths, *(choice.mids for choice in self.choices.values())]
        return all(bool(cells.single.all()) for cells in every)

    def split(self) -> Graph:
        """Every cell of several widths cut in two."""
        (stem, stem_parents), (head, _) = self.stem.split(), self.head.split()
        widths, parents = zip(*(cells.split() for cells in self.widths), strict=True)
        columns = [torch.cat([stem_parents, parents[0] + self.stem.count]), *parents[1:]]
        return Graph(
            stem,
            widths,
            head,
            {key: each._replace(mids=each.mids.split()[0]) for key, each in self.choices.items()},
            tuple(mask[:, column] for mask, column in zip(self.exits, columns, strict=True)),
        )


def make_graph(problem: Problem, ratio: float, *, covering: bool) -> Graph:
    """All of a problem in cells, or some widths of it, each about `ratio` times the one before."""
    space, make = problem.space, cover if covering else points

    def ends(own: int, span: WidthRange | None) -> Cells:
        if span is None:
            return singles([own], 1)
        cells = make(span, ratio)
        if own in span:
            return cells
        lo, hi = (torch.cat([end, torch.tensor([own])]) for end in (cells.lo, cells.hi))
        return Cells(lo, hi, cells.step)

    stem, head = (ends(*pair) for pair in problem.conv_spans())
    strided = len(problem.stages) - 1
    choices = {}
    for place in places(problem):
        others = strided - place.enter
        for index, variant in enumerate(problem.variants):
            most = problem.depths.most - others * space.depth.min
            steps = tuple(i for i, n in enumerate(problem.depths.steps) if n <= most)
            if steps:
                span = space.width if variant.op == "mbconv" else space.mid_width
                choices[place, index] = Choice(make(span, ratio), steps)
    graph = Graph(stem, tuple(make(space.width, ratio) for _ in problem.stages), head, choices, ())
    states = len(problem.depths.states)
    exits = [torch.ones(states, graph.ins(stage).count, dtype=torch.bool) for stage in range(strided + 1)]
    if not strided:
        exits[0][:, : stem.count] = False  # some block stands between stem and head
    return replace(graph, exits=tuple(exits))


def places(problem: Problem) -> Iterator[Place]:
    """Where blocks may stand, front to back."""
    for stage in range(len(problem.stages)):
        if stage:
            yield Place(stage, True)
        yield Place(stage, False)


class Path(NamedTuple):
    """A path through a graph: its genome (the middle of its cells), and the gains and costs of those cells."""

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

    def _outs(self, values: list[Tensor], stage: int) -> Tensor:
        """The columns of a stage that a block can lead to."""
        return values[stage][:, self.first :] if stage == 0 else values[stage]

    def _moves(self, place: Place) -> Iterator[tuple[int, list[int], Tensor]]:
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
        source, target = self.source(place), self._outs(self.ahead, place.stage)
        for state, targets, values in self._moves(place):
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

    def backwards(self) -> tuple[list[Tensor], list[Tensor]]:
        """`behind`, [H + 1, I] for each stage, and the same of paths that leave the stage at once, [H, I]."""
        exits = self.program.graph.exits
        behind = [torch.full_like(values, -math.inf) for values in self.ahead]
        leaving = [(self.deltas[:, None] + self.head.amax(1)).masked_fill(~exits[-1], -math.inf)]
        behind[-1][:-1] = leaving[0]
        for place in reversed(list(places(self.program.problem))):
            source, target = behind[place.stage - place.enter], self._outs(behind, place.stage)
            for state, targets, values in reversed(list(self._moves(place))):
                best = (values + target[targets][:, None, :]).amax(2).amax(0)
                source[state] = torch.maximum(source[state], best)
            if place.enter:
                source[:-1].masked_fill_(~exits[place.stage - 1], -math.inf)
                leaving.append(source[:-1].clone())
        return behind, leaving[::-1]

    def prune(self, floor: float) -> Graph | None:
        """The graph without what no path of at least `floor` passes; None if nothing is left."""
        problem, graph = self.program.problem, self.program.graph
        behind, leaving = self.backwards()
        through = [(one + other).amax(0) for one, other in zip(self.ahead, behind, strict=True)]
        if self.value < floor:
            return None
        floor -= _ROUNDING
        keep = [row >= floor - _ROUNDING for row in through]  # whoever keeps a block keeps its ends
        keep[0], stem = keep[0][self.first :], keep[0][: self.first]
        choices: dict[tuple[Place, int], Choice] = {}
        for place in places(problem):
            for kind, indices in self.groups(place).items():
                rest = self._rest(place, kind, behind)
                for index in indices:
                    choice = self._prune_choice((place, index), kind, rest, floor)
                    if choice is not None:
                        choices[place, index] = choice
        exits = [
            exits & (ahead[:-1] + rest >= floor)
            for exits, ahead, rest in zip(graph.exits, self.ahead, leaving, strict=True)
        ]
        columns = [torch.cat([stem, keep[0]]), *keep[1:]]
        ends = self.end.amax(0)[:, None] + self.head
        return Graph(
            graph.stem.keep(stem),
            tuple(cells.keep(mask) for cells, mask in zip(graph.widths, keep, strict=True)),
            graph.head.keep(ends.amax(0) >= floor),
            choices,
            tuple(mask[:, column] for mask, column in zip(exits, columns, strict=True)),
        )

    def _rest(self, place: Place, kind: int, behind: list[Tensor]) -> Tensor:
        """The best of all that stands around a block, by its depth and widths in and out, [N, I, W]."""
        transition = self.transitions[place][kind]
        source, target = self.source(place), self._outs(behind, place.stage)
        rest = torch.full_like(transition.values, -math.inf)
        for state, row in enumerate(self.depths.next[kind]):
            if bool(torch.isfinite(source[state]).any()):
                targets = [row[step] for step in transition.steps]
                rest = torch.maximum(rest, source[state][:, None] + target[targets][:, None, :])
        return rest

    def _prune_choice(self, key: tuple[Place, int], kind: int, rest: Tensor, floor: float) -> Choice | None:
        choice, block = self.program.graph.choices[key], self.blocks[key]
        steps = self.transitions[key[0]][kind].steps
        around = rest[[steps.index(step) for step in choice.steps]] + block.shortcut  # [N, I, W]
        worth = torch.stack(
            [
                (around + block.body[:, mid, None, :] + block.entry[:, mid, None]).amax((1, 2))
                for mid in range(choice.mids.count)
            ]
        )  # [M, N]
        mids = worth.amax(1) >= floor
        if not bool(mids.any()):
            return None
        kept = tuple(step for step, best in zip(choice.steps, worth.amax(0).tolist(), strict=True) if best >= floor)
        return Choice(choice.mids.keep(mids), kept)


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


def make_gene(variant: Variant, kernel: int, width: int, mid: int, stride: int, sublayers: int) -> Gene:
    """A block; a mid width that stands for a cell becomes one that the variant can have."""
    if variant.group_width:
        mid = max(2, round(mid / variant.group_width)) * variant.group_width
    if variant.twins:
        mid = width
    depth = sublayers * UNITS_PER_SUBLAYER[variant.op]
    return Gene(variant.op, kernel, width, stride, depth, mid, variant.expansion, variant.group_width)
