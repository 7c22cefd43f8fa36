"""Striking out: what no path worth a known network passes can be left out for good.

`ahead + behind` is the best value of all paths through a point. At any prices it bounds the score of every network
within the budgets that passes there, so that a point below the best known network cannot belong to a better one.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .dynamic import Solution
from .graph import Choice, Graph, Place, places

_ROUNDING = 1e-9


def backwards(solution: Solution) -> tuple[list[Tensor], list[Tensor]]:
    """`behind`, [H + 1, I] for each stage, and the same of paths that leave the stage at once, [H, I]."""
    exits = solution.program.graph.exits
    behind = [torch.full_like(values, -math.inf) for values in solution.ahead]
    leaving = [(solution.deltas[:, None] + solution.head.amax(1)).masked_fill(~exits[-1], -math.inf)]
    behind[-1][:-1] = leaving[0]
    for place in reversed(list(places(solution.program.problem))):
        source, target = behind[place.stage - place.enter], solution.outs(behind, place.stage)
        for state, targets, values in reversed(list(solution.moves(place))):
            best = (values + target[targets][:, None, :]).amax(2).amax(0)
            source[state] = torch.maximum(source[state], best)
        if place.enter:
            source[:-1].masked_fill_(~exits[place.stage - 1], -math.inf)
            leaving.append(source[:-1].clone())
    return behind, leaving[::-1]


def prune(solution: Solution, floor: float) -> Graph | None:
    """The graph without what no path of at least `floor` passes; None if nothing is left."""
    problem, graph = solution.program.problem, solution.program.graph
    behind, leaving = backwards(solution)
    through = [(one + other).amax(0) for one, other in zip(solution.ahead, behind, strict=True)]
    if solution.value < floor:
        return None
    floor -= _ROUNDING
    keep = [row >= floor - _ROUNDING for row in through]  # whoever keeps a block keeps its ends
    keep[0], stem = keep[0][solution.first :], keep[0][: solution.first]
    choices: dict[tuple[Place, int], Choice] = {}
    for place in places(problem):
        for kind, indices in solution.groups(place).items():
            rest = _rest(solution, place, kind, behind)
            for index in indices:
                choice = _prune_choice(solution, (place, index), kind, rest, floor)
                if choice is not None:
                    choices[place, index] = choice
    exits = [
        exits & (ahead[:-1] + rest >= floor)
        for exits, ahead, rest in zip(graph.exits, solution.ahead, leaving, strict=True)
    ]
    columns = [torch.cat([stem, keep[0]]), *keep[1:]]
    ends = solution.end.amax(0)[:, None] + solution.head
    return Graph(
        graph.stem.keep(stem),
        tuple(cells.keep(mask) for cells, mask in zip(graph.widths, keep, strict=True)),
        graph.head.keep(ends.amax(0) >= floor),
        choices,
        tuple(mask[:, column] for mask, column in zip(exits, columns, strict=True)),
    )


def _rest(solution: Solution, place: Place, kind: int, behind: list[Tensor]) -> Tensor:
    """The best of all that stands around a block, by its depth and widths in and out, [N, I, W]."""
    transition = solution.transitions[place][kind]
    source, target = solution.source(place), solution.outs(behind, place.stage)
    rest = torch.full_like(transition.values, -math.inf)
    for state, row in enumerate(solution.depths.next[kind]):
        if bool(torch.isfinite(source[state]).any()):
            targets = [row[step] for step in transition.steps]
            rest = torch.maximum(rest, source[state][:, None] + target[targets][:, None, :])
    return rest


def _prune_choice(solution: Solution, key: tuple[Place, int], kind: int, rest: Tensor, floor: float) -> Choice | None:
    choice, block = solution.program.graph.choices[key], solution.blocks[key]
    steps = solution.transitions[key[0]][kind].steps
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
