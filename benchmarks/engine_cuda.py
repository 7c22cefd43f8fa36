"""The Monte-Carlo engine on a GPU: populations against the obvious loop, growth, modes, the share of the floor.

    python benchmarks/engine_cuda.py [--out benchmarks/results/engine_cuda.md]

Both sides run on the same card, one after the other in every round; a ratio is the median over rounds. The loop scores
`--loop-networks` of a population, which is enough for a rate. `--device cpu --tiny` tries the script without a card:
it then takes networks together in plain torch, and its numbers say nothing.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import torch
from engine_loop import (
    Rates,
    floor,
    measure_rates,
    network,
    obvious_loop,
    population,
    published,
    table,
    tiny,
    wall,
)

from zen_cli.devices import resolve_device
from zen_cli.engine import Network, workers
from zen_cli.engine.batch import Bundle, score_bundles, start
from zen_cli.engine.estimates import run
from zen_cli.engine.network import Draw
from zen_cli.engine.together import kernels_for, score_plain, score_together
from zen_cli.engine.workers import Together
from zen_cli.records import MIN_ALPHA, PrecisionMode, ScoreSettings, check_settings

MODES: tuple[PrecisionMode, ...] = ("float32", "tf32", "float16", "bfloat16")
OPTIONS = ({"num_warps": warps, "num_stages": stages} for warps, stages in itertools.product((4, 8), (2, 3)))


def score_all(
    networks: list[Network], settings: ScoreSettings, device: torch.device, mode: PrecisionMode = "float32"
) -> list[float]:
    """Every network's estimate, by the workers of a GPU wherever they run."""
    values = []
    with Together(device, settings, mode) as together:
        for result in run(iter(networks), together, settings):
            if isinstance(result, Exception):
                raise result
            values.append(result.value)
    return values


def seconds(function: Callable[[], object], device: torch.device) -> float:
    """Of the fastest of three calls behind one that compiles what there is to compile."""
    function()
    return min(wall(function, device) for _ in range(3))


def against_the_loop(
    title: str,
    networks: list[Network],
    batches: list[int],
    options: argparse.Namespace,
    device: torch.device,
    rates: Rates,
) -> list[list[str]]:
    """Networks a second by the loop, by plain torch and by the engine, and the engine's share of the floor."""
    rows = []
    some = networks[: options.loop_networks]
    for batch, draws in itertools.product(batches, (1, 4)):
        settings = check_settings(batch_size=batch, draws=draws, device=str(device))
        least = sum(floor(one.chain, batch, touches=1).seconds(rates) for one in networks) / len(networks)

        def loop(batch: int = batch, draws: int = draws) -> float:
            return draws * sum(wall(lambda: obvious_loop(one.chain, batch, device), device) for one in some) / len(some)  # noqa: B023

        def engine(settings: ScoreSettings = settings) -> float:
            return wall(lambda: score_all(networks, settings, device), device) / len(networks)

        times = []
        for _ in range(options.rounds + 1):
            with mock.patch.object(workers, "score_together", score_plain):
                plain = engine()
            times.append((loop(), plain, engine()))
        columns = [statistics.median(column) for column in zip(*times[1:], strict=True)]
        gain = statistics.median(a / b for a, _, b in times[1:])
        cells = [
            *(f"{1 / column:.1f}" for column in columns),
            f"{gain:.1f}",
            f"{100 * draws * least / columns[2]:.0f}%",
        ]
        rows.append([title, str(len(networks)), str(batch), str(draws), *cells])
        print(*rows[-1], sep="  ", file=sys.stderr)
    return rows


def growth(networks: list[Network], batch: int, device: torch.device) -> list[list[str]]:
    """Networks a second, one draw each, over the size of the population."""
    settings = check_settings(batch_size=batch, draws=1, device=str(device))
    rows, size = [], 1
    while size <= len(networks):
        some = networks[:size]
        rows.append([str(size), f"{size / seconds(lambda: score_all(some, settings, device), device):.1f}"])  # noqa: B023
        size *= 4
    return rows


def modes(networks: list[Network], batch: int, device: torch.device) -> list[list[str]]:
    """Speed of each mode, and its error: draws against the same random numbers in float64 on the CPU."""
    rows = []
    for mode in MODES:
        alpha = max(0.01, MIN_ALPHA[mode])
        settings = check_settings(batch_size=batch, draws=4, alpha=alpha, precision_mode=mode, device=str(device))
        errors, spreads = [], []
        for one in networks[:4]:
            draws = [Draw(one, number) for number in range(settings.draws)]
            wanted = in_float64(one, settings, device)
            errors += [a - b for a, b in zip(score_together(draws, settings, mode, device), wanted, strict=True)]
            spreads.append(statistics.stdev(wanted))
        speed = len(networks) / seconds(lambda: score_all(networks, settings, device, mode), device)  # noqa: B023
        cells = [f"{speed:.1f}", f"{statistics.fmean(errors):+.4f}", f"{statistics.stdev(errors):.4f}"]
        rows.append([mode, f"{alpha:g}", *cells, f"{statistics.fmean(spreads):.3f}"])
        print(*rows[-1], sep="  ", file=sys.stderr)
    return rows


def in_float64(one: Network, settings: ScoreSettings, device: torch.device) -> list[float]:
    """Draws of a network from the numbers that a device draws in float32, computed in float64 on the CPU."""
    drawn = start(one, range(settings.draws), settings, torch.float32, device)
    return score_bundles([Bundle(one.chain, drawn.x.double().cpu(), drawn.weights.double().cpu())], settings)


def independence(networks: list[Network], batch: int, device: torch.device) -> list[list[str]]:
    """The largest relative difference between scores in one batch, and alone, reversed and in batches of seven."""
    settings = check_settings(batch_size=batch, draws=1, device=str(device))
    some = networks[:16]
    together = score_all(some, settings, device)
    others = {
        "alone": [score_all([one], settings, device)[0] for one in some],
        "in the reverse order": score_all(some[::-1], settings, device)[::-1],
        "in batches of seven": [
            score for at in range(0, len(some), 7) for score in score_all(some[at : at + 7], settings, device)
        ],
    }
    return [
        [name, f"{max(abs(a / b - 1) for a, b in zip(values, together, strict=True)):.1e}"]
        for name, values in others.items()
    ]


def choices(networks: list[Network], batch: int, device: torch.device) -> list[list[str]]:
    """Networks a second with other options of the kernels; nothing where there are no kernels."""
    if kernels_for(device, "float32") is None:
        return []
    from zen_cli.engine import fused

    settings, rows = check_settings(batch_size=batch, draws=1, device=str(device)), []
    for options in OPTIONS:
        with mock.patch.dict(fused.OPTIONS, options):
            speed = len(networks) / seconds(lambda: score_all(networks, settings, device), device)
        rows.append([str(options["num_warps"]), str(options["num_stages"]), f"{speed:.1f}"])
    return rows


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--loop-networks", type=int, default=8)
    parser.add_argument("--cifar", type=int, default=256, help="Networks near the CIFAR 1M budget.")
    parser.add_argument("--mobile", type=int, default=64, help="Networks near 400M multiply-adds.")
    parser.add_argument("--batches", type=int, nargs="*", default=[16, 64])
    parser.add_argument("--tiny", action="store_true", help="Small networks, to try the script itself.")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(words)
    device = resolve_device(options.device)
    small, mobile = (tiny() if options.tiny else published()).values()
    rates = measure_rates(device, *((256, 4) if options.tiny else (8192, 1024)))
    slack = 3.0 if options.tiny else 0.1
    crowd = [network(spec) for spec in population(small, options.cifar, "params", slack)]
    mobiles = [network(spec) for spec in population(mobile, options.mobile, "macs", slack)]
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "a CPU, to try the script"
    rows = against_the_loop("near 1M parameters, 32 x 32", crowd, options.batches, options, device, rates)
    rows += against_the_loop("near 400M, 224 x 224", mobiles, options.batches, options, device, rates)
    batch = options.batches[0]
    header = [
        *("population", "networks", "images", "draws"),
        *("loop, networks/s", "plain torch", "engine", "ratio to the loop", "of the floor"),
    ]
    errors = ["mode", "alpha", "networks/s, 4 draws", "mean error", "spread of errors", "spread of draws"]
    kernels = "Triton's kernels" if kernels_for(device, "float32") else "plain torch"
    parts = [
        f"{name}, torch {torch.__version__}, {kernels}: {rates.macs / 1e12:.1f} T multiply-adds/s in float32 or three "
        f"TF32 products, {rates.bytes / 1e9:.0f} GB/s",
        "### Against the obvious loop, float32\n\n" + table(header, rows),
        "### Over the size of the population\n\n" + table(["networks", "networks/s"], growth(crowd, batch, device)),
        "### Modes, and their error against float64\n\n" + table(errors, modes(crowd, batch, device)),
        "### Largest relative difference to scores in one batch\n\n"
        + table(["", "difference"], independence(crowd, batch, device)),
        "### Options of the kernels\n\n" + table(["warps", "stages", "networks/s"], choices(crowd, batch, device)),
    ]
    text = "\n\n".join(parts) + "\n"
    print(text)
    if options.out is not None:
        options.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
