"""A small chart as SVG text: points and lines over a logarithmic x axis, without a plotting library."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

WIDTH, HEIGHT = 760, 440
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 48, 56
COLOURS = {"line": "#444444", "dot": "#0072b2", "square": "#d55e00", "cross": "#009e73"}


class Series(NamedTuple):
    """Points (x, y) under a label; `mark` is line, dot, square or cross."""

    label: str
    points: Sequence[tuple[float, float]]
    mark: str


def draw_chart(series: Sequence[Series], *, title: str, x_label: str, y_label: str) -> str:
    """The chart as an SVG document."""
    xs = [x for one in series for x, _ in one.points]
    ys = [y for one in series for _, y in one.points]
    step = _step(max(ys) - min(ys))
    low, high = math.floor(min(ys) / step) * step, math.ceil(max(ys) / step) * step
    left, right = math.log(min(xs) / 1.1), math.log(max(xs) * 1.1)

    def place(x: float, y: float) -> tuple[float, float]:
        across = LEFT + (math.log(x) - left) / (right - left) * (WIDTH - LEFT - RIGHT)
        return round(across, 1), round(HEIGHT - BOTTOM - (y - low) / (high - low) * (HEIGHT - TOP - BOTTOM), 1)

    rows = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="13" role="img" aria-label="{escape(title)}">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="24" font-size="15">{escape(title)}</text>',
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 14}" text-anchor="middle">{escape(x_label)}</text>',
        f'<text transform="translate(18 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" text-anchor="middle">'
        f"{escape(y_label)}</text>",
    ]
    for index in range(round((high - low) / step) + 1):
        value = low + index * step
        _, y = place(math.exp(left), value)
        rows.append(f'<path d="M{LEFT} {y}H{WIDTH - RIGHT}" stroke="#dddddd"/>')
        rows.append(f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{value:g}</text>')
    for value in _ticks(math.exp(left), math.exp(right)):
        x, _ = place(value, low)
        rows.append(f'<path d="M{x} {HEIGHT - BOTTOM}v6" stroke="#444444"/>')
        rows.append(f'<text x="{x}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{value:g}</text>')
    for number, one in enumerate(series):
        rows += _marks(one.mark, [place(*point) for point in one.points])
        y = HEIGHT - BOTTOM - 22 - 20 * (len(series) - 1 - number)
        x = WIDTH - RIGHT - 220
        rows += _marks(one.mark, [(x, y), (x + 24, y)] if one.mark == "line" else [(x + 12, y)])
        rows.append(f'<text x="{x + 34}" y="{y + 4}">{escape(one.label)}</text>')
    return "\n".join([*rows, "</svg>"]) + "\n"


def _marks(mark: str, spots: list[tuple[float, float]]) -> Iterator[str]:
    colour = COLOURS[mark]
    if mark == "line":
        path = "L".join(f"{x} {y}" for x, y in spots)
        yield f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
        return
    for x, y in spots:
        if mark == "dot":
            yield f'<circle cx="{x}" cy="{y}" r="4.5" fill="{colour}"/>'
        elif mark == "square":
            yield f'<rect x="{x - 5}" y="{y - 5}" width="10" height="10" fill="{colour}"/>'
        else:
            yield f'<path d="M{x - 5} {y - 5}l10 10m0 -10l-10 10" stroke="{colour}" stroke-width="2"/>'


def _step(span: float) -> float:
    """A round distance of about a sixth of a span."""
    unit = 10 ** math.floor(math.log10(span / 6))
    return next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= span / 6)


def _ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten within bounds."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [v for power in powers for v in (10.0**power, 2 * 10.0**power, 5 * 10.0**power) if low <= v <= high]
