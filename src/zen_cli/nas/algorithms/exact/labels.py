"""Labels: beginnings of networks, with what they gain and cost; see `listing`.

Of labels that end at one place, one is left out if another is as good in everything: no lower value, no more cost, no
less evenness now, nor after any number of multiply-adds at the resolution where it ends.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from .graph import Floats, Ints, Slot
from .program import Solution

MAX_OPTIONS = 200_000  # blocks of a slot
MAX_LABELS = 60_000  # at one place
ROUNDING = 1e-12  # sums of one network in another order
RIVALS = 256  # labels that the others are compared with


class TooManyLabelsError(Exception):
    """There are more labels than may be listed."""


class Options(NamedTuple):
    """The blocks of a slot, sorted by width in: what each leads to and adds; `starts` are the first of each width in.

    `rows` holds (variant, kernel, mid, step) of each; `amounts` the columns of `Labels` that are added.
    """

    starts: Ints
    outs: Ints
    kinds: Ints
    rows: Ints  # [O, 4]
    amounts: Floats  # [O, 6]: gain, params, MACs, sum of log M_u, MACs read, MACs made


@dataclass
class Labels:
    """Labels that end in one stage at one depth, [L] each.

    Width, value, costs; evenness without the level where they end, MACs of that level and of all of the chain.
    """

    widths: Ints
    values: Floats
    params: Floats
    macs: Floats
    even: Floats
    level: Floats
    chain: Floats
    ids: Ints

    def take(self, which: Ints) -> Labels:
        """Some of them."""
        return Labels(*(getattr(self, field.name)[which] for field in fields(Labels)))

    @classmethod
    def joined(cls, parts: Sequence[Labels]) -> Labels:
        """The labels of several parts.

        Raises:
            TooManyLabelsError: there are too many.
        """
        labels = cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Labels)))
        if len(labels.ids) > MAX_LABELS:
            raise TooManyLabelsError
        return labels

    def undominated(self, columns: Floats, merits: Floats) -> Labels:
        """Those that no other one with the same width is as good as in all columns, [Q, L]; `merits` [L] say which are
        likely to be as good as many.
        """
        kept: list[Ints] = []
        for width in np.unique(self.widths).tolist():
            here = np.flatnonzero(self.widths == width)
            here = here[np.argsort(-merits[here], kind="stable")]
            rows = columns[:, here]
            position = 0
            while position < min(RIVALS, len(here)):
                worse = np.arange(position + 1, len(here))
                for row in rows:  # few are left after the first ones
                    worse = worse[row[worse] <= row[position] + ROUNDING]
                if worse.size:
                    here, rows = np.delete(here, worse), np.delete(rows, worse, axis=1)
                position += 1
            kept.append(here)
        return self.take(np.concatenate(kept))


def options_of(solution: Solution, slot: Slot) -> Options:
    """The blocks that a slot of a graph of single widths can have.

    Raises:
        TooManyLabelsError: there are too many.
    """
    program, problem, graph = solution.program, solution.program.problem, solution.program.graph
    ins, outs = graph.ins(slot.stage - slot.enter).count, graph.widths[slot.stage].count
    indices, amounts = [], []
    for (where, variant), tables in program.tables.items():
        if where != slot:
            continue
        choice = graph.choices[slot, variant]
        shape = len(problem.variants[variant].kernels), ins, choice.mids.count, outs
        if math.prod(shape) * len(choice.steps) > MAX_OPTIONS:
            raise TooManyLabelsError
        entry, across = tables.entry, tables.across
        for step in choice.steps:
            times = problem.depths.steps[step] - 1
            columns = []
            for one, two, three, more in zip(entry, across, tables.first, tables.more, strict=True):
                whole = one[None, :, :, None] + two[None, :, None, :] + (three + times * more)[:, None]
                columns.append(np.broadcast_to(whole, shape))
            assert tables.opening is not None
            columns[3] = columns[3] + tables.opening
            where_finite = np.argwhere(np.isfinite(columns[0]))
            indices.append(np.insert(where_finite, [0, 4], [variant, step], axis=1))
            picked = tuple(where_finite.T)
            amounts.append(np.stack([column[picked] for column in columns], axis=1))
    if not indices:
        empty = np.empty(0, dtype=np.int64)
        return Options(np.zeros(ins + 1, dtype=np.int64), empty, empty, np.empty((0, 4), np.int64), np.empty((0, 6)))
    found, added = np.concatenate(indices), np.concatenate(amounts)
    order = np.argsort(found[:, 2], kind="stable")
    found, added = found[order], added[order]
    kinds = np.array([problem.depths.kinds[problem.length(each)] for each in problem.variants])
    starts = np.searchsorted(found[:, 2], np.arange(ins + 1))
    return Options(starts, found[:, 4], kinds[found[:, 0]], found[:, [0, 1, 3, 5]], added)
