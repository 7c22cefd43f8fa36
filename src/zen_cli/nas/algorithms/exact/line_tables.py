"""What the stages of RegNets gain and cost, for every pair of widths that a list of them has.

A stage of d units is its first unit and d - 1 equal ones, so that all of its sums are linear in d: each is kept as
(of one unit, of each further one).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ....metrics.block_terms import Terms, block_terms
from ....metrics.evenness import block_sums
from ....metrics.terms import head_terms
from ....net.layers import Side, area_of, shrink
from ....net.ops import MAX_WIDTH, Gene
from ....net.spec import ArchSpec
from ...space import RegNetSpace
from ...space.line import stage_of
from .graph import Bools, Floats, Ints

SUMS = len(Terms._fields)
# Columns after those of `Terms`: sum of log M_u, MACs at the side that a stage reads, MACs at its own.
WIDE = 1 << 20  # above any width
LOG_MACS, READ, MADE = range(SUMS, SUMS + 3)


class StageTable(NamedTuple):
    """A stage by the widths that it reads and makes, [P] pairs.

    one: its sums with one unit, [P, C].
    more: what each further unit adds, [P, C].
    widths: the width that it makes.
    is_member: whether it keeps the rules and bounds of the space.
    places: the pair of each network, [R].
    """

    one: Floats
    more: Floats
    widths: Ints
    is_member: Bools
    places: Ints


class Choice(NamedTuple):
    """A group width and a ratio, which all stages of a network have."""

    group_width: int
    ratio: int


def stage_tables(
    space: RegNetSpace, seed: ArchSpec, widths: Ints, choice: Choice, convention: str
) -> tuple[StageTable, ...]:
    """The tables of networks with these widths before they fit their groups, [R, S]; the last counts the classifier."""
    stem, rules = seed.genes[0], space.rules
    before = np.full(len(widths), stem.width, dtype=np.int64)
    side = shrink(seed.side, stem.stride)
    tables: list[StageTable] = []
    for stage, block in enumerate(space.genes(space.start(seed), seed)[1:]):
        keys, places = np.unique(before * WIDE + widths[:, stage], return_inverse=True)
        pairs = np.column_stack([keys // WIDE, keys % WIDE])
        genes = {width: stage_of(block, width, *choice)._replace(depth=1) for width in set(pairs[:, 1].tolist())}
        out = shrink(side, block.stride)
        more = {width: _further(gene._replace(stride=1), out, convention) for width, gene in genes.items()}
        fits = {
            width: gene.width <= MAX_WIDTH and not (rules and rules.broken_by_block(gene, (space.kernel,)))
            for width, gene in genes.items()
        }
        rows, members = [], []
        for read, width in pairs.tolist():
            row = _sums(genes[width], read, side, convention)
            if stage == space.stages - 1:
                head = head_terms(genes[width].width, seed.classifier)
                row = [*(a + b for a, b in zip(row, head, strict=False)), *row[len(head) :]]
            rows.append(row)
            is_narrower = rules is not None and stage and rules.narrower((read, genes[width].width)) is not None
            members.append(fits[width] and not is_narrower)
        wide = pairs[:, 1].tolist()
        made = np.array([genes[width].width for width in wide], dtype=np.int64)
        tables.append(
            StageTable(np.array(rows), np.array([more[width] for width in wide]), made, np.array(members), places)
        )
        before, side = made[places], out
    return tuple(tables)


def _further(gene: Gene, side: Side, convention: str) -> list[float]:
    """The columns of a unit after the first one, which has no other channels in and may have no projection."""
    one, two = (_sums(gene._replace(depth=depth), gene.width, side, convention) for depth in (1, 2))
    return [b - a for a, b in zip(one, two, strict=True)]


def _sums(gene: Gene, in_width: int, side: Side, convention: str, *, is_first: bool = False) -> list[float]:
    """The columns of a block; `is_first` says that it is the stem."""
    even = block_sums(gene, in_width, side, is_first)
    terms, _ = block_terms(gene, in_width, side, convention, is_first)
    return [*terms, even.log_macs, even.entry_macs, even.macs]


class Network(NamedTuple):
    """What the networks of a list have in common, and the tables of their stages.

    stem: the columns of the stem.
    sides: the level of the maps after the stem and after each stage.
    levels: resolutions.
    last_area: positions of the last map.
    """

    stem: Floats
    stages: tuple[StageTable, ...]
    sides: tuple[int, ...]
    levels: int
    last_area: int

    def columns(self, which: Ints, depths: Ints) -> tuple[Floats, Floats]:
        """The columns of networks whose last stage has one unit, [R, C], and of each further unit there.

        After those of `Terms` there are the sum of log M_u and the MACs at each level. `depths` are the units of all
        stages but the last, [R, S - 1].
        """
        count = SUMS + 1 + self.levels
        total, last = np.zeros((len(which), count)), np.zeros((len(which), count))
        total[:, :SUMS] += self.stem[:SUMS]
        total[:, SUMS + 1 + self.sides[0]] += self.stem[MADE]
        for index, table in enumerate(self.stages):
            pairs = table.places[which]
            one, more = self._spread(table.one[pairs], index, count), self._spread(table.more[pairs], index, count)
            total += one
            if index < len(self.stages) - 1:
                total += (depths[:, index, None] - 1) * more
            else:
                last = more
        return total, last

    def _spread(self, rows: Floats, stage: int, count: int) -> Floats:
        """Columns of a stage, with its MACs at the levels that it reads and makes."""
        spread = np.zeros((len(rows), count))
        spread[:, : SUMS + 1] = rows[:, : SUMS + 1]
        spread[:, SUMS + 1 + self.sides[stage]] += rows[:, READ]
        spread[:, SUMS + 1 + self.sides[stage + 1]] += rows[:, MADE]
        return spread

    def even_parts(self, columns: Floats) -> tuple[Floats, Floats]:
        """The sum of log M_u [R], and the MACs at each level [R, L]."""
        return columns[:, LOG_MACS], columns[:, LOG_MACS + 1 :]

    def is_member(self, which: Ints) -> Bools:
        """Whether networks are members of the space."""
        members: Bools = np.all([table.is_member[table.places[which]] for table in self.stages], axis=0)
        return members

    def last_widths(self, which: Ints) -> Ints:
        """The widths of the last maps."""
        table = self.stages[-1]
        return table.widths[table.places[which]]


def make_network(space: RegNetSpace, seed: ArchSpec, widths: Ints, choice: Choice, convention: str) -> Network:
    """The tables of a list of networks with these widths before they fit their groups, [R, S]."""
    sides = levels_of(space, seed)
    places = {each: index for index, each in enumerate(dict.fromkeys(sides))}
    return Network(
        np.array(_sums(seed.genes[0], seed.in_channels, seed.side, convention, is_first=True)),
        stage_tables(space, seed, widths, choice, convention),
        tuple(places[each] for each in sides),
        len(places),
        area_of(sides[-1]),
    )


def levels_of(space: RegNetSpace, seed: ArchSpec) -> list[Side]:
    """The sides of the maps after the stem and after each stage."""
    sides: list[Side] = []
    side: Side = seed.side
    for gene in space.genes(space.start(seed), seed):
        side = shrink(side, gene.stride)
        sides.append(side)
    return sides
