"""All members of a RegNet space up to a depth, as arrays: millions of numbers are some hundred thousand networks.

Units j of equal rounded width are a stage, so that of the slopes only those count at which a unit passes from one
power of w_m to the next: the power of unit j reaches p where w_a = w_0 (w_m^(p - 1/2) - 1) / j. Slopes between two such
values are the same networks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ...space import RegNetSpace
from ...space.line import FACTOR_UNIT, SLOPE_UNIT
from .graph import Ints

TIE = 1e-9  # of a rounding, within which numpy's logarithm and the standard library's may differ


class Lines(NamedTuple):
    """Networks without group widths and ratios, [R] rows; a row stands for all depths of its last stage up to one.

    widths: of each stage, multiples of 8, [R, S].
    depths: units of each stage but the last, [R, S - 1], at least 1.
    last: the most units of the last stage, [R].
    numbers: w_0, w_a in tenths and w_m in hundredths, of which they come, [R, 3].
    """

    widths: Ints
    depths: Ints
    last: Ints
    numbers: Ints

    def take(self, which: Ints) -> Lines:
        """Some of them."""
        return Lines(*(column[which] for column in self))


def list_lines(space: RegNetSpace, most: int) -> Iterator[Lines]:
    """The members with at most so many units, those of one initial width after the other; some come more than once."""
    most = min(most, space.depth.max)
    span = space.initial_width
    for width in range(span.min, span.max + 1, span.step):
        parts = [_lines(space, width, factor, most) for factor in range(space.factor.min, space.factor.max + 1)]
        whole = Lines(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
        rows = np.column_stack([whole.widths, whole.depths, whole.last])
        yield whole.take(np.unique(rows, axis=0, return_index=True)[1])


def _lines(space: RegNetSpace, width: int, factor: int, most: int) -> Lines:
    """The members of an initial width and a factor."""
    base = factor * FACTOR_UNIT
    slopes = _slopes(space, width, base, most)
    units = width + (slopes * SLOPE_UNIT)[:, None] * np.arange(most)
    exact = np.log(units / width) / math.log(base)
    powers = np.rint(exact).astype(np.int64)
    for row, unit in np.argwhere(np.abs(exact - np.floor(exact) - 0.5) < TIE).tolist():
        powers[row, unit] = round(math.log(float(units[row, unit]) / width) / math.log(base))
    of_powers = [round(float(width) * base**power / 8) * 8 for power in range(int(powers.max(initial=0)) + 1)]
    widths = np.array(of_powers, dtype=np.int64)[powers]  # [slopes, units]
    stages = np.cumsum(np.diff(widths, axis=1, prepend=widths[:, :1]) != 0, axis=1)
    ends = np.stack([(stages <= stage).sum(axis=1) for stage in range(space.stages)], axis=1)  # of each stage
    starts = np.insert(ends[:, :-1], 0, 0, axis=1)
    whole = np.flatnonzero((starts[:, -1] < most) & (ends[:, -1] >= space.depth.min) & (widths[:, 0] > 0))
    starts, ends = starts[whole], ends[whole]
    numbers = np.column_stack([np.full(len(whole), width), slopes[whole], np.full(len(whole), factor)])
    lengths = ends - starts
    return Lines(widths[whole[:, None], starts], lengths[:, :-1], lengths[:, -1], numbers)


def _slopes(space: RegNetSpace, width: int, base: float, most: int) -> Ints:
    """Slopes in tenths, at least one of each interval in which the stages are the same."""
    slope, units = space.slope, np.arange(1, most)
    highest = math.log(1 + slope.max * SLOPE_UNIT * most / width) / math.log(base)
    powers = np.arange(1, math.ceil(highest) + 2)
    passed = width * (base ** (powers - 0.5) - 1)[:, None] / (SLOPE_UNIT * units)
    near = np.ceil(passed[passed < slope.max + 1]).astype(np.int64)
    slopes = np.unique(np.concatenate([[slope.min], near - 1, near, near + 1]))
    return slopes[(slopes >= slope.min) & (slopes <= slope.max)]
