"""What the runs of train.py say: each kind of network against random ones, and how metrics rank them.

Every network is scored anew, so that a new metric of the registry gets its row at once. A difference of means has the
95% interval 1.96 sqrt(s1^2 / n1 + s2^2 / n2) of the normal distribution, with s^2 over networks for random and
hand-made ones, and over training seeds for a pick, which is one network.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from statistics import fmean, variance
from typing import NamedTuple

import numpy as np
from report import table

from zen_cli import ArchSpec, parse_spec
from zen_cli.bench.measuring import closed_forms
from zen_cli.bench.statistics import half_samples, interval, spearman
from zen_cli.errors import RunError
from zen_cli.metrics.settings import ScoreSettings

FREE, RULED = "random", "random, rules"
CLOSED = ScoreSettings(estimator="mean-field")
HALVES = 200
WIDTH, ROW, LEFT = 640, 22, 170


class Trained(NamedTuple):
    """A network of the study: its kind, the accuracies of its runs in per cent."""

    kind: str
    spec: ArchSpec
    runs: list[float]

    @property
    def mean(self) -> float:
        """Over runs."""
        return fmean(self.runs)


def networks_of(rows: Sequence[dict[str, str]]) -> list[Trained]:
    """The networks of the runs, in order."""
    found: dict[tuple[str, str], Trained] = {}
    for row in rows:
        if (key := (row["kind"], row["id"])) not in found:
            found[key] = Trained(row["kind"], parse_spec(json.loads(row["arch"])), [])
        found[key].runs.append(100 * float(row["accuracy"]))
    return list(found.values())


def by_kind(networks: Sequence[Trained]) -> dict[str, list[Trained]]:
    """The networks of each kind: random ones first."""
    kinds: dict[str, list[Trained]] = {FREE: [], RULED: []}
    for network in networks:
        kinds.setdefault(network.kind, []).append(network)
    return {kind: members for kind, members in kinds.items() if members}


def seed_variance(networks: Sequence[Trained]) -> float:
    """Of one network over its training seeds, pooled over networks; NaN where none has two runs."""
    several = [network.runs for network in networks if len(network.runs) > 1]
    if not several:
        return math.nan
    return sum(variance(runs) * (len(runs) - 1) for runs in several) / sum(len(runs) - 1 for runs in several)


def mean_variance(members: Sequence[Trained], noise: float) -> float:
    """Of the mean accuracy of a kind: from its networks where there are three, else from the noise of training."""
    if len(members) > 2:
        return variance([network.mean for network in members]) / len(members)
    return noise / sum(len(network.runs) for network in members)


def report(rows: Sequence[dict[str, str]]) -> str:
    """The recipe, kinds against random networks, and rank correlations, as Markdown."""
    networks = networks_of(rows)
    kinds, noise = by_kind(networks), seed_variance(networks)
    recipes = sorted({(int(row["images"]), int(row["epochs"]), row["device"]) for row in rows})
    recipe = " and ".join(f"{images:,} images, {epochs} epochs, on {device}" for images, epochs, device in recipes)
    macs = [int(row["macs"]) for row in rows]
    head = ["network", "networks", "runs", "accuracy, %", "spread", f"minus {FREE}", f"minus {RULED}"]
    lines = []
    for kind, members in kinds.items():
        means = [network.mean for network in members]
        spread = f"{math.sqrt(variance(means)):.2f}" if len(means) > 1 else ""
        count = sum(len(network.runs) for network in members)
        gains = [_gain(members, kinds.get(base, []), noise) if kind != base else "" for base in (FREE, RULED)]
        lines.append([kind, len(members), count, f"{fmean(means):.2f}", spread, *gains])
    scatter = (
        "" if math.isnan(noise) else f" One network scatters over training seeds by {math.sqrt(noise):.2f} points."
    )
    return (
        f"{recipe}; {len(rows)} runs, {len(networks)} networks of {min(macs):,} to {max(macs):,} MACs.{scatter}\n\n"
        f"{table(head, lines)}\n\n"
        f"Rank correlation with the mean accuracy, over random networks:\n\n{_ranks(kinds)}\n"
    )


def _gain(members: Sequence[Trained], base: Sequence[Trained], noise: float) -> str:
    """The difference of two means with its 95% interval."""
    if not base:
        return ""
    gain = fmean(network.mean for network in members) - fmean(network.mean for network in base)
    error = 1.96 * math.sqrt(mean_variance(members, noise) + mean_variance(base, noise))
    return f"{gain:+.2f} ± {error:.2f}"


def _ranks(kinds: dict[str, list[Trained]]) -> str:
    """Spearman of each closed form within the random networks of a space, with the interval of random halves."""
    groups = [kinds.get(FREE, []), kinds.get(RULED, [])]
    lines = []
    for metric in closed_forms():
        cells: list[object] = [metric.name]
        for members in groups:
            found = list(metric.evaluate_all([network.spec for network in members], CLOSED))
            values = np.array([math.nan if isinstance(row, RunError) else metric.sign * row.value for row in found])
            cells.append(_rank(values, np.array([network.mean for network in members])))
        lines.append(cells)
    return table(
        ["metric", *(f"{kind} ({len(group)})" for kind, group in zip((FREE, RULED), groups, strict=True))], lines
    )


def _rank(values: np.ndarray, accuracy: np.ndarray) -> str:
    if len(values) < 5 or np.isnan(values).any() or np.ptp(values) == 0:
        return ""
    low, high = interval([spearman(values[half], accuracy[half]) for half in half_samples(len(values), HALVES)])
    return f"{spearman(values, accuracy):.2f} ({low:.2f} to {high:.2f})"


def plot(rows: Sequence[dict[str, str]]) -> str:
    """An SVG drawing: a row a kind, a dot a network, a line at the mean of the random ones."""
    kinds = by_kind(networks_of(rows))
    means = [network.mean for members in kinds.values() for network in members]
    low, high = math.floor(2 * min(means)) / 2, math.ceil(2 * max(means)) / 2
    height = ROW * (len(kinds) + 2)

    def x(value: float) -> float:
        return LEFT + (WIDTH - LEFT - 20) * (value - low) / (high - low)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
        f'font-size="12"><rect width="{WIDTH}" height="{height}" fill="white"/>'
    ]
    for step in range(round(2 * (high - low)) + 1):
        value = low + step / 2
        parts.append(f'<path d="M{x(value):.1f} 8V{height - 36}" stroke="#ddd"/>')
        parts.append(f'<text x="{x(value):.1f}" y="{height - 20}" text-anchor="middle">{value:g}</text>')
    for index, (kind, members) in enumerate(kinds.items()):
        y = ROW * (index + 1)
        parts.append(f'<text x="{LEFT - 12}" y="{y + 4}" text-anchor="end">{kind}</text>')
        parts += [
            f'<circle cx="{x(one.mean):.1f}" cy="{y}" r="4" fill="#1f6feb" fill-opacity="0.5"/>' for one in members
        ]
        middle = x(fmean(network.mean for network in members))
        parts.append(f'<path d="M{middle:.1f} {y - 8}v16" stroke="#d1242f" stroke-width="2"/>')
    parts.append(f'<text x="{(LEFT + WIDTH) / 2}" y="{height - 4}" text-anchor="middle">test accuracy, %</text></svg>')
    return "\n".join(parts) + "\n"
