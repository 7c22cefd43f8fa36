"""Listing what is left of a part of a problem one by one, which turns the bound into the truth.

Prices mix paths; where few widths are left, the networks that keep the limits can be listed instead. Without evenness
paths are listed. With it, there are too many paths, but most beginnings of networks are no better than another one: a
longest path with limits, by labels. A label is a beginning of a network. It is left out where another label is as good,
and where its value at the prices, with the best end at those prices, is too low; there the resolutions that it has
passed count by the logarithm of their MACs, not by a tangent.

Source: Dumitrescu and Boland, *Improved preprocessing, labeling and scaling algorithms for the weight-constrained
shortest path problem* (2003).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice

import numpy as np

from ....metrics.evenness import depth_term
from ...space import Genome
from .first_cost import Milliseconds
from .graph import Floats, Ints, Slot, make_gene
from .labels import Labels, Options, TooManyLabelsError, options_of
from .paths import TooManyError, list_paths
from .program import Program, Solution
from .reduce import solve_backward
from .relaxation import Point, Relaxation
from .tighten import Node, Tightener

PATH_WORK = 50_000  # of a network whose milliseconds are counted, in numbers computed
MAX_PAIRS = 4_000_000  # of a label and a block, at one place
MAX_SLOW = 100  # networks of a list that are looked at for one that keeps a latency
SLACK = 1e-9
FIRST_SLACK = 1e-6  # of the value, where sums are made in another order


def list_by_paths(tightener: Tightener, node: Node, most: int) -> bool:
    """Visits all paths of a part that may be better than the best known network; whether they were few enough."""
    solution = tightener.solve(Program(node.problem, node.graph, tightener.tables), node)
    constant = Relaxation(node.problem).constant(node.point)
    is_timed = isinstance(node.problem.first_cost, Milliseconds)  # many are listed: what weights cost has no price
    try:
        for genome in list_paths(solution, lambda: tightener.polisher.best - constant, most):
            tightener.check()
            tightener.polisher.weigh(genome)
            tightener.count(PATH_WORK * is_timed)
    except TooManyError:
        return False
    return True


def list_by_labels(tightener: Tightener, node: Node, least: float) -> float | None:
    """Finds the best network of a part with evenness, if one is worth more than `least`.

    Returns:
        What no network of the part that was not found exceeds, minus infinity where it was found or there is none; None
        where there are too many labels, or the best one has too many blocks.
    """
    solution = tightener.solve(Program(node.problem, node.graph, tightener.tables), node)
    labels = LabelSearch(solution, node.point, least)
    rows = labels.run()
    try:
        found = next(rows, None)
    except TooManyLabelsError:
        return None
    finally:
        tightener.work += labels.pairs
    if found is None or tightener.polisher.weigh(found[1]).feasible:
        return -math.inf
    if not isinstance(node.problem.first_cost, Milliseconds):
        return None
    for _, genome in islice(rows, MAX_SLOW):  # weights cost more than in the sum: it may be too slow
        tightener.check()
        tightener.count(PATH_WORK)
        if tightener.polisher.weigh(genome).feasible:
            break
    return found[0]


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

        They may have too many blocks; the depth term is the least that it can be where it jumps.

        Raises:
            TooManyLabelsError: there are too many.
        """
        stages = len(self._problem.stages)
        places: list[dict[int, list[Labels]]] = [{} for _ in range(stages)]
        places[0][0] = [self._begin()]
        ends: list[tuple[float, int, int]] = []
        for stage in range(stages):
            inner = options_of(self._solution, Slot(stage, False))
            enter = options_of(self._solution, Slot(stage + 1, True)) if stage + 1 < stages else None
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
        after_of = np.stack(self._solution.depths.next)[options.kinds, state, options.rows[:, 3]]
        stage += enters
        offset = 0 if stage else self._solution.first
        ends = self._backward[stage][after_of, options.outs + offset]
        which, block = self._likely(labels, options, stage, ends, enters=enters)
        after = after_of[block]
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

    def _likely(self, labels: Labels, options: Options, stage: int, ends: Floats, *, enters: bool) -> tuple[Ints, Ints]:
        """Pairs of labels and blocks, [P] each, without most of those whose bound is too low: what is read at a level
        that is left counts as the most of any block, so that the bound is a sum.
        """
        level = self._solution.rates.level(stage)
        gain, params, macs, units, read, made = options.amounts.T
        adds = self._worth(gain, params, macs, 0.75 * units / self._even.units) + ends
        worth = self._worth(labels.values, labels.params, labels.macs, labels.even)
        if enters:
            worth = worth + self._price * np.log(labels.level + read.max()) / (4 * self._even.levels)
            adds = adds + level * made
        else:
            worth = worth + level * labels.level
            adds = adds + level * (read + made)
        least = self._least - self._constants[stage] - FIRST_SLACK * (1 + abs(self._least))
        found = []
        for width in np.unique(labels.widths).tolist():
            here, first = np.flatnonzero(labels.widths == width), options.starts[width]
            one, two = np.nonzero(worth[here, None] + adds[first : options.starts[width + 1]] > least)
            found.append((here[one], first + two))
        which, block = (np.concatenate(column) for column in zip(*found, strict=True))
        order = np.lexsort((block, which))
        return which[order], block[order]

    def _worth(self, values: Floats, params: Floats, macs: Floats, even: Floats) -> Floats:
        """What these are worth at the prices."""
        rates = self._solution.rates
        worth: Floats = values - rates.params * params - rates.macs * macs + self._price * even
        return worth

    def _bound(self, labels: Labels, stage: int, ends: Floats) -> Floats:
        """What no network that begins so exceeds, with the best ends at the prices."""
        worth = self._worth(labels.values, labels.params, labels.macs, labels.even)
        bound: Floats = (
            worth + self._solution.rates.level(stage) * labels.level + ends + (self._constants[stage] + SLACK)
        )
        return bound

    def _reduced(self, parts: list[Labels]) -> Labels | None:
        """Labels of a place without those that another one is as good as in everything."""
        if not parts:
            return None
        labels = Labels.joined(parts)
        now = labels.even + np.log(labels.level) / (4 * self._even.levels)
        slopes = sorted(set(self._slopes or (0.0,)))
        levels = [each + slope * labels.chain for each in (labels.even, now) for slope in slopes]
        costs = -labels.params * (self._problem.most_params is not None), -labels.macs
        merits = labels.values - self._solution.rates.macs * labels.macs + self._price * now
        return labels.undominated(np.stack([labels.values, *costs, *levels]), merits)

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
            if self._problem.most_params is not None:
                fits &= labels.params + params <= self._problem.most_params * (1 + SLACK)  # sums in another order
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
