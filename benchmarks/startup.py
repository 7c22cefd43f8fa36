"""How long the shell waits: `zen` against the import of the packages that it stands on, interleaved in one run."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from report import publish, table

SPEC = "SuperConvK3BNRELU(3,88,1,1)SuperResK1K7K1(88,120,1,16,1)SuperResK1K7K1(120,192,2,16,3)"
BASELINE = [sys.executable, "-c", "import typer, rich, pydantic"]
COMMANDS = {
    "import typer, rich, pydantic": BASELINE,
    "zen --help": [sys.executable, "-m", "zen_cli", "--help"],
    "zen score --estimator mean-field SPEC": [
        *(sys.executable, "-m", "zen_cli", "score", "--estimator", "mean-field", "--resolution", "32", SPEC)
    ],
    "import torch": [sys.executable, "-c", "import torch"],
}
ROUNDS = 15


def main() -> None:
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(ROUNDS):
        for name, command in COMMANDS.items():
            start = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            times[name].append(time.perf_counter() - start)
    base = times["import typer, rich, pydantic"]
    rows = [
        [
            f"`{name}`",
            f"{statistics.median(took):.2f} s",
            f"{min(took):.2f} s",
            f"{statistics.median(one / other for one, other in zip(took, base, strict=True)):.2f}",
        ]
        for name, took in times.items()
    ]
    publish(
        "startup",
        f"What a user waits for before anything happens; {ROUNDS} rounds, interleaved, medians of wall time and of the "
        "ratio within a round.",
        table(["command", "median", "fastest", "ratio"], rows),
    )


if __name__ == "__main__":
    main()
