"""The Monte-Carlo engine on a CPU: against the obvious loop, and what to pick.

    python benchmarks/engine_cpu.py [--rounds 7] [--draws 24] [--out benchmarks/results/engine_cpu.md]

Both sides run in one process, one after the other in every round; a ratio is the median over rounds. Seconds of one
core (`time.thread_time`) do not count what other processes took, so those hold on a busy machine too.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from engine_loop import floor, measure_rates, network, obvious_loop, published, table, tiny, wall

from zen_cli.metrics.monte_carlo import MIN_PRECISION_DRAWS, KeyedChain, estimate
from zen_cli.metrics.monte_carlo.draws import Draw
from zen_cli.metrics.monte_carlo.single import score_draw
from zen_cli.metrics.settings import check_settings

CPU = torch.device("cpu")


def core_seconds(function: Callable[[], object]) -> float:
    """Processor time of a call that computes in this thread alone."""
    start = time.thread_time()
    function()
    return time.thread_time() - start


class Round(NamedTuple):
    """Seconds a draw: the loop and the engine with all cores, and each on one core."""

    loop: float
    engine: float
    loop_core: float
    engine_core: float


def one_round(one: KeyedChain, batch: int, draws: int, number: int) -> Round:
    settings = check_settings(batch_size=batch, draws=draws, device="cpu")
    loop = wall(lambda: [obvious_loop(one.chain, batch, CPU) for _ in range(draws)], CPU) / draws
    engine = wall(lambda: list(estimate([one], settings)), CPU) / draws
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    loop_core = core_seconds(lambda: obvious_loop(one.chain, batch, CPU))
    engine_core = core_seconds(lambda: score_draw(Draw(one, number), settings, torch.float32))
    torch.set_num_threads(threads)
    return Round(loop, engine, loop_core, engine_core)


def against_the_loop(networks: dict[str, KeyedChain], batches: list[int], rounds: int, draws: int) -> str:
    """Medians over rounds, the first of which warms up, and the medians of the rounds' ratios."""
    rows = []
    for name, one in networks.items():
        for batch in batches:
            times = [one_round(one, batch, draws, number) for number in range(rounds + 1)][1:]
            loop, engine, loop_core, engine_core = (statistics.median(column) for column in zip(*times, strict=True))
            ratios = (
                statistics.median(time.loop / time.engine for time in times),
                statistics.median(time.loop_core / time.engine_core for time in times),
            )
            cells = [f"{1e3 * loop:.0f} ms", f"{1e3 * engine:.0f} ms", f"{ratios[0]:.2f}"]
            cells += [f"{1e3 * loop_core:.0f} ms", f"{1e3 * engine_core:.0f} ms", f"{ratios[1]:.2f}"]
            rows.append([name, str(batch), *cells])
            print(*rows[-1], sep="  ", file=sys.stderr)
    header = ["network", "images", "loop", "engine", "ratio", "loop, one core", "engine, one core", "ratio, one core"]
    return table(header, rows)


def what_to_pick(one: KeyedChain, batches: list[int], draws: int) -> str:
    """Seconds to a standard error over batch sizes, and the shift of the mean against the largest."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    found = []
    for batch in batches:
        settings = check_settings(batch_size=batch, device="cpu")
        scores, seconds = [], []
        for number in range(draws):
            start = time.thread_time()
            scores.append(score_draw(Draw(one, number), settings, torch.float32))
            seconds.append(time.thread_time() - start)
        found.append((batch, statistics.median(seconds), statistics.fmean(scores), statistics.stdev(scores)))
        print(*found[-1], file=sys.stderr)
    torch.set_num_threads(threads)
    last, error = found[-1][2], found[-1][3]
    rows = []
    for batch, cost, mean, spread in found:
        times = (cost * max(MIN_PRECISION_DRAWS, (spread / wanted) ** 2) for wanted in (0.5, 0.1))
        shift_error = ((spread**2 + error**2) / draws) ** 0.5 if batch != batches[-1] else 0.0
        rows.append(
            [
                str(batch),
                f"{1e3 * cost:.0f} ms",
                f"{spread:.2f}",
                *(f"{value:.1f} s" for value in times),
                f"{mean:.2f}",
                f"{mean - last:+.2f} +- {shift_error:.2f}",
            ]
        )
    header = ["images", "a draw", "spread of draws", "to 0.5 nats", "to 0.1 nats", "mean", "shift against the last row"]
    return table(header, rows)


def floors(networks: dict[str, KeyedChain], batches: list[int]) -> str:
    """Work of a draw and the least time it takes at this machine's rates, on one core."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    rates = measure_rates(CPU, side=1024, megabytes=128)
    numbers = torch.empty(2**20)
    normals = min(core_seconds(numbers.normal_) for _ in range(5)) / numbers.numel()
    torch.set_num_threads(threads)
    rows = []
    for name, one in networks.items():
        for batch in batches:
            work = floor(one.chain, batch)
            products, memory, drawn = work.macs / rates.macs, work.bytes / rates.bytes, work.numbers * normals
            cells = (f"{1e3 * value:.0f} ms" for value in (products, memory, drawn))
            rows.append([name, str(batch), f"{work.macs / 1e9:.2f}", f"{work.bytes / 2**20:.0f} MiB", *cells])
    header = ["network", "images", "G multiply-adds", "moved", "products", "memory", "random numbers"]
    head = f"One core: {rates.macs / 1e9:.0f} G multiply-adds/s, {rates.bytes / 1e9:.1f} GB/s, "
    return head + f"{1e9 * normals:.1f} ns a random number.\n\n" + table(header, rows)


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--draws", type=int, default=24)
    parser.add_argument("--loop-batches", type=int, nargs="*", default=[2, 16])
    parser.add_argument("--batches", type=int, nargs="*", default=[1, 2, 4, 8, 16, 32, 64])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--tiny", action="store_true", help="Small networks, to try the script itself.")
    options = parser.parse_args(words)
    networks = {name: network(spec) for name, spec in (tiny() if options.tiny else published()).items()}
    head = f"{platform.machine()}, {torch.get_num_threads()} cores, torch {torch.__version__}"
    parts = [
        head,
        "### The floor\n\n" + floors(networks, options.loop_batches),
        "### Against the obvious loop\n\n" + against_the_loop(networks, options.loop_batches, options.rounds, 4),
        f"### What to pick: {next(iter(networks))}, seconds of one core\n\n"
        + what_to_pick(next(iter(networks.values())), options.batches, options.draws),
    ]
    text = "\n\n".join(parts) + "\n"
    print(text)
    if options.out is not None:
        options.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
