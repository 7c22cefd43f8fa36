"""What is left of a problem: for each position the blocks that it can still have, with widths in cells.

A cell is a set of neighbouring widths that the bound treats as one. Gains and costs both grow with every width. A cell
that gains like its widest member and costs like its narrowest is therefore never worth less than any of its members:
what is proven of the cell is proven of them all. Cells that matter are split until each holds one width, and then
nothing is lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ....net.ops import Gene
from ...space import WidthRange
from .problem import Grid, Problem, Variant

Bools: TypeAlias = NDArray[np.bool_]
Ints: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Cells:
    """Disjoint intervals of widths, ascending: the multiples of `step` from `lo` to `hi`, int64 [C] each."""

    lo: Ints
    hi: Ints
    step: int

    @property
    def count(self) -> int:
        """C, the number of cells."""
        return self.lo.size

    @property
    def single(self) -> Bools:
        """Which cells hold one width only, bool [C]."""
        mask: Bools = self.lo == self.hi
        return mask

    @property
    def key(self) -> tuple[bytes, bytes]:
        """What cells of the same widths have in common."""
        return self.lo.tobytes(), self.hi.tobytes()

    @property
    def split_count(self) -> int:
        """How many cells there are after `split`."""
        return 2 * self.count - int(np.count_nonzero(self.single))

    def keep(self, which: Bools) -> Cells:
        """The cells of a mask, bool [C]."""
        return Cells(self.lo[which], self.hi[which], self.step)

    def split(self) -> tuple[Cells, Ints]:
        """Every cell of several widths cut in two, and for each part the index of the cell it was in, int64 [C']."""
        middle = (self.lo + self.hi) // (2 * self.step) * self.step
        several = ~self.single
        lo = np.concatenate([self.lo, (middle + self.step)[several]])
        hi = np.concatenate([np.where(several, middle, self.hi), self.hi[several]])
        parents = np.arange(self.count)
        parents = np.concatenate([parents, parents[several]])
        order = np.argsort(lo, kind="stable")
        return Cells(lo[order], hi[order], self.step), parents[order]

    def inside(self, index: int) -> int:
        """A width of a cell: the one in its middle."""
        lo, hi = int(self.lo[index]), int(self.hi[index])
        return (lo + hi) // (2 * self.step) * self.step if lo < hi else lo


def cover(span: Grid | WidthRange, ratio: float) -> Cells:
    """Cells that hold every width of a range; the widest of a cell is at most `ratio` times the narrowest."""
    lo, hi = [], []
    width = span.min
    while width <= span.max:
        end = max(width, min(span.max, int(width * ratio) // span.step * span.step))
        lo.append(width)
        hi.append(end)
        width = end + span.step
    return Cells(np.array(lo), np.array(hi), span.step)


def points(span: Grid | WidthRange, ratio: float) -> Cells:
    """Single widths of a range, each about `ratio` times the one before."""
    widths, width = [], span.min
    while width <= span.max:
        widths.append(width)
        width = max(width + span.step, int(width * ratio) // span.step * span.step)
    return singles(widths, span.step)


def singles(widths: Sequence[int], step: int) -> Cells:
    """One cell for each of these widths."""
    rows = np.array(sorted(set(widths)))
    return Cells(rows, rows, step)


class Slot(NamedTuple):
    """A position of blocks: in a stage, as its first block (`enter`) or after it."""

    stage: int
    enter: bool


class Choice(NamedTuple):
    """What a variant in a slot can still be: cells of its mid width, and indices of `Depths.steps`, ascending."""

    mids: Cells
    steps: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Graph:
    """What is left of a problem: cells of stem, widths (per stage) and head, the blocks' choices, and the exits.

    `exits[i]`, bool [H, I], says at which depth and width a path may go from stage i to the next, or to the head.
    """

    stem: Cells
    widths: tuple[Cells, ...]
    head: Cells
    choices: dict[tuple[Slot, int], Choice]
    exits: tuple[Bools, ...]

    def ins(self, stage: int) -> Cells:
        """The widths before a block that is not this stage's first; those of the stem belong to stage 0."""
        if stage:
            return self.widths[stage]
        lo, hi = (np.concatenate([getattr(one, end) for one in (self.stem, self.widths[0])]) for end in ("lo", "hi"))
        return Cells(lo, hi, self.widths[0].step)

    @property
    def exact(self) -> bool:
        """Whether every cell holds one width."""
        every = [self.stem, self.head, *self.widths, *(choice.mids for choice in self.choices.values())]
        return all(bool(cells.single.all()) for cells in every)

    @property
    def split_size(self) -> int:
        """The greatest product of cells of width in, mid width and width out of a block, were all cells cut in two."""
        sizes = [
            self.ins(slot.stage - slot.enter).split_count
            * choice.mids.split_count
            * self.widths[slot.stage].split_count
            for (slot, _), choice in self.choices.items()
        ]
        return max(sizes, default=0)

    def split(self) -> Graph:
        """Every cell of several widths cut in two."""
        (stem, stem_parents), (head, _) = self.stem.split(), self.head.split()
        widths, parents = zip(*(cells.split() for cells in self.widths), strict=True)
        columns = [np.concatenate([stem_parents, parents[0] + self.stem.count]), *parents[1:]]
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
        return Cells(np.append(cells.lo, own), np.append(cells.hi, own), cells.step)

    stem, head = (ends(*pair) for pair in problem.conv_spans())
    strided = len(problem.stages) - 1
    mids = [singles([0], 1) if variant.is_tied else make(variant.mids, ratio) for variant in problem.variants]
    choices = {}
    for slot in slots(problem):
        most = problem.depths.most - (strided - slot.enter) * space.depth.min
        steps = tuple(i for i, n in enumerate(problem.depths.steps) if n <= most)
        if steps:
            choices.update({(slot, index): Choice(cells, steps) for index, cells in enumerate(mids)})
    graph = Graph(stem, tuple(make(space.width, ratio) for _ in problem.stages), head, choices, ())
    states = len(problem.depths.states)
    exits = [np.ones((states, graph.ins(stage).count), dtype=np.bool_) for stage in range(strided + 1)]
    if not strided:
        exits[0][:, : stem.count] = False  # there is a block between stem and head
    return replace(graph, exits=tuple(exits))


def slots(problem: Problem) -> Iterator[Slot]:
    """The positions of blocks, in the order of a network."""
    for stage in range(len(problem.stages)):
        if stage:
            yield Slot(stage, True)
        yield Slot(stage, False)


def make_gene(variant: Variant, kernel: int, width: int, mid: int, stride: int, sublayers: int) -> Gene:
    """A block."""
    gene = variant.gene._replace(kernel=kernel, width=width, mid=width if variant.is_tied else mid, stride=stride)
    return gene.with_sublayers(sublayers)
