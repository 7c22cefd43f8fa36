"""Smaller graphs: what cannot matter is removed, and what is left is cut in two.

Pruning removes choices that no path as good as the best known network uses. `forward + backward` is the best value of
all paths through a point. At any prices it bounds the score of every network within the limits that passes there, so
that a point below the best known network cannot belong to a better one.

Cutting is for a part of the space whose bound no single network meets: the best prices are those at which several
paths are worth the same, one with too many parameters, another with too few, say. A cut that separates them makes the
bound of both halves lower. Cuts are made where every path makes exactly one choice, so that the halves share no path
and miss none: the depth and the width at which it leaves a stage, its first block in a stage, the width of its stem and
of its head.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ....net.ops import Gene
from ...space import Genome
from .graph import Bools, Cells, Choice, Floats, Graph, Ints, Slot, slots
from .problem import Problem
from .program import ROUNDING, Solution


def prune(solution: Solution, floor: float) -> Graph | None:
    """The graph without what no path of at least `floor` passes; None if nothing is left."""
    if solution.value < floor:
        return None
    problem, graph = solution.program.problem, solution.program.graph
    backward, leaving = solve_backward(solution)
    through = [(one + other).max(axis=0) for one, other in zip(solution.forward, backward, strict=True)]
    floor -= ROUNDING
    keep = [row >= floor - ROUNDING for row in through]  # where a block is kept, so are its ends
    keep[0], stem = keep[0][solution.first :], keep[0][: solution.first]
    choices: dict[tuple[Slot, int], Choice] = {}
    for slot in slots(problem):
        for kind, indices in solution.groups(slot).items():
            around = _around(solution, slot, kind, backward)
            for index in indices:
                choice = _prune_choice(solution, (slot, index), kind, around, floor)
                if choice is not None:
                    choices[slot, index] = choice
    exits = [
        exits & (forward[:-1] + rest >= floor)
        for exits, forward, rest in zip(graph.exits, solution.forward, leaving, strict=True)
    ]
    columns = [np.concatenate([stem, keep[0]]), *keep[1:]]
    ends = solution.end.max(axis=0)[:, None] + solution.head
    return Graph(
        graph.stem.keep(stem),
        tuple(cells.keep(mask) for cells, mask in zip(graph.widths, keep, strict=True)),
        graph.head.keep(ends.max(axis=0) >= floor),
        choices,
        tuple(mask[:, column] for mask, column in zip(exits, columns, strict=True)),
    )


def solve_backward(solution: Solution) -> tuple[list[Floats], list[Floats]]:
    """The best ends, [H + 1, I] for each stage, and the best of those that leave the stage at once, [H, I]."""
    exits = solution.program.graph.exits
    backward = [np.full_like(values, -math.inf) for values in solution.forward]
    leaving = [np.where(exits[-1], solution.deltas[:, None] + solution.head.max(axis=1), -math.inf)]
    backward[-1][:-1] = leaving[0]
    for slot in reversed(list(slots(solution.program.problem))):
        source, target = backward[slot.stage - slot.enter], solution.outs(backward, slot.stage)
        for state, targets, values in reversed(list(solution.moves(slot))):
            best = (values + target[targets]).max(axis=(1, 2))
            source[state] = np.maximum(source[state], best)
        if slot.enter:
            source[:-1][~exits[slot.stage - 1]] = -math.inf
            leaving.append(source[:-1].copy())
    return backward, leaving[::-1]


def _around(solution: Solution, slot: Slot, kind: int, backward: list[Floats]) -> Floats:
    """The best of all that is before and after a block, by its widths in and out and its depth, [I, N, W]."""
    transition = solution.transitions[slot][kind]
    source, target = solution.source(slot), solution.outs(backward, slot.stage)
    around = np.full_like(transition.values, -math.inf)
    for state, targets in enumerate(solution.depths.next[kind][:, transition.steps]):
        if source[state].max(initial=-math.inf) > -math.inf:
            np.maximum(around, source[state][:, None, None] + target[targets], out=around)
    return around


def _prune_choice(solution: Solution, key: tuple[Slot, int], kind: int, around: Floats, floor: float) -> Choice | None:
    choice, block = solution.program.graph.choices[key], solution.blocks[key]
    steps = solution.transitions[key[0]][kind].steps
    around = around[:, [steps.index(step) for step in choice.steps]] + block.across[:, None]  # [I, N, W]
    worth = np.full((choice.mids.count, len(choice.steps)), -math.inf)  # [M, N]
    for mid, cells, values in block.rows():
        np.maximum(worth[mid], (around[..., cells] + values).max(axis=(0, 2)), out=worth[mid])
    mids = worth.max(axis=1) >= floor
    if not mids.any():
        return None
    kept = tuple(step for step, best in zip(choice.steps, worth.max(axis=0).tolist(), strict=True) if best >= floor)
    return Choice(choice.mids.keep(mids), kept)


class Traits(NamedTuple):
    """What a path chooses: depth and width at the end of each stage, the first block of each stage but that after the
    stem, which may have none, and the widths of its ends.
    """

    depths: tuple[int, ...]
    widths: tuple[int, ...]
    entries: tuple[Gene, ...]
    stem: int
    head: int


def traits(problem: Problem, genome: Genome) -> Traits:
    """The choices of a path; depths in the unit that distinguishes the states."""
    depths, widths, entries, depth = [], [], [], 0
    for index, gene in enumerate(genome[1:-1], start=1):
        if gene.stride > 1:
            depths.append(depth)
            widths.append(genome[index - 1].width)
            entries.append(gene)
        length = problem.length(problem.variants[problem.variant_of(gene)])
        depth += gene.sublayers * (length if problem.depths.by_layers else 1)
    depths.append(depth)
    widths.append(genome[-2].width)
    return Traits(tuple(depths), tuple(widths), tuple(entries), genome[0].width, genome[-1].width)


def cut(problem: Problem, graph: Graph, genomes: Sequence[Genome]) -> tuple[Graph, Graph] | None:
    """Two halves of a graph that separate some of these paths; None where they do not differ."""
    rows = [traits(problem, genome) for genome in genomes]
    cuts = max(_cuts(problem, graph, rows), key=lambda one: one[0], default=None)
    if cuts is None and problem.evenness is not None:
        cuts = max(_wide_cuts(problem, graph), key=lambda one: one[0], default=None)
    return None if cuts is None else cuts[1:]


def _wide_cuts(problem: Problem, graph: Graph) -> Iterator[tuple[float, Graph, Graph]]:
    """(how much is left to choose, half, half) for the depth and the width at which each stage ends.

    Where evenness counts, one path alone can be worth more than it is, because its tangents are not its own.
    """
    units = _depths_of(problem)
    for stage, exits in enumerate(graph.exits):
        depths = units[exits.any(axis=1)]
        if depths.size and depths.min() < depths.max():
            below = (units <= (int(depths.min()) + int(depths.max())) // 2)[:, None]
            yield 10.0 * float(depths.max() - depths.min()), _exit(graph, stage, below), _exit(graph, stage, ~below)
        lows = graph.ins(stage).lo
        widths = lows[exits.any(axis=0)]
        if widths.size and widths.min() < widths.max():
            below = (lows <= _middle(int(widths.min()), int(widths.max())))[None, :]
            yield float(widths.max() / widths.min()), _exit(graph, stage, below), _exit(graph, stage, ~below)


def _depths_of(problem: Problem) -> Ints:
    """The depth of each state, in the unit that distinguishes them."""
    depths = problem.depths
    return np.array([state.layers if depths.by_layers else state.sublayers for state in depths.states])


def _cuts(problem: Problem, graph: Graph, rows: list[Traits]) -> Iterator[tuple[float, Graph, Graph]]:
    """(how far the paths are apart, half, half) for every choice in which they differ."""
    units = _depths_of(problem)
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
            yield from _entry_cuts(problem, graph, Slot(stage, True), [row.entries[stage - 1] for row in rows])
    for end in ("stem", "head"):
        low, high = _span([getattr(row, end) for row in rows])
        if low < high:
            cells: Cells = getattr(graph, end)
            below = cells.lo <= _middle(low, high)
            yield high / low, _keep_end(graph, end, below), _keep_end(graph, end, ~below)


def _entry_cuts(problem: Problem, graph: Graph, slot: Slot, genes: list[Gene]) -> Iterator[tuple[float, Graph, Graph]]:
    low, high = _span([gene.sublayers for gene in genes])
    if low < high:
        steps, middle = problem.depths.steps, (low + high) // 2
        yield (
            5.0 * (high - low),
            _limit(graph, slot, lambda one: one._replace(steps=tuple(i for i in one.steps if steps[i] <= middle))),
            _limit(graph, slot, lambda one: one._replace(steps=tuple(i for i in one.steps if steps[i] > middle))),
        )
    kinds = {problem.variant_of(gene) for gene in genes}
    if len(kinds) > 1:
        first = min(kinds)
        here = {key: one for key, one in graph.choices.items() if key != (slot, first)}
        there = {key: one for key, one in graph.choices.items() if key[0] != slot or key[1] == first}
        yield 4.0, replace(graph, choices=there), replace(graph, choices=here)
        return
    low, high = _span([gene.mid for gene in genes])
    if low < high:
        split = _middle(low, high)
        yield (
            high / low,
            _limit(graph, slot, lambda one: one._replace(mids=one.mids.keep(one.mids.lo <= split))),
            _limit(graph, slot, lambda one: one._replace(mids=one.mids.keep(one.mids.lo > split))),
        )


def _limit(graph: Graph, slot: Slot, change: Callable[[Choice], Choice]) -> Graph:
    """A graph whose choices in a slot are changed; those with nothing left go."""
    rows: dict[tuple[Slot, int], Choice] = {}
    for key, choice in graph.choices.items():
        kept = change(choice) if key[0] == slot else choice
        if kept.steps and kept.mids.count:
            rows[key] = kept
    return replace(graph, choices=rows)


def _exit(graph: Graph, stage: int, mask: Bools) -> Graph:
    exits = list(graph.exits)
    exits[stage] = exits[stage] & mask
    return replace(graph, exits=tuple(exits))


def _keep_end(graph: Graph, end: str, mask: Bools) -> Graph:
    if end == "head":
        return replace(graph, head=graph.head.keep(mask))
    others = np.ones(graph.widths[0].count, dtype=np.bool_)
    columns = np.concatenate([mask, others])
    return replace(graph, stem=graph.stem.keep(mask), exits=(graph.exits[0][:, columns], *graph.exits[1:]))


def _span(values: list[int]) -> tuple[int, int]:
    return min(values), max(values)


def _middle(low: int, high: int) -> float:
    """A width between two, but below the upper one."""
    return float(min((low * high) ** 0.5, high - 0.5))
