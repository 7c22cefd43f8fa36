"""Whether a long search keeps its memory: `zen search` for ten minutes, its resident memory every five seconds.

`python benchmarks/long_search.py MINUTES` takes another time. Linux alone, as memory is read from `/proc`.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from report import publish, table

MINUTES = 10
EVERY = 5.0  # seconds between two looks
PROBLEM = "--space mobile --resolution 224 --max-macs 300M --algorithm evolution --seed 1 --verify 0 --top 1 --quiet"
ENDLESS = "--patience 1000 --budget 1000Mevals"  # so that only the time ends it


def main() -> None:
    numbers = [word for word in sys.argv[1:] if word.isdigit()]
    minutes = int(numbers[0]) if numbers else MINUTES
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        command = [
            sys.executable,
            "-m",
            "zen_cli",
            "search",
            *PROBLEM.split(),
            *ENDLESS.split(),
            "--budget",
            f"{minutes}min",
        ]
        process = subprocess.Popen([*command, "--out", str(run)], stdout=subprocess.DEVNULL)
        looks = watch(process, run)
        assert process.wait() == 0, "the search failed"
    rows = []
    for minute in range(minutes):
        part = [look for look in looks if minute <= look.seconds / 60 < minute + 1]
        if part:  # a slow machine may not look in each
            memory = [look.resident for look in part]
            rows.append([minute + 1, mib(min(memory)), mib(max(memory)), f"{part[-1].history / 1000:.0f} kB"])
    publish(
        "long_search",
        f"A search of {minutes} minutes: the smallest and largest resident memory in each of them, read every "
        f"{EVERY:g} seconds, and how large `history.jsonl` was at its end.",
        table(["minute", "least", "most", "history"], rows),
    )


class Look(NamedTuple):
    """Seconds since the start, resident bytes, and bytes of `history.jsonl`."""

    seconds: float
    resident: int
    history: int


def watch(process: subprocess.Popen[bytes], run: Path) -> list[Look]:
    """What was seen until the process ended."""
    looks, began = [], time.monotonic()
    status, history = Path(f"/proc/{process.pid}/status"), run / "history.jsonl"
    while process.poll() is None:
        found = re.search(r"VmRSS:\s*(\d+) kB", status.read_text(encoding="utf-8"))
        if found is not None:
            size = history.stat().st_size if history.exists() else 0
            looks.append(Look(time.monotonic() - began, int(found[1]) * 1024, size))
        time.sleep(EVERY)
    return looks


def mib(count: int) -> str:
    return f"{count / 2**20:.0f} MiB"


if __name__ == "__main__":
    main()
