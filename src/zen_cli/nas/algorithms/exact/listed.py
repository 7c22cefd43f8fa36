"""Spaces of RegNets, listed whole: their six numbers make so few networks that each one is counted and scored.

Networks are rows of arrays, and what their stages gain and cost comes from tables, so that a million of them take a
second. The best ones are counted and scored again by functions that these tables have no part in.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from ....metrics.block_terms import Terms
from ....metrics.evenness import depth_terms, upper_bound
from ....metrics.mean_field import log_delta
from ....net.spec import ArchSpec
from ...limits import Limits
from ...space import RegNetGenome, RegNetSpace
from .graph import Floats, Ints
from .line_tables import WIDE, Choice, Network, make_network
from .lines import Lines, list_lines
from .polish import Aim

ROWS = 16_384  # of a list, at once
KEEP = 128  # best networks, and best of a shape
ROUNDING = 1e-9
LAYERS, MACS = Terms._fields.index("layers"), Terms._fields.index("macs")


class Listed(NamedTuple):
    """A network of the list: its value, the units of its stages and its numbers."""

    value: float
    shape: tuple[int, ...]
    genome: RegNetGenome


class Listing:
    """The members of a space up to a depth, and the best of them within limits.

    Args:
        space: of RegNets.
        seed: its seed network.
        limits: sums over blocks.
        most: units of the deepest member.
        check: called on the way; ends the listing by an exception.
    """

    def __init__(
        self, space: RegNetSpace, seed: ArchSpec, limits: Limits, most: int, check: Callable[[], None]
    ) -> None:
        self._space, self._seed, self._limits, self._most, self._check = space, seed, limits, most, check
        parts = []
        for part in list_lines(space, most):
            check()
            parts.append(part)
        self._lines = Lines(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
        self.counted = 0

    def best(self, value: Callable[[Sums], Floats], convention: str, aim: Aim | None) -> list[Listed]:
        """The networks of the greatest value, best first, and the best ones of other shapes among them.

        Args:
            value: of networks by their sums, in nats.
            convention: of the score.
            aim: the least evenness and the most units of a network, if they are limited.
        """
        found: list[Listed] = []
        for group in self._space.group_widths:
            for ratio in self._space.ratios:
                choice = Choice(group, ratio)
                network = make_network(self._space, self._seed, self._lines.widths, choice, convention)
                for start in range(0, len(self._lines.last), ROWS):
                    self._check()
                    which = np.arange(start, min(start + ROWS, len(self._lines.last)))
                    sums = self._sums(network, which, aim)
                    self.counted += len(sums.rows)
                    found = _best_of([*found, *self._listed(sums, value(sums), choice)])
        return found

    def _sums(self, network: Network, which: Ints, aim: Aim | None) -> Sums:
        """The sums of some networks of the list, of those within the limits."""
        lines = self._lines.take(which)
        columns, further = network.columns(which, lines.depths)
        rows = np.repeat(np.arange(len(which)), lines.last)
        units = np.arange(len(rows)) - np.repeat(np.cumsum(lines.last) - lines.last, lines.last)  # after the first one
        depth = lines.depths.sum(axis=1)[rows] + 1 + units
        keeps = (depth >= self._space.depth.min) & (depth <= self._most) & network.is_member(which)[rows]
        for column, limit in self._limits.sums:
            keeps &= columns[rows, column] + units * further[rows, column] <= limit
        if aim is not None and aim.floor is not None:
            least = math.exp(aim.floor + math.log(network.levels) / 4)  # by the free bound
            keeps &= columns[rows, MACS] + units * further[rows, MACS] >= least - 1
        kept = np.flatnonzero(keeps)
        rows, units, depth = rows[kept], units[kept], depth[kept]
        sums = Sums(
            which[rows],
            np.column_stack([lines.depths[rows], units + 1]),
            columns[rows] + units[:, None] * further[rows],
            network.last_widths(which)[rows],
            network,
        )
        if aim is None:
            return sums
        fits = depth <= aim.most_units
        if aim.floor is not None:
            fits &= sums.evenness() >= aim.floor - ROUNDING
        return sums.take(np.flatnonzero(fits))

    def _listed(self, sums: Sums, values: Floats, choice: Choice) -> Iterator[Listed]:
        """The best of these networks, and the best of each shape."""
        order = np.argsort(-values, kind="stable")
        shapes = (sums.depths[order] * 1000 ** np.arange(sums.depths.shape[1])).sum(axis=1)
        _, firsts = np.unique(shapes, return_index=True)
        for place in sorted({*range(min(KEEP, len(order))), *np.sort(firsts)[:KEEP].tolist()}):
            index = order[place]
            width, slope, factor = self._lines.numbers[sums.rows[index]].tolist()
            shape = tuple(sums.depths[index].tolist())
            yield Listed(float(values[index]), shape, RegNetGenome(width, slope, factor, sum(shape), *choice))


class Sums(NamedTuple):
    """Networks with their sums: their row in the list, units of each stage, columns, last width."""

    rows: Ints
    depths: Ints
    columns: Floats
    widths: Ints
    network: Network

    def take(self, which: Ints) -> Sums:
        """Some of them."""
        rows, depths, columns, widths = self.rows[which], self.depths[which], self.columns[which], self.widths[which]
        return Sums(rows, depths, columns, widths, self.network)

    def evenness(self) -> Floats:
        """E of each, in nats."""
        units = self.depths.sum(axis=1)
        logs, levels = self.network.even_parts(self.columns)
        means = 0.75 * (np.log(units) + logs / units) + 0.25 * np.log(levels).mean(axis=1)
        value: Floats = means - 0.5 * depth_terms(units, levels.sum(axis=1))
        return value

    def zen(self, norm: str, alpha: float) -> Floats:
        """The score of each, in nats."""
        pairs, places = np.unique(np.rint(self.columns[:, LAYERS]) * WIDE + self.widths, return_inverse=True)
        area = self.network.last_area
        last = [log_delta(norm, alpha, int(pair // WIDE), int(pair % WIDE), area) for pair in pairs.tolist()]
        value: Floats = self.columns[:, 0] + np.array(last, dtype=np.float64)[places]
        return value


def _best_of(rows: list[Listed]) -> list[Listed]:
    """The best of these, and the best of each shape, without repetition."""
    rows = sorted(set(rows), key=lambda row: (-row.value, row.genome))
    firsts: dict[tuple[int, ...], Listed] = {}
    for row in rows:
        firsts.setdefault(row.shape, row)
    kept = {*rows[:KEEP], *list(firsts.values())[:KEEP]}
    return [row for row in rows if row in kept]


def most_units(macs: float, levels: int, evenness: float, most: int) -> int:
    """The most units of a network that may have an evenness, by the free bound."""
    free = upper_bound(macs, levels)
    terms = depth_terms(np.arange(1, most + 1), np.full(most, macs))
    return int(np.flatnonzero(free - terms / 2 >= evenness).max(initial=0)) + 1
