"""Rank correlation of every zero-shot score with trained accuracy on the NATS-Bench size space, and its time.

A row of the table is five widths and an accuracy; the network is a 3x3 stem and pairs of 3x3 convolutions. Closed forms
are computed on every row, the others on a seeded subsample.

    python benchmarks/proxies.py TABLE.csv [--sample 60] [--draws 1] [--batch-size 8]

The table has the columns `arch` (64:56:48:32:16) and `test_acc_90ep`.
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import random
import time
from pathlib import Path

from zen_cli import ArchSpec, parse_spec
from zen_cli.bench.statistics import spearman
from zen_cli.metrics import find, names
from zen_cli.metrics.settings import check_settings

RESULT = Path(__file__).parent / "results" / "proxies.md"


def network(arch: str) -> ArchSpec:
    """The chain of a row: a stem and two convolutions at the first width, two at each other, twice with stride 2."""
    first, *rest = map(int, arch.split(":"))
    blocks = [{"op": "conv", "width": first, "depth": 3}]
    blocks += [{"op": "conv", "width": w, "stride": s, "depth": 2} for w, s in zip(rest, (2, 1, 2, 1), strict=True)]
    return parse_spec({"resolution": 32, "num_classes": 10, "blocks": blocks})


def main() -> None:
    """Measures, prints and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--sample", type=int, default=60, help="networks for scores without a closed form")
    parser.add_argument("--draws", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--proxies", default=",".join(names()), help="which ones")
    words = parser.parse_args()
    with words.table.open(encoding="utf-8") as file:
        rows = [(network(row["arch"]), float(row["test_acc_90ep"])) for row in csv.DictReader(file)]
    some = random.Random(0).sample(rows, min(words.sample, len(rows)))
    settings = check_settings(draws=words.draws, batch_size=words.batch_size, device="cpu")
    lines = ["| score | networks | Spearman | zen on the same | ms a network |", "|---|---|---|---|---|"]
    zen = find("zen")
    for name in words.proxies.split(","):
        proxy = find(name)
        chosen = rows if proxy.closed_form is not None or name == "random" else some
        accuracy = [accuracy for _, accuracy in chosen]
        proxy.evaluate(chosen[0][0], settings)  # imports what it needs
        start = time.perf_counter()
        values = [proxy.sign * proxy.evaluate(spec, settings).value for spec, _ in chosen]
        spent = 1e3 * (time.perf_counter() - start) / len(chosen)
        base = [zen.evaluate(spec, settings).value for spec, _ in chosen]
        own, other = spearman(values, accuracy), spearman(base, accuracy)
        line = f"| {name} | {len(chosen)} | {own:.3f} | {other:.3f} | {spent:.3g} |"
        lines.append(line)
        print(line, flush=True)
    text = (
        "# Zero-shot scores against accuracy on the NATS-Bench size space\n\n"
        "CIFAR-10, 90 epochs; values of scores for which lower is better are negated. Measured scores: "
        f"{words.draws} random network(s) of {words.batch_size} images each, a sample of {len(some)} networks "
        "(the correlation's own error is about 1/sqrt(n)); `zen on the same` is the closed form on those networks.\n\n"
        + "\n".join(lines)
        + f"\n\n{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; times on a shared "
        "machine, to be read as ratios.\n"
    )
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
