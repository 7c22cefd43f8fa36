# quick --quick
"""Is the Zen-score the Phi-score? Zen - log alpha - Phi of plain chains, over depth and alpha.

Phi is the log gradient norm of the chain without BN. While the perturbation is small, Zen - log alpha measures the
same: in each layer the variance of the perturbation grows by pi/(pi - 1), and the removal of the mean by BN lowers the
gain by exactly that. After about 2 ln(1/alpha) / ln 1.467 layers the perturbation is of order 1, Delta saturates, and
the two scores differ.

    python examples/zen_vs_phi.py [--quick] [--svg zen_vs_phi.svg]
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from rich.console import Console
from rich.table import Table

from zen_cli import parse_spec, score

ALPHAS = (1e-2, 1e-4, 1e-6)
COLOURS = ("#d1495b", "#edae49", "#00798c")
GROWTH = math.pi / (math.pi - 1)


def difference(depth: int, width: int, alpha: float, draws: int) -> tuple[float, float]:
    """Zen - log alpha - Phi in nats, and its standard error, of a chain of 3x3 convolutions on 8 x 8 images."""
    spec = parse_spec({"resolution": 8, "blocks": [{"op": "conv", "width": width, "depth": depth}]})
    record = score(spec, proxies=["phi"], alpha=alpha, batch_size=8, draws=draws, device="cpu")
    phi = (record.proxies or {})["phi"]
    error = math.hypot(record.zen.std_error or 0, phi.std_error or 0)
    return record.zen.value - math.log(alpha) - phi.value, error


def plot(depths: list[int], curves: dict[float, list[tuple[float, float]]]) -> str:
    """The curves, with bars of two standard errors up and down, as an SVG of 640 x 420 points."""
    low = math.floor(min(-1.0, *(value - 2 * error for curve in curves.values() for value, error in curve)))
    high = math.ceil(max(1.0, *(value + 2 * error for curve in curves.values() for value, error in curve)))

    def x(depth: float) -> float:
        return 60 + 540 * (depth - depths[0]) / (depths[-1] - depths[0])

    def y(value: float) -> float:
        return 360 - 320 * (value - low) / (high - low)

    parts = ['<rect width="640" height="420" fill="white"/>']
    for value in range(low, high + 1):
        parts.append(f'<path d="M60 {y(value):.1f}H600" stroke="{"#888" if value == 0 else "#eee"}"/>')
        parts.append(f'<text x="52" y="{y(value) + 4:.1f}" text-anchor="end">{value}</text>')
    parts += [f'<text x="{x(depth):.1f}" y="378" text-anchor="middle">{depth}</text>' for depth in depths]
    for index, (alpha, curve) in enumerate(curves.items()):
        colour = COLOURS[index % len(COLOURS)]
        points = " ".join(f"{x(depth):.1f},{y(value):.1f}" for depth, (value, _) in zip(depths, curve, strict=True))
        for depth, (value, error) in zip(depths, curve, strict=True):
            left, top, bottom = x(depth) - 4, y(value + 2 * error), y(value - 2 * error)
            bar = f"M{left:.1f} {top:.1f}h8m-4 0V{bottom:.1f}m-4 0h8"
            parts.append(f'<path d="{bar}" fill="none" stroke="{colour}" stroke-width="1.3"/>')
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="70" y="{300 + 18 * index}" fill="{colour}">alpha = {alpha:g}</text>')
        limit = saturation(alpha)
        if depths[0] < limit < depths[-1]:
            parts.append(f'<path d="M{x(limit):.1f} 40V360" stroke="{colour}" stroke-dasharray="4 4"/>')
    parts.append('<text x="330" y="404" text-anchor="middle">layers</text>')
    label = "Zen - log alpha - Phi (nats), bars: 2 standard errors"
    parts.append(f'<text transform="translate(18 200) rotate(-90)" text-anchor="middle">{label}</text>')
    body = "\n".join(parts)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 420" font-family="sans-serif" font-size="12">\n'
        f"{body}\n</svg>\n"
    )


def saturation(alpha: float) -> float:
    """The number of layers after which the perturbation has grown from alpha to 1."""
    return 2 * math.log(1 / alpha) / math.log(GROWTH)


def main() -> None:
    """Prints the table and saves the plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer, shallower and narrower networks, a few seconds")
    parser.add_argument("--svg", type=Path, default=Path("zen_vs_phi.svg"), help="file of the plot")
    options = parser.parse_args()
    depths, width, draws = ([4, 12, 24, 32], 24, 4) if options.quick else ([4, 16, 24, 32, 48, 64], 64, 16)

    table = Table(title=f"Zen - log alpha - Phi in nats, width {width}, {draws} random networks each")
    table.add_column("layers", justify="right")
    for alpha in ALPHAS:
        table.add_column(f"alpha = {alpha:g}", justify="right")
    curves: dict[float, list[tuple[float, float]]] = {alpha: [] for alpha in ALPHAS}
    for depth in depths:
        cells = []
        for alpha in ALPHAS:
            value, error = difference(depth, width, alpha, draws)
            curves[alpha].append((value, error))
            cells.append(f"{value:.2f} ± {error:.2f}")
        table.add_row(str(depth), *cells)
    table.add_section()
    table.add_row("saturates", *(f"{saturation(alpha):.0f} layers" for alpha in ALPHAS))
    Console().print(table)
    options.svg.write_text(plot(depths, curves), encoding="utf-8")
    print(f"plot: {options.svg}")


if __name__ == "__main__":
    main()
