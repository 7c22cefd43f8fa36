"""Tables: what one sub-layer gains and costs, for every cell of its widths.

Shapes: K kernels, I cells of width in, M of mid width, W of width out. Gains are those of a cell's widest members,
costs those of its narrowest, so that the value of a cell is at least that of each of its members (see `graph`).

The op itself lays out its units: its arithmetic on widths is applied to arrays of widths. Only the first convolution of
a block and the projection of its first unit depend on the width in. So the first sub-layer of a block is worth

    entry[I, M] + across[I, W] + first[K, M, W]

and each further one, whose width in is the block's own, more[K, M, W]. Evenness adds opening[K, I, M, W], log M_u of
the first unit, which is no such sum.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import numpy as np

from ....metrics.mean_field import LINEAR, RELU, Moments
from ....net.counting import layer_cost, linear_cost, projection_of
from ....net.layers import ConvLayer, shrink
from ....net.ops import Gene, Unit
from ...space.rules import SLACK, Rules
from .first_cost import PARAMS, FirstCost
from .gains import NOTHING, Ends, GainCost, Spread, log_gains, total_of
from .graph import Bools, Cells, Floats
from .live import FORBIDDEN, forbidden, live_elements
from .problem import Problem, Stage, Variant


class Spreads(NamedTuple):
    """The MACs of units over cells of several widths: of the first unit of a block [K, I, M, W], of the others of its
    first sub-layer and of those of each further one, [K, M, W].
    """

    opening: Spread
    first: tuple[Spread, ...]
    more: tuple[Spread, ...]


class SubLayer(NamedTuple):
    """The tables of one variant in one slot, see above; `spreads` for cells of several widths where evenness counts."""

    entry: GainCost
    across: GainCost
    first: GainCost
    more: GainCost
    opening: Floats | None = None
    spreads: Spreads | None = None


def sublayer_tables(
    variant: Variant,
    stage: Stage,
    stride: int,
    ins: Cells,
    mids: Cells,
    outs: Cells,
    convention: str,
    rules: Rules | None = None,
    after_stem: int = 0,
    weight: float = 1.0,
    is_even: bool = False,
    first_cost: FirstCost = PARAMS,
    most_live: float = math.inf,
) -> SubLayer:
    """The tables of a variant.

    Args:
        variant: the kind of block.
        stage: where the block is.
        stride: of its first unit: the stage's own, or 1 after the stage's first block.
        ins: width in.
        mids: mid width; of a tied variant one cell, for the width out itself.
        outs: width out.
        convention: `paper` or `zennas`.
        rules: of the space; what breaks them is worth minus infinity.
        after_stem: how many of the widths in, the first ones, are those of the stem.
        weight: of the score in the objective.
        is_even: whether evenness is in the objective or limited.
        first_cost: what `params` of the tables are.
        most_live: elements of live tensors; what needs more is worth `live.FORBIDDEN`.

    Raises:
        ValueError: the op's layers depend on other widths than these tables can express.
    """
    side = stage.in_side if stride > 1 else stage.side
    read, mid, out = (Ends.along(cells, axis) for axis, cells in enumerate((ins, mids, outs), start=1))
    if variant.is_tied:
        mid = out
    kernels = np.array(variant.kernels, dtype=np.float64).reshape(-1, 1, 1, 1)
    gene = variant.gene._replace(kernel=cast(int, kernels))
    want, live, live_again = _Want(convention, weight, is_even, first_cost, most_live), list[Any](), list[Any]()
    spreads, spreads_again = list[Spread](), list[Spread]()
    reading, first, opening = _sublayer(gene, read, mid, out, side, stride, want, live=live, spreads=spreads)
    again, inner, others = _sublayer(
        gene, out, mid, out, stage.side, 1, want, begins=False, live=live_again, spreads=spreads_again
    )
    if rules is not None:
        first = first._replace(gain=np.where(_breaks_ratio(rules, gene, mid, out), -math.inf, first.gain))
    entry, across = _by_width(reading)
    entry, across, first = (
        _without(share, live, most_live, *axes)
        for share, axes in ((entry, (1, 2)), (across, (1, 3)), (first, (0, 2, 3)))
    )
    more = _without(total_of([*again, inner, GainCost(0.0, 0.0, 0.0, units=others)]), live_again, most_live, 0, 2, 3)
    across = across.shaped(0, ins.count, 0, outs.count)
    if rules is not None and rules.never_narrower:
        narrower = ins.lo[:, None] > outs.hi
        narrower[:after_stem] = False
        across = across._replace(gain=np.where(narrower, -math.inf, across.gain))
    shape = len(variant.kernels), 0, mids.count, outs.count
    whole = len(variant.kernels), ins.count, mids.count, outs.count
    is_single = all(bool(cells.single.all()) for cells in (ins, mids, outs))
    return SubLayer(
        entry.shaped(0, ins.count, mids.count, 0),
        across,
        first.shaped(*shape),
        more.shaped(*shape),
        np.broadcast_to(opening, whole) if is_even else None,
        Spreads(
            spreads[0].shaped(*whole),
            tuple(each.shaped(*shape) for each in spreads[1:]),
            tuple(each.shaped(*shape) for each in spreads_again),
        )
        if is_even and not is_single
        else None,
    )


class _Want(NamedTuple):
    """What tables hold: gains of a convention times the weight, whether evenness, costs, and what is no choice."""

    convention: str
    weight: float = 1.0
    is_even: bool = False
    first: FirstCost = PARAMS
    most_live: float = math.inf

    def cost(self, poor: ConvLayer, rich: ConvLayer, *, reads_image: bool = False) -> tuple[Any, Any]:
        """(first cost, MACs) of a convolution and its BN."""
        cost = layer_cost(poor)
        return self.first.conv(poor, rich, cost.params, reads_image=reads_image), cost.macs


def _without(share: GainCost, live: Sequence[Any], most: float, *axes: int) -> GainCost:
    """A share without the widths that need too much memory."""
    if most == math.inf:
        return share
    return share._replace(gain=np.where(forbidden(live, most, *axes), FORBIDDEN, share.gain))


def stem_table(problem: Problem, widths: Cells) -> GainCost:
    """The stem by its width, [C]."""
    channels = np.full((1, 1, 1, 1), float(problem.seed.in_channels))
    out, side = Ends.along(widths, 3), problem.seed.side
    whole = _plain(problem.stem, Ends(channels, channels), out, side, _wanted(problem), LINEAR)
    return whole.shaped(0, 0, 0, widths.count)


def head_table(problem: Problem, ins: Cells, widths: Cells) -> GainCost:
    """The head, the classifier and the last map's share of log Delta, by width in and the head's width, [I, C]."""
    gene, side, out = problem.head, problem.stages[-1].side, Ends.along(widths, 3)
    area = shrink(side, gene.stride) ** 2
    maps = np.array([math.log(width * area) for width in widths.hi.tolist()])
    classifier = linear_cost(cast(int, out.lo), problem.seed.num_classes)
    params = problem.first_cost.head(out.lo, math.isqrt(area), classifier.params)
    last = GainCost(problem.weight * problem.log_map_factor * maps, params, classifier.macs)
    whole = _plain(gene, Ends.along(ins, 1), out, side, _wanted(problem), RELU).plus(last)
    return whole.shaped(0, ins.count, 0, widths.count)


def _wanted(problem: Problem) -> _Want:
    is_even = problem.evenness is not None
    return _Want(problem.convention, problem.weight, is_even, problem.first_cost, problem.most_live)


def _plain(gene: Gene, read: Ends, out: Ends, side: int, want: _Want, moments: Moments) -> GainCost:
    """All of a block without mid widths, such as stem and head, [1, I, 1, W]."""
    live: list[Any] = []
    reading, rest, _ = _sublayer(gene, read, out, out, side, gene.stride, want, moments=moments, live=live)
    again, inner, _ = _sublayer(gene, out, out, out, shrink(side, gene.stride), 1, want, begins=False)
    whole = total_of([*reading, rest]).plus(total_of([*again, inner]), gene.sublayers - 1)
    return _without(whole, live, want.most_live, 1, 3)


def _sublayer(
    gene: Gene,
    read: Ends,
    mid: Ends,
    out: Ends,
    side: int,
    stride: int,
    want: _Want,
    *,
    moments: Moments = RELU,
    begins: bool = True,
    live: list[Any] | None = None,
    spreads: list[Spread] | None = None,
) -> tuple[list[GainCost], GainCost, Any]:
    """The units of one sub-layer: what reads the width in, the sum of all the rest, and log M_u of the first unit.

    Args:
        gene: its op, all else that is no width, and its kernel, or all of its kernels along the first axis.
        read: width in.
        mid: mid width.
        out: width out.
        side: of the map before the sub-layer.
        stride: of its first unit.
        want: what the tables hold.
        moments: of what the first convolution reads.
        begins: whether the sub-layer is the first of a block, whose first unit always has a projection.
        live: gets the elements of live tensors of each operation.
        spreads: gets the MACs of each unit, where evenness counts.
    """
    reading: list[GainCost] = []
    rest = NOTHING
    opening: Any = 0.0
    ends = 1 if read.are_one and mid.are_one and out.are_one else 2  # of cells, that are computed
    genes = [gene._replace(width=cast(int, each), mid=cast(int, inside)) for inside, each in zip(mid, out, strict=True)]
    for index in range(gene.kind.units_per_sublayer):
        units = [
            Unit(gene.op, gene.kernel, stride, cast(int, width), *each.widths(index), 0, False)
            for each, width in zip(genes[:ends], read[:ends], strict=True)
        ]
        narrow, wide = units[0], units[-1]
        layers = [each.layers(side) for each in units]
        parts, spread = [], Spread(0.0)
        for number, (poor, rich) in enumerate(zip(layers[0], layers[-1], strict=True)):
            costs = want.cost(poor, rich, reads_image=moments is LINEAR and index == number == 0)
            part = GainCost(want.weight * log_gains(rich, moments, want.convention), *costs)
            if want.is_even:
                least = np.asarray(costs[1], dtype=np.float64)
                most = least if rich is poor else np.asarray(layer_cost(rich).macs, dtype=np.float64)
                reads = np.asarray(rich.out_size[0]) > shrink(side, stride)
                part = part._replace(read=np.where(reads, most, 0), made=np.where(reads, 0, most))
                spread = spread.plus(least, most, reads)
            parts.append(part)
        if want.is_even:
            log_macs = np.log(sum(np.asarray(part.read + part.made, dtype=np.float64) for part in parts))
            if spreads is not None:
                spreads.append(spread)
            opening, rest = (log_macs, rest) if not index else (opening, rest._replace(units=rest.units + log_macs))
        after = Ends(cast(Any, narrow.width), cast(Any, wide.width))
        is_there = 1.0 if begins and not index else read.apart(after)
        if live is not None and want.most_live < math.inf:
            live += live_elements(narrow, layers[0], side, is_there)
        if gene.kind.is_residual:
            params, macs = want.cost(projection_of(narrow, side), projection_of(wide, side))
            parts.insert(1, GainCost(0.0, params * is_there, macs * is_there))
            parts.append(GainCost(0.0, want.first.addition(after.lo, shrink(side, stride)), 0.0))
        count = 0 if index else 1 + gene.kind.is_residual
        reading += parts[:count]
        rest = total_of([rest, *parts[count:]])
        read, side, stride, moments = after, shrink(side, stride), 1, RELU
    return reading, rest, opening


def _breaks_ratio(rules: Rules, gene: Gene, mid: Ends, out: Ends) -> Bools:
    """Where no width inside and width out of two cells have a ratio that the rules allow, [1, 1, M, W]."""
    narrow, wide = (rules.inside_range(gene._replace(width=cast(int, width))) for width in (out.lo, out.hi))
    if narrow is None or wide is None:
        return np.zeros((1, 1, 1, 1), dtype=np.bool_)
    return (mid.hi < np.asarray(narrow[0]) - SLACK) | (mid.lo > np.asarray(wide[1]) + SLACK)


def _by_width(reading: list[GainCost]) -> tuple[GainCost, GainCost]:
    """What reads the width in, [1, I, M, W]: that which does not depend on the width out, and that which does."""
    entry, across = NOTHING, NOTHING
    for part in reading:
        _, _, mids, outs = np.broadcast_shapes(*map(np.shape, part))
        if outs == 1:
            entry = entry.plus(part)
        elif mids == 1:
            across = across.plus(part)
        else:
            raise ValueError("an op's first convolution depends on its mid width and its width")
    return entry, across
