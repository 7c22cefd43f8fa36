"""Does the score rank networks as training does? The size space of NATS-Bench, where only widths differ.

    python benchmarks/size_space.py TABLE.csv

The table has two columns, `arch` (five widths, 32:56:24:64:16) and an accuracy; 4,096 of the 32,768 networks with their
CIFAR-10 test accuracy after 90 epochs made the numbers here. Source of the accuracies: NATS-Bench (arXiv 2009.00437).
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

from report import FACTS, publish, table

from zen_cli import ArchSpec, cost, parse_spec, score
from zen_cli.bench.statistics import spearman

TABLE = FACTS / "nats_sss_cifar10_4096.csv"


def main() -> None:
    words = [word for word in sys.argv[1:] if word != "--save"]
    path = Path(words[0]) if words else TABLE
    if not path.exists():
        sys.exit(f"{path}: no such table; name one with the columns arch and accuracy, or its folder in ZEN_FACTS")
    with path.open(encoding="utf-8", newline="") as file:
        rows = [(row[0], float(row[1])) for row in list(csv.reader(file))[1:]]
    specs = [spec_of(widths) for widths, _ in rows]
    accuracy = [value for _, value in rows]
    scores = {
        "Zen, Frobenius norm": [score(spec, estimator="mean-field").zen.value for spec in specs],
        "Zen, L1 norm": [score(spec, estimator="mean-field", norm="l1").zen.value for spec in specs],
        "parameters": [float(cost(spec).params) for spec in specs],
        "activations": [float(cost(spec).activations) for spec in specs],
        "MACs": [float(cost(spec).macs) for spec in specs],
    }
    publish(
        "size_space",
        f"Spearman's rank correlation with CIFAR-10 accuracy over {len(rows):,} networks of the NATS-Bench size space "
        "(closed form, `paper` convention).",
        table(
            ["ranked by", "Spearman"], [[name, f"{spearman(found, accuracy):.3f}"] for name, found in scores.items()]
        ),
    )


def spec_of(widths: str) -> ArchSpec:
    """The vanilla chain of a network of the space: a stem and four pairs of 3x3 convolutions, three of them halving."""
    first, *rest = (int(width) for width in widths.split(":"))
    blocks = [{"op": "conv", "width": first}, {"op": "conv", "width": first, "depth": 2}]
    blocks += [
        {"op": "conv", "width": width, "stride": 1 if index == 0 else 2, "depth": 2} for index, width in enumerate(rest)
    ]
    return parse_spec({"resolution": 32, "num_classes": 10, "blocks": blocks})


if __name__ == "__main__":
    main()
