"""All beginnings of networks that can still become the best one: a longest path with limits, solved to the end.

Prices mix paths; where few widths are left, what keeps the limits can be listed instead. A label is a beginning of a
network: where it ends (stage, depth, width), and what it gains and costs. It is left out where

- its value at the prices, with the best end at those prices, is too low (a completion bound); resolutions that it has
  passed count by the logarithm of their MACs, not by a tangent;
- another label that ends there is as good in everything: no lower value, no more cost, no less evenness now, nor
  after any number of multiply-adds at the resolution where it ends.

Source: Dumitrescu and Boland, *Improved preprocessing, labeling and scaling algorithms for the weight-constrained
shortest path problem* (2003).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ....metrics.evenness import depth_term
from ...space import Genome
from .graph import Floats, Ints, Slot, make_gene
from .program import Solution
from .reduce import solve_backward
from .relaxation import Point, Relaxation

MAX_OPTIONS = 200_000  # blocks of a slot
MAX_PAIRS = 4_000_000  # of a label and a block, at one place
MAX_LABELS = 60_000  # at one place
RIVALS = 256  # labels that the others are compared with
SLACK = 1e-9


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
        return Labels(*(getattr(self, name)[which] for name in self.__dataclass_fields__))


class LabelSearch:
    """Lists what is left of a part of a problem with evenness, whose cells are single widths.

    Args:
        solution: of the part, at good prices.
        point: these prices.
        least: a network of this value or less is not wanted.
    """

    def __init__(self, solution: Solution, point: Point, least: float) -> None:
        self._solution, self._least = solution, least
        self._problem, self._graph = solution.program.problem, solution.program.graph
        evenness = self._problem.evenness
        assert evenness is not None
        self._even = evenness
        self._price = point.prices[0] if evenness.floor is not None else 1.0
        self._backward, _ = solve_backward(solution)
        constant = Relaxation(self._problem).constant(point)
        self._constants = []  # of the bound, where the levels before a stage are passed
        for tangent in point.tangents:
            self._constants.append(constant)
            constant -= self._price * (math.log(tangent) - 1) / (4 * evenness.levels)
        self._slopes = evenness.depth_slopes
        self._parents: list[Ints] = []
        self._blocks: list[Ints] = []
        self._count = 0
        self.pairs = 0

    def run(self) -> Iterator[tuple[float, Genome]]:
        """(value, genome) of the networks that are left, the best first; all others are worth no more than `least`.

        Limits on parameters are not kept where evenness is limited, and the depth term is the least that it can be.

        Raises:
            TooManyLabelsError: there are too many.
        """
        stages = len(self._problem.stages)
        places: list[dict[int, list[Labels]]] = [{} for _ in range(stages)]
        places[0][0] = [self._begin()]
        ends: list[tuple[float, int, int]] = []
        for stage in range(stages):
            inner = self._options(Slot(stage, False))
            enter = self._options(Slot(stage + 1, True)) if stage + 1 < stages else None
            for state in range(len(self._solution.depths.states)):
                labels = self._reduced(places[stage].pop(state, []))
                if labels is None:
                    continue
                self._extend(labels, inner, stage, state, places[stage])
                exits = self._graph.exits[stage][state][labels.widths]
                labels = labels.take(np.flatnonzero(exits))
                if enter is not None:
                    self._extend(labels, enter, stage, state, places[stage + 1], enters=True)
                else:
                    ends += self._ends(labels, state)
        for value, label, head in sorted(ends, reverse=True):
            yield value, self._genome(label, head)

    def _begin(self) -> Labels:
        stem = self._solution.program.stem
        count = self._solution.first
        rows = [np.broadcast_to(np.asarray(each, dtype=np.float64), (count,)) for each in stem]
        gain, params, macs, units, read, made = rows
        widths = np.arange(count)
        ids = self._remember(np.full(count, -1), np.pad(widths[:, None], ((0, 0), (5, 1))))
        return Labels(widths, gain, params, macs, 0.75 * units / self._even.units, read + made, read + made, ids)

    def _remember(self, parents: Ints, blocks: Ints) -> Ints:
        """Ids of new labels: of what they extend (the stem: -1), and by which block, [L, 7]."""
        self._parents.append(parents)
        self._blocks.append(blocks)
        self._count += len(parents)
        return np.arange(self._count - len(parents), self._count)

    def _options(self, slot: Slot) -> Options:
        program, problem = self._solution.program, self._problem
        ins = self._graph.ins(slot.stage - slot.enter).count
        outs = self._graph.widths[slot.stage].count
        indices, amounts = [], []
        for (where, variant), tables in program.tables.items():
            if where != slot:
                continue
            choice = self._graph.choices[slot, variant]
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

    def _extend(
        self,
        labels: Labels,
        options: Options,
        stage: int,
        state: int,
        places: dict[int, list[Labels]],
        *,
        enters: bool = False,
    ) -> None:
        """Extends labels by all blocks of a slot, and puts what is left to the depths that it leads to."""
        counts = options.starts[labels.widths + 1] - options.starts[labels.widths]
        total = int(counts.sum())
        self.pairs += total
        if total > MAX_PAIRS:
            raise TooManyLabelsError
        if not total:
            return
        which = np.repeat(np.arange(len(counts)), counts)
        block = np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts) + options.starts[labels.widths][which]
        after = np.stack(self._solution.depths.next)[options.kinds[block], state, options.rows[block, 3]]
        fits = after < len(self._solution.depths.states)
        which, block, after = which[fits], block[fits], after[fits]
        stage += enters
        offset = 0 if stage else self._solution.first
        gain, params, macs, units, read, made = options.amounts[block].T
        level, even = labels.level[which], labels.even[which] + 0.75 * units / self._even.units
        if enters:
            even = even + np.log(level + read) / (4 * self._even.levels)
            level = made
        else:
            level = level + read + made
        longer = Labels(
            options.outs[block] + offset,
            labels.values[which] + gain,
            labels.params[which] + params,
            labels.macs[which] + macs,
            even,
            level,
            labels.chain[which] + read + made,
            which,
        )
        kept = np.flatnonzero(self._bound(longer, stage, self._backward[stage][after, longer.widths]) > self._least)
        longer, after, block = longer.take(kept), after[kept], block[kept]
        places_of = np.column_stack([np.full(len(kept), stage), np.full(len(kept), enters)])
        rows = np.column_stack([places_of, options.rows[block][:, :3], longer.widths, options.rows[block][:, 3]])
        longer.ids = self._remember(labels.ids[longer.ids], rows)
        for depth in np.unique(after).tolist():
            places.setdefault(depth, []).append(longer.take(np.flatnonzero(after == depth)))

    def _bound(self, labels: Labels, stage: int, ends: Floats) -> Floats:
        """What no network that begins so exceeds, with the best ends at the prices."""
        rates = self._solution.rates
        worth = labels.values - rates.params * labels.params - rates.macs * labels.macs + self._price * labels.even
        bound: Floats = worth + rates.level(stage) * labels.level + ends + (self._constants[stage] + SLACK)
        return bound

    def _reduced(self, parts: list[Labels]) -> Labels | None:
        """Labels of a place without those that another one is as good as in everything."""
        if not parts:
            return None
        labels = Labels(*(np.concatenate([getattr(one, name) for one in parts]) for name in Labels.__dataclass_fields__))
        if len(labels.ids) > MAX_LABELS:
            raise TooManyLabelsError
        now = labels.even + np.log(labels.level) / (4 * self._even.levels)
        slopes = sorted(set(self._slopes or (0.0,)))
        levels = [each + slope * labels.chain for each in (labels.even, now) for slope in slopes]
        columns = np.stack([labels.values, -labels.params * self._counts_params, -labels.macs, *levels])
        kept: list[Ints] = []
        rates = self._solution.rates
        merit = labels.values - rates.macs * labels.macs + self._price * now
        for width in np.unique(labels.widths).tolist():
            here = np.flatnonzero(labels.widths == width)
            here = here[np.argsort(-merit[here], kind="stable")]
            position = 0
            while position < min(RIVALS, len(here)):
                rival = columns[:, here[position]]
                others = here[position + 1 :]
                worse = (columns[:, others] <= rival[:, None] + 1e-12).all(axis=0)
                here = np.concatenate([here[: position + 1], others[~worse]])
                position += 1
            kept.append(here)
        return labels.take(np.concatenate(kept))

    @property
    def _counts_params(self) -> bool:
        return self._problem.limits.params is not None and self._even.floor is None

    def _ends(self, labels: Labels, state: int) -> Iterator[tuple[float, int, int]]:
        """(value, label, head) of whole networks that keep the limits."""
        delta = float(self._solution.deltas[state])
        if not math.isfinite(delta):
            return
        limits, even = self._problem.limits, self._even
        rest = 0.75 * math.log(even.units) - (even.floor or 0.0)
        for head in range(self._graph.head.count):
            gain, params, macs, _, read, made = (each[labels.widths, head] for each in self._solution.program.head)
            evenness = labels.even + np.log(labels.level + read + made) / (4 * even.levels) + rest
            chain = (labels.chain + read + made).tolist()
            evenness = evenness - 0.5 * np.array([self._depth_term(each) for each in chain])
            values = evenness if even.floor is None else labels.values + gain + delta
            fits = values > self._least
            if even.floor is not None:
                fits &= evenness >= -SLACK
            elif limits.params is not None:
                fits &= labels.params + params <= limits.params
            if limits.macs is not None:
                fits &= labels.macs + macs <= limits.macs
            for index in np.flatnonzero(fits).tolist():
                yield float(values[index]), int(labels.ids[index]), head

    def _depth_term(self, macs: float) -> float:
        """d, or the least that it can be where labels were compared without it."""
        return self._even.least_depth_term if self._slopes is None else depth_term(self._even.units, macs)

    def _genome(self, label: int, head: int) -> Genome:
        problem, graph = self._problem, self._graph
        parents, blocks = np.concatenate(self._parents), np.concatenate(self._blocks)
        genes = [problem.head._replace(width=graph.head.inside(head))]
        while parents[label] >= 0:
            stage, enters, index, kernel, mid, width, step = blocks[label].tolist()
            slot, variant = Slot(stage, bool(enters)), problem.variants[index]
            cells = graph.choices[slot, index].mids
            genes.append(
                make_gene(
                    variant,
                    variant.kernels[kernel],
                    graph.ins(stage).inside(width),
                    cells.inside(mid),
                    problem.stages[stage].stride if enters else 1,
                    problem.depths.steps[step],
                )
            )
            label = int(parents[label])
        genes.append(problem.stem._replace(width=graph.stem.inside(int(blocks[label][5]))))
        return tuple(reversed(genes))
