"""Depths: what the rest of a path must know of how deep its beginning is, as numbered states."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MAX_EXACT_STATES = 60
MAX_STATES = 2000


class Depth(NamedTuple):
    """Depth between stem and head: sub-layers, convolutions and blocks, 0 where they are not counted.

    Where depths are merged, `layers` is the most convolutions that there can be.
    """

    sublayers: int
    layers: int
    blocks: int = 0


@dataclass(frozen=True)
class Depths:
    """The depths that a path can have, as numbered states, the shallowest first.

    Attributes:
        states: the depth of each state.
        most: the most sub-layers that there can be.
        by_layers: whether a state counts convolutions only. Where it counts sub-layers only, log Delta is bounded
            from above by that of the most convolutions.
        steps: depths of one block in sub-layers.
        kinds: by layers per sub-layer, the number of a kind of block: those of a kind lead from state to state alike.
        next: next[kind][state, i], int64, is the state after a block of steps[i] sub-layers, or the number of states
            where it is too deep.
    """

    states: tuple[Depth, ...]
    most: int
    by_layers: bool
    steps: range
    kinds: dict[int, int]
    next: tuple[NDArray[np.int64], ...]

    def before(self, kind: int, state: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """(states, indices of steps) from which one block of a kind leads to a state; by step, then by state."""
        steps, states = np.nonzero(state == self.next[kind].T)
        return states, steps


def make_depths(
    kinds: list[int],
    span: tuple[int, int],
    *,
    sublayers: int | None,
    layers: int | None,
    blocks: int,
    counts_blocks: bool,
) -> Depths:
    """The depths within limits on sub-layers, layers and blocks, of which one of the first two is given.

    Where there are few pairs of sub-layers and layers, or both are limited, a state knows both. Else it counts what is
    limited.

    Args:
        kinds: layers per sub-layer of the kinds of block, ascending.
        span: sub-layers of the shallowest and of the deepest block.
        sublayers: the most sub-layers.
        layers: the most layers.
        blocks: the most blocks.
        counts_blocks: whether states count blocks too.
    """
    least, deepest = span
    deep = math.inf if sublayers is None else sublayers
    long = math.inf if layers is None else layers
    most = int(max(0, min(deep, long // kinds[0], blocks * deepest)))
    long = min(long, most * kinds[-1])
    steps = range(least, max(least, min(deepest, most)) + 1)

    units = [Depth(1, layer) for layer in kinds]
    rows = _reachable(units, most, long)
    if len(rows) > MAX_EXACT_STATES and (sublayers is None or layers is None):
        units = [Depth(1, kinds[-1])] if layers is None else [Depth(0, layer) for layer in kinds]
        rows = _reachable(units, most, long)
    if counts_blocks:
        rows = _with_blocks(rows, units, steps, blocks)
    states = sorted(rows)
    index = {state: number for number, state in enumerate(states)}
    table = tuple(
        np.array([[index.get(_after(row, unit, n, counts_blocks), len(states)) for n in steps] for row in states])
        for unit in units
    )
    numbers = dict(zip(kinds, range(len(kinds)), strict=True)) if len(units) == len(kinds) else dict.fromkeys(kinds, 0)
    return Depths(tuple(states), most, not units[0].sublayers, steps, numbers, table)


def _reachable(units: list[Depth], most: int, layers: float) -> set[Depth]:
    """The depths that sub-layers of these kinds add up to."""
    rows = front = {Depth(0, 0)}
    for _ in range(most):
        front = {_after(row, unit, 1, False) for row in front for unit in units} - rows
        front = {row for row in front if row.layers <= layers}
        rows = rows | front
    return rows


def _with_blocks(rows: set[Depth], units: list[Depth], steps: range, blocks: int) -> set[Depth]:
    """The depths with each number of blocks that they can have; not all of them if there are too many."""
    found = front = {Depth(0, 0)}
    while front and len(found) <= MAX_STATES:
        front = {_after(row, unit, n, True) for row in front for unit in units for n in steps} - found
        front = {row for row in front if row.blocks <= blocks and row._replace(blocks=0) in rows}
        found = found | front
    return found


def _after(state: Depth, unit: Depth, sublayers: int, counts_blocks: bool) -> Depth:
    return Depth(
        state.sublayers + sublayers * unit.sublayers,
        state.layers + sublayers * unit.layers,
        state.blocks + counts_blocks,
    )
