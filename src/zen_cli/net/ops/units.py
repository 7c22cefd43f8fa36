"""From blocks to units."""

from __future__ import annotations

from functools import lru_cache

from .base import OPS, Gene, Unit


@lru_cache(maxsize=8192)
def block_units(gene: Gene, in_width: int) -> tuple[Unit, ...]:
    """The units of one block on `in_width` channels.

    The shortcut of the first unit is always a projection; a later one only where its channels differ.
    """
    return first_units(gene, in_width, gene.depth)


def first_units(gene: Gene, in_width: int, count: int) -> tuple[Unit, ...]:
    """The first units of one block, at most `count`."""
    kind, rows = OPS[gene.op], []
    for index in range(min(count, gene.depth)):
        mid_width, width, groups = kind.unit_widths(gene, index)
        squeeze = 0 if gene.se is None else max(1, round(gene.se * mid_width))
        projection = kind.is_residual and (index == 0 or in_width != width)
        stride = gene.stride if index == 0 else 1
        rows.append(Unit(gene.op, gene.kernel, stride, in_width, mid_width, width, groups, squeeze, projection))
        in_width = width
    return tuple(rows)


def repeated_units(gene: Gene, in_width: int) -> list[tuple[Unit, int]]:
    """The different units of a block in order, and how often each occurs.

    After the first all are alike, or alternate where the units of a pair differ in width.
    """
    depth = gene.depth
    if depth == 1 or gene.widths(0) == gene.widths(1):
        units = first_units(gene, in_width, 2)
        return list(zip(units, (1, depth - 1), strict=False))
    units = first_units(gene, in_width, 4)
    return list(zip(units, (1, 1, (depth - 1) // 2, depth // 2 - 1), strict=False))
