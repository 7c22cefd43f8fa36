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
import multiprocessing
import time
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import TYPE_CHECKING

from report import machine
from train_report import plot, report

from zen_cli import ArchSpec, cost

if TYPE_CHECKING:
    from train_model import Data

RESULTS = Path(__file__).parent / "results"
FIELDS = ("kind", "seed", "accuracy", "seconds", "device", "images", "epochs", "macs", "params", "id", "arch")
SEEDS, PICK_SEEDS = 2, 3
_data: Data
PARTS = ("random", "hand-made", "picks")


def train_all(options: argparse.Namespace) -> None:
    """Trains what the CSV lacks until the time is up: every network once, then every network again."""
    from train_networks import Network, hand_made, picks, randoms

    began = time.monotonic()
    makers = dict(zip(PARTS, (randoms, hand_made, picks), strict=True))
    study = [(part, network) for part in options.parts for network in makers[part]()]

    def runs() -> Iterator[tuple[Network, int]]:
        for seed in range(PICK_SEEDS):
            yield from ((network, seed) for part, network in study if seed < SEEDS or part == "picks")

    if not options.csv.exists():
        options.csv.write_text(",".join(FIELDS) + "\n", encoding="utf-8")
    done = {(row["kind"], row["id"], row["seed"]) for row in read(options.csv)}
    context = multiprocessing.get_context("spawn")
    ready = (options.data, options.images, options.device)
    with futures.ProcessPoolExecutor(options.workers, context, initializer=get_ready, initargs=ready) as pool:
        tasks = {
            pool.submit(train_one, spec, seed, options.epochs): (kind, spec, seed)
            for (kind, spec), seed in runs()
            if (kind, spec.id, str(seed)) not in done
        }
        try:
            for task in futures.as_completed(tasks, timeout=max(0.0, began + 60 * options.minutes - time.monotonic())):
                (kind, spec, seed), (accuracy, seconds) = tasks[task], task.result()
                total, arch = cost(spec), json.dumps(spec.to_dict(), separators=(",", ":"))
                row = (kind, seed, f"{accuracy:.4f}", f"{seconds:.1f}", options.device, options.images, options.epochs)
                with options.csv.open("a", encoding="utf-8", newline="") as file:
                    csv.writer(file, lineterminator="\n").writerow((*row, total.macs, total.params, spec.id, arch))
                print(f"{kind}, seed {seed}: {accuracy:.2%} in {seconds:.0f} s", flush=True)
        except futures.TimeoutError:
            pool.shutdown(cancel_futures=True)


def get_ready(folder: str, images: int, device: str) -> None:
    """Reads the data, once in each worker."""
    global _data  # of a worker, which has no other way to keep it
    import torch
    from train_model import read_data

    torch.set_num_threads(1)
    _data = read_data(folder, images, device)


def train_one(spec: ArchSpec, seed: int, epochs: int) -> tuple[float, float]:
    """The accuracy of a run and its seconds: of one core, or of a GPU that workers share."""
    from train_model import train

    clock = time.process_time if _data.images.device.type == "cpu" else time.perf_counter
    start = clock()
    return train(spec, _data, seed, epochs), clock() - start


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
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--workers", type=int, default=1, help="runs at once, each on one core")
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
