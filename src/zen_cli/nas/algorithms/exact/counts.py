"""Units per stage: one solved program bounds the networks of every way to divide the units among the stages.

Tangents are tight for one division only: with other units at a resolution there are other MACs. So networks are best
bounded division by division, each at prices and tangents of its own; and where a program has been solved for one, the
chain of its stages says what it proves of all the others. `Counts` are the units of each stage, in the order of a
network.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from .graph import Floats, Graph, Slot
from .problem import Problem
from .program import ROUNDING, Solution

Counts: TypeAlias = tuple[int, ...]


def bounds_by_counts(
    solution: Solution, leaving: list[Floats], floor: float, among: Collection[Counts] = ()
) -> dict[Counts, float]:
    """The value of the best path of each division of the units, of those that are worth more than `floor`.

    Args:
        solution: of a problem with evenness.
        leaving: the best ends of paths that leave each stage, from `solve_backward`.
        floor: in nats.
        among: if there are any, no other divisions are wanted; a stage has no more units then than in one of these.
    """
    units = np.array([state.layers for state in solution.depths.states])
    rows: list[Counts] = [()]
    values = np.full((1, solution.program.graph.ins(0).count), -math.inf)
    values[0, : solution.first] = solution.forward[0][0, : solution.first]
    floor -= ROUNDING
    for stage, ends in enumerate(leaving):
        longer: list[Counts] = []
        parts: list[Floats] = []
        totals = np.array([sum(row) for row in rows])
        rest = np.stack([ends[units == n].max(axis=0, initial=-math.inf) for n in range(int(units.max()) + 1)])
        best, best_rest = values.max(axis=1), rest.max(axis=1)
        most = max((counts[stage] for counts in among), default=int(units.max()))
        for count, matrix in enumerate(_passages(solution, stage, most)):
            if matrix is None:
                continue
            after = totals + count
            within = np.flatnonzero(after < len(rest))
            within = within[best[within] + matrix.max() + best_rest[after[within]] > floor]
            reached = _reach(values[within], matrix)
            matters = reached + rest[after[within]] > floor
            kept = np.flatnonzero(matters.any(axis=1))
            parts.append(np.where(matters[kept], reached[kept], -math.inf))
            longer += [(*rows[index], count) for index in within[kept].tolist()]
        if not longer:
            return {}
        rows, values = longer, np.concatenate(parts)
    whole = values + leaving[-1][units == units.max()].max(axis=0)
    return dict(zip(rows, (whole.max(axis=1) + ROUNDING).tolist(), strict=True))


def _reach(values: Floats, matrix: Floats) -> Floats:
    """The product of (max, +) algebra of values [R, I] and a matrix [I, I'], [R, I']."""
    reached = np.full((len(values), matrix.shape[1]), -math.inf)
    for index in np.flatnonzero((values > -math.inf).any(axis=0)).tolist():
        np.maximum(reached, values[:, index, None] + matrix[index], out=reached)
    return reached


def _passages(solution: Solution, stage: int, most: int) -> list[Floats | None]:
    """By the units of a stage, up to `most`, what passing it is worth, by widths before it and at its end, [I, I']."""
    first, others = Slot(stage, True), Slot(stage, False)
    one, more = _blocks(solution, first, most), _blocks(solution, others, most)
    offset = 0 if stage else solution.first
    rows: list[Floats | None] = [None] * (most + 1)
    if not stage:  # the widths before it are those that a block can follow, so that there may be no block at all
        count = solution.program.graph.ins(0).count
        rows[0] = np.where(np.eye(count, dtype=np.bool_), 0.0, -math.inf)
    for total in range(1, most + 1):
        best = one[total]
        for last in range(1, total + 1):
            before, block = rows[total - last], more[last]
            if before is not None and block is not None:
                product = np.full((len(before), offset + block.shape[1]), -math.inf)
                product[:, offset:] = _reach(before, block)
                best = product if best is None else np.maximum(best, product)
        rows[total] = best
    return rows


def _blocks(solution: Solution, slot: Slot, most: int) -> list[Floats | None]:
    """By the units of a block in a slot, what the best one is worth, [I, W]."""
    rows: list[Floats | None] = [None] * (most + 1)
    depths = solution.depths
    lengths = {number: length for length, number in depths.kinds.items()}
    for kind, transition in solution.transitions.get(slot, {}).items():
        length = lengths[kind]
        for index, step in enumerate(transition.steps):
            units = depths.steps[step] * length
            if units <= most:
                values, known = transition.values[:, index], rows[units]
                rows[units] = values if known is None else np.maximum(known, values)
    return rows


def with_counts(problem: Problem, graph: Graph, counts: Counts) -> Graph:
    """A graph of the paths with so many units in each stage."""
    units = np.array([state.layers for state in problem.depths.states])
    exits = tuple(mask & (units == total)[:, None] for mask, total in zip(graph.exits, np.cumsum(counts), strict=True))
    choices = {}
    for (slot, index), choice in graph.choices.items():
        length = problem.length(problem.variants[index])
        most = counts[slot.stage] - (0 if slot.enter or not slot.stage else 1)
        steps = tuple(step for step in choice.steps if problem.depths.steps[step] * length <= most)
        if steps:
            choices[slot, index] = choice._replace(steps=steps)
    return replace(graph, exits=exits, choices=choices)
