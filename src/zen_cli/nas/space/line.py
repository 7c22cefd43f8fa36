"""The quantised line of RegNet: widths and depths of stages from four numbers, and blocks of a network from six.

    u_j = w_0 + w_a j,    s_j = log(u_j / w_0) / log w_m,    w_j = w_0 w_m^round(s_j)        (j: the unit, from 0)

Units of equal width are a stage. Source: *Designing Network Design Spaces* (arXiv 2003.13678), equations 2 to 4.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from ...net.ops import Gene

SLOPE_UNIT = 0.1
FACTOR_UNIT = 0.01


class RegNetGenome(NamedTuple):
    """The numbers of one network: w_0, w_a in tenths, w_m in hundredths, units in all, group width, bottleneck ratio.

    `group_width` 0 means one group; `ratio` is the bottleneck ratio b: the mid width is the width over b.
    """

    initial_width: int
    slope: int
    factor: int
    depth: int
    group_width: int
    ratio: int


def _runs(width: int, slope: int, factor: int, depth: int) -> Iterator[tuple[int, int]]:
    """(index of its first unit, width rounded to a multiple of 8) of each power of w_m that occurs among the units."""
    start, step, base = float(width), slope * SLOPE_UNIT, factor * FACTOR_UNIT
    log_base = math.log(base)
    index = power = 0
    while index < depth:
        yield index, round(start * base**power / 8) * 8
        # the power grows near the unit whose u_j is between two powers; the unit itself decides
        index = max(index + 1, int(start * (base ** (power + 0.5) - 1) / step) - 1)
        while index < depth and (found := round(math.log((start + step * index) / start) / log_base)) <= power:
            index += 1
        power = found if index < depth else power


def least_depth(width: int, slope: int, factor: int, stages: int, least: int, most: int) -> int:
    """The least depth from `least` to `most` with so many stages, 0 if there is none."""
    count, last, reached = 0, -1, 0
    for index, wide in _runs(width, slope, factor, most + 1):
        if wide == last:
            continue
        count, last = count + 1, wide
        if count == stages:
            reached = index + 1
        if count > stages:
            return max(reached, least) if max(reached, least) <= index else 0
    return max(reached, least) if count == stages and max(reached, least) <= most else 0


@lru_cache(maxsize=262_144)
def stages_of(genome: RegNetGenome) -> tuple[tuple[int, int], ...]:
    """(width, units) of each stage; widths rounded to multiples of 8."""
    firsts: list[int] = []
    widths: list[int] = []
    for index, width in _runs(genome.initial_width, genome.slope, genome.factor, genome.depth):
        if not widths or widths[-1] != width:
            firsts.append(index)
            widths.append(width)
    ends = (*firsts[1:], genome.depth)
    return tuple((width, end - first) for width, first, end in zip(widths, firsts, ends, strict=True))


@lru_cache(maxsize=262_144)
def genes_of(genome: RegNetGenome, stem: int, unit: Gene, small: bool) -> tuple[Gene, ...]:
    """The blocks of a network: the stem, and one for each stage.

    Args:
        genome: the network.
        stem: width of the stem.
        unit: a block whose kernel, squeeze-and-excitation and style all units have.
        small: whether the stem and the first stage keep the side of the image.
    """
    genes = [Gene("conv", 3, stem, 1 if small else 2, 1)]
    for index, (width, units) in enumerate(stages_of(genome)):
        stride = 1 if small and index == 0 else 2
        genes.append(stage_of(unit, width, genome.group_width, genome.ratio)._replace(stride=stride, depth=units))
    return tuple(genes)


def stage_of(unit: Gene, width: int, group_width: int, ratio: int) -> Gene:
    """The block of a stage of this width, which becomes one that its groups divide; stride and depth are the unit's."""
    group = min(group_width, max(8, width // ratio))
    mid = max(8, width // ratio)
    if group:
        mid = max(group, round(mid / group) * group)
    return unit._replace(width=mid * ratio if group else width, mid=mid, group_width=0 if group == mid else group)
