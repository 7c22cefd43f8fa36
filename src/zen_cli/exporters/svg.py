"""A drawing of a network in which each unit is a bar.

Above the axis a bar is as high as its unit is wide, with the width inside it marked; below it hangs as deep as its map
is large: a network that widens while it shrinks opens to the right above and closes below. Heights are square roots, so
that 32 and 2048 channels are both seen. Colours follow the reader's light or dark theme.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple
from xml.sax.saxutils import escape

from ..net.layers import Side, mean_side, shrink, side_text
from ..net.ops import Unit
from ..units import format_count
from .about import score_text, title
from .layout import Section, lay_out
from .source import ExportSource

MARGIN, TOP, UP, DOWN, BOTTOM = 40.0, 132.0, 190.0, 90.0, 100.0
BAR, GAP, BLOCK_GAP, PART_GAP = 12.0, 3.0, 9.0, 24.0
MAX_BARS_WIDTH, MIN_WIDTH, PART_WIDTH = 2400.0, 760.0, 84.0
_STYLE = """
    .page{fill:#fff} text{font-family:ui-sans-serif,system-ui,'Segoe UI',Helvetica,Arial,sans-serif;fill:#1c2733}
    .title{font-size:22px;font-weight:650} .sub{font-size:13px;fill:#5b6b7b} .part{font-size:13px;font-weight:650}
    .map{font-size:12px;fill:#5b6b7b} .block{font-size:11px;fill:#3d4c5a} .key{font-size:11px;fill:#5b6b7b}
    .band{fill:#f4f6f8} .axis{stroke:#8c9aa8;stroke-width:1} .map-bar{fill:#c3ccd6} .mid{fill:#0b1620;fill-opacity:.28}
    %s
    @media (prefers-color-scheme:dark){.page{fill:#10161d} text{fill:#e6edf3} .sub,.map,.key{fill:#93a4b4}
    .block{fill:#b6c4d1} .band{fill:#18212a} .map-bar{fill:#3a4957} .axis{stroke:#5c6b79}
    .mid{fill:#fff;fill-opacity:.3}}
"""
TIMES = "\N{MULTIPLICATION SIGN}"


class _Bar(NamedTuple):
    x: float
    width: float
    unit: Unit
    side: Side


class _Column(NamedTuple):
    """A part of the network on the page: its band and the bars in it, with the place of each block."""

    section: Section
    x: float
    width: float
    bars: tuple[_Bar, ...]
    blocks: tuple[tuple[float, float], ...]


def draw(source: ExportSource) -> Iterator[str]:
    """The lines of the drawing."""
    spec, total = source.spec, source.spec.cost
    columns = _columns(source)
    width = max(MIN_WIDTH, columns[-1].x + columns[-1].width + MARGIN)
    axis = TOP + UP
    rows = max(len(column.section.blocks) for column in columns)
    height = axis + DOWN + BOTTOM + 15 * min(rows, 12)
    size = f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}"'
    yield f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">'
    costs = f"{format_count(total.params)} parameters, {format_count(total.macs)} MACs, {total.layers} layers"
    yield f"  <title>{escape(title(spec))}: {costs}</title>"
    kinds = {block.op: type(block) for block in spec.blocks}
    yield f"  <style>{_STYLE % ' '.join(f'.{op}{{fill:{kind.color}}}' for op, kind in kinds.items())}  </style>"
    yield f'  <rect class="page" width="{width:.0f}" height="{height:.0f}" rx="12"/>'
    yield _text(MARGIN, 46, title(spec), "title")
    yield _text(MARGIN, 68, f"{costs} · {_image(source)}{_score(source)}", "sub")
    yield from _legend(source)
    top = max(unit.width for unit in spec.units)
    inner = max((unit.mid_width for unit in spec.units), default=top)
    scale = UP / math.sqrt(max(top, inner))
    for column in columns:
        yield from _column(column, axis, scale, spec.resolution)
    yield f'  <line class="axis" x1="{MARGIN:.0f}" x2="{width - MARGIN:.0f}" y1="{axis:.1f}" y2="{axis:.1f}"/>'
    yield "</svg>"


def _column(column: _Column, axis: float, scale: float, resolution: Side) -> Iterator[str]:
    section = column.section
    yield (
        f'  <rect class="band" x="{column.x:.1f}" y="{TOP - 26:.1f}" width="{column.width:.1f}" '
        f'height="{UP + DOWN + 34:.1f}" rx="8"/>'
    )
    yield _text(column.x + 8, TOP - 9, section.name, "part")
    for bar in column.bars:
        yield _rect(bar.unit.op, bar.x, axis, bar.width, scale * math.sqrt(bar.unit.width))
        if bar.unit.kind.is_residual:
            inner = bar.width * 0.4
            yield _rect("mid", bar.x + (bar.width - inner) / 2, axis, inner, scale * math.sqrt(bar.unit.mid_width))
        depth = DOWN * math.sqrt(mean_side(bar.side) / mean_side(resolution))
        yield f'  <rect class="map-bar" x="{bar.x:.1f}" y="{axis:.1f}" width="{bar.width:.1f}" height="{depth:.1f}"/>'
    y = axis + DOWN + 28
    yield _text(column.x + 8, y, side_text(section.side, f" {TIMES} "), "part")
    yield _text(column.x + 8, y + 16, f"{section.width} wide", "map")
    y += 36
    for row in section.blocks[:12]:
        block, unit = row.block, row.units[0]
        gate = " SE" if unit.squeeze else ""
        yield _text(
            column.x + 8, y, f"{block.depth} {TIMES} {block.kernel}{TIMES}{block.kernel}{gate} → {block.width}", "block"
        )
        y += 15
    if len(section.blocks) > 12:
        yield _text(column.x + 8, y, f"and {len(section.blocks) - 12} more blocks", "block")


def _columns(source: ExportSource) -> list[_Column]:
    spec = source.spec
    count = len(spec.units)
    step = min(BAR + GAP, MAX_BARS_WIDTH / count)
    bar = step * BAR / (BAR + GAP)
    columns, x, side = [], MARGIN, spec.resolution
    for section in lay_out(spec).sections:
        bars, blocks, inside = [], [], x + 8
        for row in section.blocks:
            begin = inside
            for unit in row.units:
                side = shrink(side, unit.stride)
                bars.append(_Bar(inside, bar, unit, side))
                inside += step
            blocks.append((begin, inside))
            inside += min(BLOCK_GAP, step)
        labels = max(len(_widest(section)) * 6.0 + 16, PART_WIDTH)
        width = max(inside - x + 2, labels)
        columns.append(_Column(section, x, width, tuple(bars), tuple(blocks)))
        x += width + min(PART_GAP, 8.0)
    return columns


def _widest(section: Section) -> str:
    texts = [
        f"{row.block.depth} x 3x3{' SE' if row.units[0].squeeze else ''} -> {row.block.width}" for row in section.blocks
    ]
    return max(texts, key=len)


def _legend(source: ExportSource) -> Iterator[str]:
    x = MARGIN
    kinds = {block.op: type(block) for block in source.spec.blocks}
    keys = [(op, kind.title) for op, kind in kinds.items()] + [("mid", "width inside"), ("map-bar", "side of the map")]
    for name, text in keys:
        yield f'  <rect class="{name}" x="{x:.0f}" y="82" width="10" height="10" rx="2"/>'
        yield _text(x + 15, 91, text, "key")
        x += 15 + 6.4 * len(text) + 18


def _image(source: ExportSource) -> str:
    spec = source.spec
    size = side_text(spec.resolution, f" {TIMES} ")
    return f"{spec.in_channels} {TIMES} {size} image, {spec.num_classes:,} classes"


def _score(source: ExportSource) -> str:
    zen = (source.record or {}).get("zen")
    if not isinstance(zen, dict) or not isinstance(zen.get("value"), (int, float)):
        return ""
    return f" · Zen {score_text(zen).partition(' nats')[0]}"


def _rect(name: str, x: float, axis: float, width: float, height: float) -> str:
    return (
        f'  <rect class="{name}" x="{x:.1f}" y="{axis - height:.1f}" width="{width:.1f}" height="{height:.1f}" '
        f'rx="{min(2.0, width / 4):.1f}"/>'
    )


def _text(x: float, y: float, text: str, name: str) -> str:
    return f'  <text class="{name}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'
