"""The Monte-Carlo engine on a GPU: exactness, growth, the obvious loop, the share of the floor, options of the kernels.

    python benchmarks/engine_cuda.py [--out benchmarks/results/engine_cuda.md] [--seconds 540]

Both sides run on the same card, one after the other in every round; a ratio is the median over rounds. The loop scores
`--loop-networks` of a population, plain torch `--plain-networks`, which is enough for a rate. What is measured is
written part by part; a part that fails says why, and one that would begin after `--seconds` is left out.
`--device cpu --tiny` tries the script without a card: all is plain torch then, and its numbers say nothing.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple, TypeAlias
from unittest import mock

import torch
from engine_loop import (
    Rates,
    at_least,
    floor,
    measure_rates,
    named_device,
    network,
    new_file,
    obvious_loop,
    population,
    published,
    table,
    tiny,
    wall,
)

from zen_cli.metrics.monte_carlo import KeyedChain, estimates
from zen_cli.metrics.monte_carlo.batch import Bundle, score_bundles, start
from zen_cli.metrics.monte_carlo.dispatch import dispatch, kernels_for, score_plain
from zen_cli.metrics.monte_carlo.draws import Draw
from zen_cli.metrics.monte_carlo.precision import tensor_cores
from zen_cli.metrics.settings import MIN_ALPHA, PrecisionMode, ScoreSettings, check_settings

Rows: TypeAlias = Iterator[list[str]]
MODES: tuple[PrecisionMode, ...] = ("float32", "tf32", "float16", "bfloat16")
OPTIONS = [{"num_warps": warps, "num_stages": stages} for warps, stages in itertools.product((4, 8), (2, 3))]


class Bench(NamedTuple):
    """What all parts measure on."""

    crowd: list[KeyedChain]
    mobiles: list[KeyedChain]
    batches: list[int]
    device: torch.device
    rates: Rates
    options: argparse.Namespace


def score_all(
    networks: list[KeyedChain], settings: ScoreSettings, device: torch.device, mode: PrecisionMode = "float32"
) -> list[float]:
    """Every network's estimate, by the workers of a GPU wherever they run."""
    values = []
    with estimates.batches(device, settings, mode) as workers:
        for result in estimates.run(networks, workers, settings, advice=""):
            if isinstance(result, Exception):
                raise result
            values.append(result.value)
    return values


def seconds(function: Callable[[], object], device: torch.device) -> float:
    """Of the fastest of three calls after one that compiles what there is to compile."""
    function()
    return min(wall(function, device) for _ in range(3))


def independence(bench: Bench) -> Rows:
    """The largest relative difference between scores in one batch, and alone, reversed and in batches of seven."""
    device, some = bench.device, bench.crowd[:16]
    settings = check_settings(batch_size=bench.batches[0], draws=1, device=str(device))
    together = score_all(some, settings, device)
    sevens = (some[at : at + 7] for at in range(0, len(some), 7))
    others = {
        "alone": [score_all([one], settings, device)[0] for one in some],
        "in the reverse order": score_all(some[::-1], settings, device)[::-1],
        "in batches of seven": [score for part in sevens for score in score_all(part, settings, device)],
    }
    for name, values in others.items():
        yield [name, f"{max(abs(a / b - 1) for a, b in zip(values, together, strict=True)):.1e}"]


def modes(bench: Bench) -> Rows:
    """Speed of each mode, and its error: draws against the same random numbers in float64 on the CPU."""
    device, batch = bench.device, bench.batches[0]
    references: dict[float, list[list[float]]] = {}
    for mode in MODES:
        alpha = max(0.01, MIN_ALPHA[mode])
        settings = check_settings(batch_size=batch, draws=4, alpha=alpha, precision_mode=mode, device=str(device))
        some = [bench.crowd[0], bench.crowd[-1], bench.mobiles[0]]
        if alpha not in references:
            references[alpha] = [in_float64(one, settings, device) for one in some]
        errors = []
        for one, wanted in zip(some, references[alpha], strict=True):
            found = dispatch([Draw(one, number) for number in range(settings.draws)], settings, mode, device)
            errors += [a - b for a, b in zip(found, wanted, strict=True)]
        spread = statistics.fmean(statistics.stdev(wanted) for wanted in references[alpha])
        time_s = seconds(lambda: score_all(bench.crowd, settings, device, mode), device)  # noqa: B023
        cells = [f"{len(bench.crowd) / time_s:.1f}", f"{statistics.fmean(errors):+.4f}"]
        way = "kernels" if kernels_for(device, mode) else "plain torch"
        yield [mode, way, f"{alpha:g}", *cells, f"{statistics.stdev(errors):.4f}", f"{spread:.3f}"]


def in_float64(one: KeyedChain, settings: ScoreSettings, device: torch.device) -> list[float]:
    """Draws of a network from the numbers that a device draws in float32, computed in float64 on the CPU."""
    drawn = start(one, range(settings.draws), settings, torch.float32, device)
    return score_bundles([Bundle(one.chain, drawn.x.double().cpu(), drawn.weights.double().cpu())], settings)


def growth(bench: Bench) -> Rows:
    """Networks a second, one draw each, over the size of the population."""
    settings = check_settings(batch_size=bench.batches[0], draws=1, device=str(bench.device))
    size = 1
    while size <= len(bench.crowd):
        time_s = seconds(partial(score_all, bench.crowd[:size], settings, bench.device), bench.device)
        yield [str(size), f"{size / time_s:.1f}"]
        size *= 4


def against_the_loop(bench: Bench) -> Rows:
    """Networks a second by the loop in two modes, by plain torch and by the engine; its share of the floor."""
    for title, networks in (("near 1M parameters, 32 x 32", bench.crowd), ("near 400M, 224 x 224", bench.mobiles)):
        for batch, draws in itertools.product(bench.batches, (1, 4)):
            least = sum(floor(one.chain, batch, touches=1).seconds(bench.rates) for one in networks) / len(networks)
            loop, as_it_comes, plain, engine, gain = race(bench, networks, batch, draws)
            rates = [f"{1 / value:.1f}" for value in (loop, as_it_comes, plain, engine)]
            share = f"{100 * draws * least / engine:.0f}%"
            yield [title, str(len(networks)), str(batch), str(draws), *rates, f"{gain:.1f}", share]


def race(bench: Bench, networks: list[KeyedChain], batch: int, draws: int) -> list[float]:
    """Median seconds a network of the loop in float32, of the loop as torch comes, of plain torch and of the engine.

    Last the median ratio of the first to the engine.
    """
    device, options = bench.device, bench.options
    settings = check_settings(batch_size=batch, draws=draws, device=str(device))
    some, few = networks[: options.loop_networks], networks[: options.plain_networks]

    def loop() -> float:
        return draws * sum(wall(partial(obvious_loop, one.chain, batch, device), device) for one in some) / len(some)

    with mock.patch.object(estimates, "dispatch", score_plain):
        plain = min(wall(lambda: score_all(few, settings, device), device) for _ in range(2)) / len(few)
    times = []
    for _ in range(options.rounds + 1):
        with tensor_cores("float32"):
            exact = loop()
        engine = wall(lambda: score_all(networks, settings, device), device) / len(networks)
        times.append((exact, loop(), plain, engine, exact / engine))
    return [statistics.median(column) for column in zip(*times[1:], strict=True)]


def choices(bench: Bench) -> Rows:
    """Networks a second of both populations with other options of the kernels; nothing where there are no kernels."""
    if kernels_for(bench.device, "float32") is None:
        return
    from zen_cli.metrics.monte_carlo import fused

    settings = check_settings(batch_size=bench.batches[0], draws=1, device=str(bench.device))
    for options in OPTIONS:
        with mock.patch.object(fused, "options_of", lambda _: {**options, **fused.FUSION}):  # noqa: B023
            cells = [
                f"{len(networks) / seconds(partial(score_all, networks, settings, bench.device), bench.device):.1f}"
                for networks in (bench.crowd, bench.mobiles)
            ]
        yield [str(options["num_warps"]), str(options["num_stages"]), *cells]


PARTS: dict[str, tuple[str, list[str], Callable[[Bench], Rows]]] = {
    "independence": ("Largest relative difference to scores in one batch", ["", "difference"], independence),
    "modes": (
        "Modes, and their errors against float64",
        ["mode", "by", "alpha", "networks/s, 4 draws", "mean error", "spread of errors", "spread of draws"],
        modes,
    ),
    "growth": ("Over the size of the population", ["networks", "networks/s"], growth),
    "loop": (
        "Against the obvious loop, networks a second",
        [
            *("population", "networks", "images", "draws", "loop, float32", "loop, torch's default"),
            *("plain torch", "engine", "to the loop", "of the floor"),
        ],
        against_the_loop,
    ),
    "choices": ("Options of the kernels, networks a second", ["warps", "stages", "near 1M", "near 400M"], choices),
}


def measured(name: str, bench: Bench) -> str:
    """A part as Markdown, as far as it came."""
    title, header, part = PARTS[name]
    rows, end = [], ""
    try:
        for row in part(bench):
            print(name, *row, sep="  ", file=sys.stderr, flush=True)
            rows.append(row)
    except Exception as error:  # what was measured before is worth keeping, and the next part may work
        end = f"\n\nFailed: {type(error).__name__}: {error}"
    return f"### {title}\n\n{table(header, rows)}{end}\n"


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", type=named_device, default="cuda")
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--rounds", type=at_least(1), default=3)
    parser.add_argument("--loop-networks", type=at_least(1), default=8)
    parser.add_argument("--plain-networks", type=at_least(1), default=32)
    parser.add_argument("--cifar", type=at_least(2), default=256, help="Networks near the CIFAR 1M budget.")
    parser.add_argument("--mobile", type=at_least(1), default=64, help="Networks near 400M multiply-adds.")
    parser.add_argument("--batches", type=at_least(1), nargs="+", default=[16, 64])
    parser.add_argument("--seconds", type=float, default=float("inf"), help="Begin no part later than this.")
    parser.add_argument("--tiny", action="store_true", help="Small networks, to try the script itself.")
    parser.add_argument("--out", type=new_file)
    options = parser.parse_args(words)
    begun = time.perf_counter()
    card = options.device
    small, mobile = (tiny() if options.tiny else published()).values()
    rates = measure_rates(card, *((256, 4) if options.tiny else (8192, 1024)))
    slack = 3.0 if options.tiny else 0.1
    crowd = [network(spec) for spec in population(small, options.cifar, "params", slack)]
    mobiles = [network(spec) for spec in population(mobile, options.mobile, "macs", slack)]
    bench = Bench(crowd, mobiles, options.batches, card, rates, options)
    name = torch.cuda.get_device_name(card) if card.type == "cuda" else "a CPU, to try the script"
    text = (
        f"{name}, torch {torch.__version__}: {rates.macs / 1e12:.1f} T multiply-adds/s in float32 or three TF32 "
        f"products, {rates.bytes / 1e9:.0f} GB/s\n"
    )
    for part in options.parts:
        late = time.perf_counter() - begun > options.seconds
        text += "\n" + (f"### {PARTS[part][0]}\n\nPassed over, it was late.\n" if late else measured(part, bench))
        if options.out is not None:
            options.out.write_text(text, encoding="utf-8")
    print(text, end="")


if __name__ == "__main__":
    main()
