"""Branching: a part of the space cut in two, between the paths whose mixture makes its bound.

Where the bound of a part is not met by one network, the best prices are those at which several paths are worth the
same: one has too many parameters, another too few, say. A cut that separates them makes the bound of both halves lower.
Cuts are taken where every path makes exactly one choice, so that the halves share no path and miss none: the depth and
the width at which it leaves a stage, its first block in a stage, the width of its stem and of its head.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from ...space import Gene, Genome
from .cells import Cells
from .graph import Choice, Graph, Place
from .problem import LAYERS_PER_SUBLAYER, Problem


class Traits(NamedTuple):
    """What a path chooses at each stage's end (depth, width), and as each stage's first block but in the one behind the
    stem, which may have none.
    """

    depths: tuple[int, ...]
    widths: tuple[int, ...]
    entries: tuple[Gene, ...]
    stem: int
    head: int


def traits(problem: Problem, genome: Genome) -> Traits:
    """The choices of a path; depths in the unit that tells the states apart."""
    depths, widths, entries, depth = [], [], [], 0
    by_layers = _by_layers(problem)
    for index, gene in enumerate(genome[1:-1], start=1):
        if gene.stride > 1:
            depths.append(depth)
            widths.append(genome[index - 1].width)
            entries.append(gene)
        depth += gene.sublayers * (LAYERS_PER_SUBLAYER[gene.op] if by_layers else 1)
    depths.append(depth)
    widths.append(genome[-2].width)
    return Traits(tuple(depths), tuple(widths), tuple(entries), genome[0].width, genome[-1].width)


def cut(problem: Problem, graph: Graph, genomes: Sequence[Genome]) -> tuple[Graph, Graph] | None:
    """Two halves of a graph that separate some of these paths; None where nothing tells them apart."""
    rows = [traits(problem, genome) for genome in genomes]
    cuts = max(_cuts(problem, graph, rows), key=lambda one: one[0], default=None)
    return None if cuts is None else cuts[1:]


def _cuts(problem: Problem, graph: Graph, rows: list[Traits]) -> Iterator[tuple[float, Graph, Graph]]:
    """(how far the paths are apart, half, half) for every choice in which they differ."""
    states = problem.depths.states
    units = torch.tensor([state.layers if _by_layers(problem) else state.sublayers for state in states])
    for stage in range(len(graph.exits)):
        low, high = _span([row.depths[stage] for row in rows])
        if low < high:
            below = (units <= (low + high) // 2)[:, None]
            yield 10.0 * (high - low), _exit(graph, stage, below), _exit(graph, stage, ~below)
        low, high = _span([row.widths[stage] for row in rows])
        if low < high:
            below = (graph.ins(stage).lo <= _middle(low, high))[None, :]
            yield high / low, _exit(graph, stage, below), _exit(graph, stage, ~below)
        if stage:
            yield from _entry_cuts(problem, graph, Place(stage, True), [row.entries[stage - 1] for row in rows])
    for end in ("stem", "head"):
        low, high = _span([getattr(row, end) for row in rows])
        if low < high:
            cells: Cells = getattr(graph, end)
            below = cells.lo <= _middle(low, high)
            yield high / low, _keep_end(graph, end, below), _keep_end(graph, end, ~below)


def _entry_cuts(
    problem: Problem, graph: Graph, place: Place, genes: list[Gene]
) -> Iterator[tuple[float, Graph, Graph]]:
    low, high = _span([gene.sublayers for gene in genes])
    if low < high:
        steps, middle = problem.depths.steps, (low + high) // 2
        yield (
            5.0 * (high - low),
            _limit(graph, place, lambda one: one._replace(steps=tuple(i for i in one.steps if steps[i] <= middle))),
            _limit(graph, place, lambda one: one._replace(steps=tuple(i for i in one.steps if steps[i] > middle))),
        )
    kinds = {_variant(problem, gene) for gene in genes}
    if len(kinds) > 1:
        first = min(kinds)
        here = {key: one for key, one in graph.choices.items() if key != (place, first)}
        there = {key: one for key, one in graph.choices.items() if key[0] != place or key[1] == first}
        yield 4.0, replace(graph, choices=there), replace(graph, choices=here)
        return
    low, high = _span([gene.mid for gene in genes])
    if low < high:
        split = _middle(low, high)
        yield (
            high / low,
            _limit(graph, place, lambda one: one._replace(mids=one.mids.keep(one.mids.lo <= split))),
            _limit(graph, place, lambda one: one._replace(mids=one.mids.keep(one.mids.lo > split))),
        )


def _limit(graph: Graph, place: Place, change: Callable[[Choice], Choice]) -> Graph:
    """A graph whose choices at a place are changed; those with nothing left go."""
    rows: dict[tuple[Place, int], Choice] = {}
    for key, choice in graph.choices.items():
        kept = change(choice) if key[0] == place else choice
        if kept.steps and kept.mids.count:
            rows[key] = kept
    return replace(graph, choices=rows)


def _exit(graph: Graph, stage: int, mask: Tensor) -> Graph:
    exits = list(graph.exits)
    exits[stage] = exits[stage] & mask
    return replace(graph, exits=tuple(exits))


def _keep_end(graph: Graph, end: str, mask: Tensor) -> Graph:
    if end == "head":
        return replace(graph, head=graph.head.keep(mask))
    others = torch.ones(graph.widths[0].count, dtype=torch.bool)
    columns = torch.cat([mask, others])
    return replace(graph, stem=graph.stem.keep(mask), exits=(graph.exits[0][:, columns], *graph.exits[1:]))


def _variant(problem: Problem, gene: Gene) -> int:
    """The number of a block's variant."""
    for index, variant in enumerate(problem.variants):
        same = (variant.op, variant.group_width, variant.expansion) == (gene.op, gene.group_width, gene.expansion)
        if same and gene.kernel in variant.kernels:
            return index
    raise ValueError("a block of no variant")


def _by_layers(problem: Problem) -> bool:
    return not problem.depths.exact and problem.limits.sublayers is None


def _span(values: list[int]) -> tuple[int, int]:
    return min(values), max(values)


def _middle(low: int, high: int) -> float:
    """A width between two, but below the upper one."""
    return float(min((low * high) ** 0.5, high - 0.5))
