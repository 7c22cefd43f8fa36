"""Listing: every path of a part that is worth at least the best known network.

Where a part cannot be cut any more, or few paths are left in it, they are looked at one by one; what comes of that is
no bound but the truth. From the head backwards: `ahead` says what the best beginning is worth, so that the search
never enters a dead end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ...space import Gene, Genome
from .dynamic import Solution
from .graph import Place, make_gene
from .tables import repeat

_ROUNDING = 1e-9


class TooManyError(Exception):
    """There are more paths than were to be looked at."""


def list_paths(solution: Solution, floor: Callable[[], float], most: int) -> Iterator[Genome]:
    """The genomes of all paths worth at least `floor()` at the solution's prices; the floor may rise meanwhile.

    Args:
        solution: of a graph of single widths.
        floor: the least value, asked again and again.
        most: how many beginnings may be looked at.

    Raises:
        TooManyError: more than that would be.
    """
    problem, graph = solution.program.problem, solution.program.graph
    total = solution.end[:, :, None] + solution.head
    last = len(problem.stages) - 1
    # What is still open: value of the end, stage, state, cell in front of the end, and the end's blocks.
    rows: list[tuple[float, int, int, int, tuple[Gene, ...]]] = []
    for state, ins, head in (total >= floor() - _ROUNDING).nonzero().tolist():
        rest = float(total[state, ins, head] - solution.ahead[-1][state, ins])
        gene = problem.head._replace(width=int(graph.head.lo[head]))
        rows.append((rest, last, state, ins, (gene,)))
    rows.sort(key=lambda row: row[0] + float(solution.ahead[-1][row[2], row[3]]))
    while rows:
        rest, stage, state, ins, genes = rows.pop()
        value = rest + float(solution.ahead[stage][state, ins])
        if value < floor() - _ROUNDING:
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
            if Place(stage, enter) in solution.transitions
            for worth, before, into, gene in _steps(solution, Place(stage, enter), state, out, floor() - rest)
        ]
        found.sort(key=lambda row: row[0] + float(solution.ahead[row[1]][row[2], row[3]]))
        rows += found


def _steps(
    solution: Solution, place: Place, state: int, out: int, floor: float
) -> Iterator[tuple[float, int, int, Gene]]:
    """(value of the block, state and cell before it, block) of all blocks to a point with beginnings worth `floor`."""
    program, depths = solution.program, solution.depths
    problem, source = program.problem, solution.source(place)
    width = int(program.graph.widths[place.stage].lo[out])
    stride = problem.stages[place.stage].stride if place.enter else 1
    for kind, indices in solution.groups(place).items():
        for index in indices:
            choice, block = program.graph.choices[place, index], solution.blocks[place, index]
            tables, variant = program.tables[place, index], problem.variants[index]
            column = min(out, block.shortcut.shape[1] - 1)
            outside = block.entry + block.shortcut[:, column, None]  # [I, M]
            first, more = (part.at(solution.prices)[:, :, out] for part in (tables.first, tables.more))  # [K, M]
            for step in choice.steps:
                befores = [before for before in range(state) if depths.next[kind][before][step] == state]
                if not befores:
                    continue
                worth = outside[:, :, None] + repeat(first, more, depths.steps[step]).T  # [I, M, K]
                values = source[befores][:, :, None, None] + worth  # [H, I, M, K]
                for row, ins, mid, kernel in (values >= floor - _ROUNDING).nonzero().tolist():
                    gene = make_gene(
                        variant,
                        variant.kernels[kernel],
                        width,
                        int(choice.mids.lo[mid]),
                        stride,
                        depths.steps[step],
                    )
                    yield float(worth[ins, mid, kernel]), befores[row], ins, gene
