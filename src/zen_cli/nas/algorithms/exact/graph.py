"""What is left of a problem: for each place the blocks that may still stand there, in cells of widths."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from ....net.ops import OPS
from ...space import Gene, WidthRange
from .cells import Cells, cover, points, singles
from .problem import Problem, Variant


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


def make_gene(variant: Variant, kernel: int, width: int, mid: int, stride: int, sublayers: int) -> Gene:
    """A block; a mid width that stands for a cell becomes one that the variant can have."""
    if variant.group_width:
        mid = max(2, round(mid / variant.group_width)) * variant.group_width
    if variant.twins:
        mid = width
    depth = sublayers * OPS[variant.op].units_per_sublayer
    return Gene(variant.op, kernel, width, stride, depth, mid, variant.expansion, variant.group_width)
