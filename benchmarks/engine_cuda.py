"""The Monte-Carlo engine on a GPU: populations against the obvious loop, growth, modes, the share of the floor.

    python benchmarks/engine_cuda.py [--out benchmarks/results/engine_cuda.md]

Both sides run on the same card, one after the other in every round; a ratio is the median over rounds. The loop scores
`--loop-networks` of a population, which is enough for a rate. `--device cpu --tiny` tries the script without a card:
it then runs the GPU's way through the networks on the CPU, and its numbers say nothing.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path

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
from zen_cli.engine import Network
from zen_cli.engine.batch import Bundle, score_bundles, start
from zen_cli.engine.estimates import run
from zen_cli.engine.precision import dtype_of, tensor_cores
from zen_cli.engine.workers import Together
from zen_cli.records import MIN_ALPHA, PrecisionMode, ScoreSettings, check_settings

MODES: tuple[PrecisionMode, ...] = ("float32", "tf32", "float16", "bfloat16")


def score_all(networks: list[Network], settings: ScoreSettings, device: torch.device, mode: PrecisionMode) -> None:
    """Every network's estimate, by the workers of a GPU wherever they run."""
    with Together(device, settings, mode) as workers:
        for result in run(iter(networks), workers, settings):
            if isinstance(result, Exception):
                raise result


def against_the_loop(
    title: str,
    networks: list[Network],
    batches: list[int],
    options: argparse.Namespace,
    device: torch.device,
    rates: Rates,
) -> list[list[str]]:
    """Networks a second with one draw each, by the loop and by the engine, and the engine's share of the floor."""
    rows = []
    for batch in batches:
        some = networks[: options.loop_networks]
        least = sum(floor(one.chain, batch).seconds(rates) for one in networks) / len(networks)
        for draws in (1, 4):
            settings = check_settings(batch_size=batch, draws=draws, device=str(device))
            times = []
            for _ in range(options.rounds + 1):
                loop = sum(wall(lambda: obvious_loop(one.chain, batch, device), device) for one in some) / len(some)  # noqa: B023  # called at once
                engine = wall(lambda: score_all(networks, settings, device, "float32"), device)  # noqa: B023
                times.append((draws * loop, engine / len(networks)))
            loop, engine = (statistics.median(column) for column in zip(*times[1:], strict=True))
            gain = statistics.median(a / b for a, b in times[1:])
            share = draws * least / engine
            cells = [f"{1 / loop:.1f}", f"{1 / engine:.1f}", f"{gain:.1f}", f"{100 * share:.0f}%"]
            rows.append([title, str(len(networks)), str(batch), str(draws), *cells])
            print(*rows[-1], sep="  ", file=sys.stderr)
    return rows


def growth(networks: list[Network], batch: int, device: torch.device) -> list[list[str]]:
    """Networks a second, one draw each, over the size of the population."""
    settings = check_settings(batch_size=batch, draws=1, device=str(device))
    rows, size = [], 1
    while size <= len(networks):
        some = networks[:size]
        seconds = min(wall(lambda: score_all(some, settings, device, "float32"), device) for _ in range(3))  # noqa: B023
        rows.append([str(size), f"{size / seconds:.1f}"])
        size *= 4
    return rows


def modes(networks: list[Network], batch: int, device: torch.device) -> list[list[str]]:
    """Speed of each mode, and its error: draws against the same random numbers in float64 on the CPU."""
    rows = []
    for mode in MODES:
        alpha = max(0.01, MIN_ALPHA[mode])
        settings = check_settings(batch_size=batch, draws=1, alpha=alpha, precision_mode=mode, device=str(device))
        seconds = min(wall(lambda: score_all(networks, settings, device, mode), device) for _ in range(3))  # noqa: B023
        errors, references = [], []
        for one in networks[:4]:
            found, wanted = against_float64(one, settings, device, mode)
            errors += [a - b for a, b in zip(found, wanted, strict=True)]
            references.append(wanted)
        spread = statistics.fmean(statistics.stdev(values) for values in references)
        cells = [
            f"{len(networks) / seconds:.1f}",
            f"{statistics.fmean(errors):+.4f}",
            f"{statistics.stdev(errors):.4f}",
        ]
        rows.append([mode, f"{alpha:g}", *cells, f"{spread:.3f}"])
        print(*rows[-1], sep="  ", file=sys.stderr)
    return rows


def against_float64(
    one: Network, settings: ScoreSettings, device: torch.device, mode: PrecisionMode, draws: int = 4
) -> tuple[list[float], list[float]]:
    """Draws of a network in a mode, and of the same images and weights in float64 on the CPU."""
    exact = start(one, range(draws), settings, torch.float32, device)
    reference = Bundle(one.chain, exact.x.double().cpu(), exact.weights.double().cpu())
    dtype = dtype_of(mode)
    with tensor_cores(mode):
        found = score_bundles([Bundle(one.chain, exact.x.to(dtype), exact.weights.to(dtype))], settings)
    return found, score_bundles([reference], settings)


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--rounds", type=int, default=5)
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
    header = [
        "population",
        "networks",
        "images",
        "draws",
        "loop, networks/s",
        "engine, networks/s",
        "ratio",
        "of the floor",
    ]
    parts = [
        f"{name}, torch {torch.__version__}: {rates.macs / 1e12:.1f} T multiply-adds/s in float32, "
        f"{rates.bytes / 1e9:.0f} GB/s",
        "### Against the obvious loop, float32\n\n" + table(header, rows),
        "### Over the size of the population\n\n"
        + table(["networks", "networks/s"], growth(crowd, options.batches[0], device)),
        "### Modes, and their error against float64\n\n"
        + table(
            ["mode", "alpha", "networks/s", "mean error", "spread of errors", "spread of draws"],
            modes(crowd, options.batches[0], device),
        ),
    ]
    text = "\n\n".join(parts) + "\n"
    print(text)
    if options.out is not None:
        options.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
