"""The closed form against Monte-Carlo on 100 random networks of both kinds of blocks."""

from __future__ import annotations

import random
import statistics
import sys

from report import publish, random_spec, table

from zen_cli import score
from zen_cli.bench.statistics import spearman


def main() -> None:
    rng = random.Random(0)
    rows, every_closed, every_drawn = [], [], []
    for op in ("bottleneck", "mbconv"):
        closed, drawn, errors = [], [], []
        for _ in range(50):
            spec = random_spec(rng, op)
            closed.append(score(spec, estimator="mean-field").zen.value)
            zen = score(spec, draws=4, batch_size=16).zen
            drawn.append(zen.value)
            errors.append(zen.std_error or 0.0)
            print(spec.id, f"{closed[-1]:.2f} {drawn[-1]:.2f}", file=sys.stderr)
        rows.append(_row(op, closed, drawn, errors))
        every_closed += closed
        every_drawn += drawn
    rows.append(_row("both", every_closed, every_drawn, []))
    publish(
        "mean_field",
        "Mean-field against Monte-Carlo (`paper` convention, 16 images, 4 draws) on 100 random networks of 32 x 32 "
        f"images: Spearman {spearman(every_closed, every_drawn):.4f}.",
        table(
            ["blocks", "networks", "scores", "Spearman", "mean difference", "its deviation", "s.e. of a score"], rows
        ),
    )


def _row(name: str, closed: list[float], drawn: list[float], errors: list[float]) -> list[object]:
    differences = [x - y for x, y in zip(closed, drawn, strict=True)]
    return [
        name,
        len(closed),
        f"{min(drawn):.0f} to {max(drawn):.0f}",
        f"{spearman(closed, drawn):.4f}",
        f"{statistics.mean(differences):+.2f}",
        f"{statistics.stdev(differences):.2f}",
        f"{statistics.mean(errors):.2f}" if errors else "",
    ]


if __name__ == "__main__":
    main()
