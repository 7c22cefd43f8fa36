"""Trains what searches return, beside random and hand-made networks of the same cost: does a score choose well?

    python benchmarks/train.py --data FOLDER [--parts random,hand-made,picks] [--minutes 90]
    python benchmarks/train.py [--save]      # reads the runs, scores every network anew, prints

With --data it trains what the CSV does not have yet, a row a run, and goes on where it was stopped. FOLDER has the four
files of Fashion-MNIST (Debian's dataset-fashion-mnist puts them in /usr/share/datasets/fashion-mnist); `digits` stands
for those of scikit-learn. The networks are described in train_networks.py, the recipe in train_model.py, how a result
is computed in train_report.py.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections.abc import Iterator
from pathlib import Path

from report import machine
from train_report import plot, report

from zen_cli import cost

RESULTS = Path(__file__).parent / "results"
FIELDS = ("kind", "seed", "accuracy", "seconds", "images", "epochs", "macs", "params", "id", "arch")
SEEDS, PICK_SEEDS = 2, 3
PARTS = ("random", "hand-made", "picks")


def train_all(options: argparse.Namespace) -> None:
    """Trains what the CSV lacks until the time is up: every network once, then every network again."""
    import torch
    from train_model import read_data, train
    from train_networks import Network, hand_made, picks, randoms

    torch.set_num_threads(1)
    began = time.monotonic()
    data = read_data(options.data, options.images)
    makers = dict(zip(PARTS, (randoms, hand_made, picks), strict=True))
    study = [(part, network) for part in options.parts for network in makers[part]()]

    def runs() -> Iterator[tuple[Network, int]]:
        for seed in range(PICK_SEEDS):
            yield from ((network, seed) for part, network in study if seed < SEEDS or part == "picks")

    if not options.csv.exists():
        options.csv.write_text(",".join(FIELDS) + "\n", encoding="utf-8")
    for (kind, spec), seed in runs():
        if (kind, spec.id, str(seed)) in {(row["kind"], row["id"], row["seed"]) for row in read(options.csv)}:
            continue  # looked up each time, so that several processes may share the parts
        if time.monotonic() - began > 60 * options.minutes:
            return
        start, total = time.process_time(), cost(spec)
        accuracy = train(spec, data, seed, options.epochs)
        seconds = time.process_time() - start
        arch = json.dumps(spec.to_dict(), separators=(",", ":"))
        row = (kind, seed, f"{accuracy:.4f}", f"{seconds:.1f}", len(data.images), options.epochs)
        with options.csv.open("a", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerow((*row, total.macs, total.params, spec.id, arch))
        print(f"{kind}, seed {seed}: {accuracy:.2%} in {seconds:.0f} CPU seconds", flush=True)


def read(path: Path) -> list[dict[str, str]]:
    """The rows of the CSV; none if there is none."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def main() -> None:
    """Trains with --data, then reports."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder of Fashion-MNIST's four .gz files, or `digits`; without it: report only")
    parser.add_argument("--csv", type=Path, default=RESULTS / "train.csv", help="where the runs are")
    parser.add_argument("--parts", type=lambda text: text.split(","), default=PARTS, help="what to train")
    parser.add_argument("--minutes", type=float, default=90, help="of training in this call")
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--save", action="store_true", help="write train.md and train.svg beside the CSV")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"--parts: unknown {', '.join(sorted(unknown))}; use {', '.join(PARTS)}")
    if options.data:
        train_all(options)
    rows = read(options.csv)
    if not rows:
        parser.error(f"{options.csv}: has no runs; give --data to train some")
    text = report(rows)
    print(text)
    if options.save:
        intro = (
            "# Training what searches return\n\n`python benchmarks/train.py --save`, from the runs in train.csv.\n\n"
        )
        options.csv.with_suffix(".md").write_text(f"{intro}{text}\n{machine()}\n", encoding="utf-8")
        options.csv.with_suffix(".svg").write_text(plot(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
