"""Specs as JSON lines through `zen score - --estimator mean-field`: how many a second, in how much memory.

The baseline of the throughput is reading and checking the same lines with pydantic and nothing else.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from typing import NamedTuple

from report import publish, random_spec, table

COUNT = 10_000
LONG = 30  # times as many in a stream that shows whether memory grows


def main() -> None:
    rng = random.Random(0)
    lines = [json.dumps(random_spec(rng, rng.choice(["bottleneck", "mbconv"])).to_dict()) for _ in range(COUNT)]
    part = lines[: COUNT // 10]
    few, many = run(part), run(lines)
    rate = (len(lines) - len(part)) / (many.cpu_s - few.cpu_s)
    checked = check(lines)
    publish(
        "stream",
        f"{rate:,.0f} specs a second of processor time once started; reading and checking the same lines with pydantic "
        f"alone runs at {checked:,.0f} (ratio {rate / checked:.2f}). All networks differ. Memory grows until "
        "the caches of block terms are full, and no further.",
        table(
            ["specs", "wall time", "processor time", "peak memory"],
            [
                [
                    name,
                    f"{took.wall_s:.2f} s",
                    f"{took.cpu_s:.2f} s",
                    f"{took.peak_bytes / 2**20:.0f} MiB",
                ]
                for name, took in (
                    (f"{len(part):,}", few),
                    (f"{len(lines):,}", many),
                    (f"{LONG * len(lines):,}", run(lines, times=LONG)),
                    (f"{len(lines):,}, with `--breakdown`", run(lines, "--breakdown")),
                    (f"{LONG * len(lines):,}, with `--breakdown`", run(lines, "--breakdown", times=LONG)),
                )
            ],
        ),
    )


class Took(NamedTuple):
    """What one command took."""

    wall_s: float
    cpu_s: float
    peak_bytes: int


def run(lines: list[str], *options: str, times: int = 1) -> Took:
    """What it takes to score these lines, so many times."""
    command = [sys.executable, "-m", "zen_cli", "score", "-", "--estimator", "mean-field", *options]
    start = time.perf_counter()
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    assert process.stdin is not None
    data = "\n".join([*lines, ""]).encode()
    for _ in range(times):
        process.stdin.write(data)
    process.stdin.close()
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0
    unit = 1 if sys.platform == "darwin" else 1024
    return Took(time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit)


def check(lines: list[str]) -> float:
    """Specs a second of processor time of parsing and validating alone."""
    from zen_cli.net.spec import ArchSpec

    start = time.process_time()
    for line in lines:
        ArchSpec.model_validate(json.loads(line))
    return len(lines) / (time.process_time() - start)


if __name__ == "__main__":
    main()
