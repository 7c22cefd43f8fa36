"""Paths of a solved program: the best one, and all that are as good as the best known network.

Both go from the head back to the stem. `forward` says what the best beginning is worth, so that neither enters a dead
end. Where few paths are left, listing them one by one turns the bound into the truth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ....net.ops import Gene
from ...space import Genome
from .graph import Slot, make_gene
from .program import ROUNDING, Solution


class TooManyError(Exception):
    """There are more paths than may be visited."""


def best_path(solution: Solution) -> Genome:
    """The genome of the best path, with the middles of its cells as widths."""
    problem, graph = solution.program.problem, solution.program.graph
    total = solution.end[:, :, None] + solution.head
    state, ins, head = map(int, np.unravel_index(int(total.argmax()), total.shape))
    genes = [problem.head._replace(width=graph.head.inside(head))]
    stage = len(problem.stages) - 1
    while stage or ins >= solution.first:
        slot, state, ins, gene = _step_back(solution, stage, state, ins if stage else ins - solution.first)
        genes.append(gene)
        stage = slot.stage - slot.enter
    genes.append(problem.stem._replace(width=graph.stem.inside(ins)))
    return tuple(reversed(genes))


def _step_back(solution: Solution, stage: int, state: int, out: int) -> tuple[Slot, int, int, Gene]:
    """(slot, state before, width in, block) of the best block that leads to this point."""
    best: tuple[float, Slot, int, int, int, int] | None = None
    for slot in (Slot(stage, True), Slot(stage, False)):
        for kind, transition in solution.transitions.get(slot, {}).items():
            befores, steps = solution.depths.before(kind, state)
            where = np.searchsorted(transition.steps, steps)
            fits = np.isin(steps, transition.steps)
            if not fits.any():
                continue
            befores, where = befores[fits], where[fits]
            sums = solution.source(slot)[befores] + transition.values[:, where, out].T  # [B, I]
            row, ins = map(int, np.unravel_index(int(sums.argmax()), sums.shape))
            if best is None or sums[row, ins] > best[0]:
                best = float(sums[row, ins]), slot, kind, transition.steps[where[row]], int(befores[row]), ins
    assert best is not None
    _, slot, kind, step, before, ins = best
    return slot, before, ins, _best_block(solution, slot, kind, step, ins, out)


def _best_block(solution: Solution, slot: Slot, kind: int, step: int, ins: int, out: int) -> Gene:
    """The best block of this depth between two widths."""
    program = solution.program
    best: tuple[float, int, int] | None = None
    for index in solution.groups(slot)[kind]:
        choice, block = program.graph.choices[slot, index], solution.blocks[slot, index]
        if step in choice.steps:
            sums = block.body[..., choice.steps.index(step), out] + block.entry[ins] + block.across[ins, out]
            if block.opening is not None:  # [K, M]
                sums = (sums + block.opening[:, ins, :, out]).max(axis=0)
            mid = int(sums.argmax())
            if best is None or sums[mid] > best[0]:
                best = float(sums[mid]), index, mid
    assert best is not None
    _, index, mid = best
    variant = program.problem.variants[index]
    sublayers = solution.depths.steps[step]
    first, more = (each[:, mid, out] for each in solution.bodies(slot, index))
    worth = first + (sublayers - 1) * more
    opening = solution.blocks[slot, index].opening
    if opening is not None:
        worth = worth + opening[:, ins, mid, out]
    width, mid_width = program.graph.widths[slot.stage].inside(out), program.graph.choices[slot, index].mids.inside(mid)
    stride = program.problem.stages[slot.stage].stride if slot.enter else 1
    return make_gene(variant, variant.kernels[int(worth.argmax())], width, mid_width, stride, sublayers)


def list_paths(solution: Solution, floor: Callable[[], float], most: int) -> Iterator[Genome]:
    """The genomes of all paths worth at least `floor()` at the solution's prices; the floor may rise meanwhile.

    Args:
        solution: of a graph of single widths.
        floor: the least value, read again for every path.
        most: how many beginnings may be visited.

    Raises:
        TooManyError: more than that would be.
    """
    problem, graph = solution.program.problem, solution.program.graph
    total = solution.end[:, :, None] + solution.head
    last = len(problem.stages) - 1
    # What is still open: value of the end, stage, state, cell before the end, and the end's blocks.
    rows: list[tuple[float, int, int, int, tuple[Gene, ...]]] = []
    for state, ins, head in np.argwhere(total >= floor() - ROUNDING).tolist():
        rest = float(total[state, ins, head] - solution.forward[-1][state, ins])
        gene = problem.head._replace(width=int(graph.head.lo[head]))
        rows.append((rest, last, state, ins, (gene,)))
    rows.sort(key=lambda row: row[0] + float(solution.forward[-1][row[2], row[3]]))
    while rows:
        rest, stage, state, ins, genes = rows.pop()
        value = rest + float(solution.forward[stage][state, ins])
        if value < floor() - ROUNDING:
            continue
        if most <= 0:
            raise TooManyError
        most -= 1
        if stage == 0 and ins < solution.first:
            yield (problem.stem._replace(width=int(graph.stem.lo[ins])), *genes)
            continue
        out = ins if stage else ins - solution.first
        found = [
            (rest + worth, stage - enter, before, into, (gene, *genes))
            for enter in (True, False)
            if Slot(stage, enter) in solution.transitions
            for worth, before, into, gene in _steps_back(solution, Slot(stage, enter), state, out, floor() - rest)
        ]
        found.sort(key=lambda row: row[0] + float(solution.forward[row[1]][row[2], row[3]]))
        rows += found


def _steps_back(
    solution: Solution, slot: Slot, state: int, out: int, floor: float
) -> Iterator[tuple[float, int, int, Gene]]:
    """(value of the block, state and cell before it, block) of all blocks to a point with beginnings worth `floor`."""
    program, depths = solution.program, solution.depths
    problem, source = program.problem, solution.source(slot)
    width = int(program.graph.widths[slot.stage].lo[out])
    stride = problem.stages[slot.stage].stride if slot.enter else 1
    for kind, indices in solution.groups(slot).items():
        befores, by_step = depths.before(kind, state)
        for index in indices:
            choice, block = program.graph.choices[slot, index], solution.blocks[slot, index]
            variant = problem.variants[index]
            outside = block.entry + block.across[:, out, None]  # [I, M]
            first, more = (each[:, :, out] for each in solution.bodies(slot, index))  # [K, M]
            for step in choice.steps:
                rows = befores[by_step == step]
                if not rows.size:
                    continue
                sublayers = depths.steps[step]
                worth = outside[:, :, None] + (first + (sublayers - 1) * more).T  # [I, M, K]
                if block.opening is not None:
                    worth = worth + block.opening[..., out].transpose(1, 2, 0)
                values = source[rows][:, :, None, None] + worth  # [B, I, M, K]
                for row, ins, mid, kernel in np.argwhere(values >= floor - ROUNDING).tolist():
                    mid_width = int(choice.mids.lo[mid])
                    gene = make_gene(variant, variant.kernels[kernel], width, mid_width, stride, sublayers)
                    yield float(worth[ins, mid, kernel]), int(rows[row]), ins, gene
