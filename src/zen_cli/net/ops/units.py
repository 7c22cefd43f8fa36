"""From blocks to units."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

from ..layers import Side, shrink
from .base import OPS, Gene, Unit
from .details import Details, Gate, Style


def walk(genes: Iterable[Gene], in_width: int, side: Side) -> Iterator[tuple[Gene, int, Side]]:
    """Each block with the channels and the side of the map that it reads."""
    for gene in genes:
        yield gene, in_width, side
        in_width, side = gene.width, shrink(side, gene.stride)


def block_units(gene: Gene, in_width: int) -> tuple[Unit, ...]:
    """The units of one block on `in_width` channels."""
    units = tuple(unit for unit, _ in repeated_units(gene, in_width))
    rest = units[2:] or units[1:]
    return (units[:2] + rest * gene.depth)[: gene.depth]


def repeated_units(gene: Gene, in_width: int) -> tuple[tuple[Unit, int], ...]:
    """The different units of a block in order, and how often each occurs; four at most, however deep the block is.

    After the first all are alike, or alternate where the units of a pair differ in width. The shortcut of the first
    unit is always a projection; a later one only where its channels differ.
    """
    rows = _repeated_units(gene, in_width if _follows_input(gene) else 1)
    (first, times), *rest = rows
    if first.in_width == in_width:
        return rows
    return ((Unit._make((*first[:3], in_width, *first[4:])), times), *rest)  # twice as fast as to replace it


@lru_cache(maxsize=4096)
def _repeated_units(gene: Gene, in_width: int) -> tuple[tuple[Unit, int], ...]:
    depth, units = gene.depth, _first_units(gene, in_width, 2)
    if depth > 2 and units[0][4:7] != units[1][4:7]:  # mid_width, width, groups
        units = _first_units(gene, in_width, 4)
        return tuple(zip(units, (1, 1, (depth - 1) // 2, depth // 2 - 1), strict=False))
    return tuple(zip(units, (1, depth - 1), strict=False))


def reading_unit(gene: Gene, side: Side) -> Unit | None:
    """The first unit, on one channel, of a block in which only that unit's first convolution and its shortcut depend
    on the channels in, which they are linear in; None of another block. The side is that of the block's map.
    """
    if _follows_input(gene):
        return None
    unit = repeated_units(gene, 1)[0][0]
    return None if unit.layers(side)[0].groups > 1 else unit


def _follows_input(gene: Gene) -> bool:
    """Whether more of its units than what the first one reads may depend on the channels in."""
    return gene.style is not None or gene.kind.is_parallel


def _first_units(gene: Gene, in_width: int, count: int) -> list[Unit]:
    """The first units of one block, at most `count`."""
    kind, rows = OPS[gene.op], []
    for index in range(min(count, gene.depth)):
        mid_width, width, groups = kind.resolve(gene, index, in_width)
        stride = gene.stride if index == 0 else 1
        if gene.style is not None or kind.is_parallel:
            rows.append(_styled_unit(gene, gene.style or Style(), index, (in_width, mid_width, width, groups)))
            in_width = width
            continue
        squeeze = 0 if gene.se is None else max(1, round(gene.se * mid_width))
        projection = kind.is_residual and (index == 0 or in_width != width)
        rows.append(Unit(gene.op, gene.kernel, stride, in_width, mid_width, width, groups, squeeze, projection))
        in_width = width
    return rows


def _styled_unit(gene: Gene, style: Style, index: int, widths: tuple[int, int, int, int]) -> Unit:
    """One unit of a block that says more of its units; widths in, inside and out, and groups."""
    kind, (in_width, mid_width, width, groups) = OPS[gene.op], widths
    stride = gene.stride if index == 0 else 1
    pool = style.pool if index == 0 else None
    inner = stride if pool is None else stride // pool.stride
    changes = inner > 1 or in_width != width
    rule = style.shortcut
    projection = kind.is_parallel or (
        kind.is_residual and ((changes or index == 0) if rule == "first" else changes and rule in ("needed", "pooled"))
    )
    skips = kind.skips_first(style, in_width, mid_width)
    inside = kind.inside_width(mid_width, width, skips_first=skips)
    squeeze = 0 if gene.se is None else style.gate.squeeze(gene.se, inside, in_width, width)
    details = Details(
        has_shortcut=not kind.is_residual or projection or (rule != "none" and not changes),
        pools_shortcut=rule == "pooled" and projection and inner > 1,
        linear=style.linear,
        activation=style.activation,
        skips_first=skips,
        gate=style.gate._replace(of="inside", divisor=0) if squeeze else Gate(),
        pool=pool,
        bias=style.bias,
        norm=style.norm,
        stride_in=style.stride_in and inner > 1,
        adds_norm=kind.is_parallel and not changes,
    )
    return Unit(
        gene.op,
        gene.kernel,
        stride,
        in_width,
        mid_width,
        width,
        groups,
        squeeze,
        projection,
        None if details == Details() else details,
    )
