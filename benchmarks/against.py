"""Searches of this version against those of an older one: processor time of whole processes, by turns in one run.

    python benchmarks/against.py 03a9fbe --save

The older version is any revision of this repository whose commands know these options. It is checked out beside a
temporary folder and run by the same Python.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from report import publish, table

ROOT = Path(__file__).resolve().parent.parent
COMMON = ["--verify", "0", "--top", "1", "--quiet"]
EXACT, EVOLUTION = ["--algorithm", "exact", "--gap", "0.5%"], ["--algorithm", "evolution", "--budget", "200kevals"]
SEARCHES = [
    ["search", "--preset", preset, *words, *COMMON]
    for words in (EXACT, EVOLUTION)
    for preset in ("cifar-1m", "imagenet-400m")
]
ROUNDS = 5


def run(source: Path, words: list[str], state: str) -> tuple[float, dict[str, Any]]:
    """CPU seconds of a search, and what it says of it."""
    environment = {**os.environ, "PYTHONPATH": str(source / "src"), "OMP_NUM_THREADS": "1", "XDG_STATE_HOME": state}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "zen_cli", *words], env=environment, check=True, capture_output=True, cwd=state
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, json.loads(done.stdout)["search"]


def main() -> None:
    """Prints a row a search."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("revision")
    parser.add_argument("--save", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        older = Path(folder) / "older"
        checkout = ["git", "-C", ROOT, "worktree", "add", "-q", "--detach", older, options.revision]
        if subprocess.run(checkout, capture_output=True, check=False).returncode:
            parser.error(f"{options.revision} is no revision of this repository")
        try:
            rows = [row_of(older, words, folder) for words in SEARCHES]
        finally:
            subprocess.run(["git", "-C", ROOT, "worktree", "remove", "--force", older], check=True)
    publish(
        "against",
        f"Processor time of whole processes against revision {options.revision}, {ROUNDS} rounds by turns: medians, "
        "and the median of the ratios.",
        table(["search", "older, s", "now, s", "ratio", "score, older", "now", "bound, older", "now"], rows),
    )


def row_of(older: Path, words: list[str], state: str) -> list[str]:
    """A row of the table."""
    times: list[tuple[float, float]] = []
    for _ in range(ROUNDS):
        (before, old), (now, new) = (run(source, words, state) for source in (older, ROOT))
        times.append((before, now))
    figures = [f"{row[name]:.3f}" if row.get(name) else "" for name in ("score", "bound") for row in (old, new)]
    return [
        f"`zen {' '.join(words[:-5])}`",
        *(f"{statistics.median(column):.2f}" for column in zip(*times, strict=True)),
        f"{statistics.median(now / before for before, now in times):.2f}",
        *figures,
    ]


if __name__ == "__main__":
    main()
