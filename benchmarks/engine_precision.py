"""What products of TF32 do to a draw, imitated on a CPU: errors against the same draws in float64.

    python benchmarks/engine_precision.py [--draws 16] [--out FILE]

The tensor cores of a GPU see 10 bits after the point. One product of numbers rounded to that is mode `tf32`; the sum
of three, of the numbers cut to that and of what was cut off, is what the engine's kernels take for `float32`.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from unittest import mock

import torch
from engine_loop import at_least, network, new_file, published, table, tiny
from torch import Tensor

from zen_cli.metrics.monte_carlo import KeyedChain, batch
from zen_cli.metrics.monte_carlo.batch import Bundle, score_bundles, start
from zen_cli.metrics.settings import ScoreSettings, check_settings
from zen_cli.net.layers import ConvLayer

Convolve = Callable[[Tensor, Tensor, ConvLayer], Tensor]
CPU = torch.device("cpu")
convolve: Convolve = batch._convolve


def cut(x: Tensor) -> Tensor:
    """float32 without the 13 bits that TF32 does not have."""
    return (x.view(torch.int32) & ~0x1FFF).view(torch.float32)


def rounded(x: Tensor) -> Tensor:
    """float32 rounded to TF32, ties away from zero."""
    return cut((x.view(torch.int32) + 0x1000).view(torch.float32))


def one_product(x: Tensor, weights: Tensor, layer: ConvLayer) -> Tensor:
    return convolve(rounded(x), rounded(weights), layer)


def three_products(x: Tensor, weights: Tensor, layer: ConvLayer) -> Tensor:
    small = convolve(cut(x - cut(x)), cut(weights), layer) + convolve(cut(x), cut(weights - cut(weights)), layer)
    return small + convolve(cut(x), cut(weights), layer)


WAYS: dict[str, Convolve] = {"float32": convolve, "three of TF32": three_products, "TF32": one_product}


def errors(name: str, one: KeyedChain, settings: ScoreSettings) -> list[list[str]]:
    """Mean and spread of the errors of each way, and the spread of draws in float64."""
    wanted: list[float] = []
    found: dict[str, list[float]] = {way: [] for way in WAYS}
    for number in range(settings.draws):
        drawn = start(one, [number], settings, torch.float32, CPU)
        wanted += score_bundles([Bundle(one.chain, drawn.x.double(), drawn.weights.double())], settings)
        for way, function in WAYS.items():
            with mock.patch.object(batch, "_convolve", function):
                found[way] += score_bundles([Bundle(one.chain, drawn.x.clone(), drawn.weights)], settings)
    rows = []
    for way, scores in found.items():
        off = [a - b for a, b in zip(scores, wanted, strict=True)]
        cells = [f"{value:.4f}" for value in (statistics.fmean(off), statistics.stdev(off), statistics.stdev(wanted))]
        rows.append([name, way, *cells])
    return rows


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=at_least(2), default=16)
    parser.add_argument("--batch-size", type=at_least(1), default=2)
    parser.add_argument("--tiny", action="store_true", help="Small networks, to try the script itself.")
    parser.add_argument("--out", type=new_file)
    options = parser.parse_args(words)
    settings = check_settings(batch_size=options.batch_size, draws=options.draws, device="cpu")
    specs = tiny() if options.tiny else published()
    rows = [row for name, spec in specs.items() for row in errors(name, network(spec), settings)]
    text = table(["network", "products", "mean error", "spread of errors", "spread of draws"], rows) + "\n"
    print(text, end="")
    if options.out is not None:
        options.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
