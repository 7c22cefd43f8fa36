"""What the engine is measured against and on: the obvious loop, two published networks, a population, the floor."""

from __future__ import annotations

import argparse
import math
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from zen_cli.devices import resolve_device
from zen_cli.errors import ZenError
from zen_cli.formats.plainnet import parse_plainnet
from zen_cli.metrics.monte_carlo import KeyedChain
from zen_cli.metrics.monte_carlo.precision import tensor_cores
from zen_cli.net.layers import Chain
from zen_cli.net.module import build_chain
from zen_cli.net.spec import ArchSpec, parse_spec

ZENNET_1M = (
    "SuperConvK3BNRELU(3,88,1,1)SuperResK1K7K1(88,120,1,16,1)SuperResK1K7K1(120,192,2,16,3)"
    "SuperResK1K5K1(192,224,1,24,4)SuperResK1K5K1(224,96,2,24,2)SuperResK1K3K1(96,168,2,40,3)"
    "SuperResK1K3K1(168,112,1,48,3)SuperConvK1BNRELU(112,512,1,1)"
)
MOBILE_400M = (
    "SuperConvK3BNRELU(3,16,2,1)SuperResIDWE1K7(16,40,2,40,1)SuperResIDWE1K7(40,64,2,64,1)"
    "SuperResIDWE4K7(64,96,2,96,5)SuperResIDWE2K7(96,224,2,224,5)SuperConvK1BNRELU(224,2048,1,1)"
)


def published() -> dict[str, ArchSpec]:
    """ZenNet-1M at 32 x 32 and the mobile network of 400M multiply-adds at 224 x 224."""
    return {
        "ZenNet-1M": parse_plainnet(ZENNET_1M, "ZenNet-1M", resolution=32, num_classes=100),
        "mobile 400M": parse_plainnet(MOBILE_400M, "mobile 400M", resolution=224, num_classes=1000),
    }


def tiny() -> dict[str, ArchSpec]:
    """Two networks that take milliseconds, to try a benchmark with."""
    texts = {
        "tiny": "SuperConvK3BNRELU(3,16,1,1)SuperResK1K3K1(16,32,2,8,2)",
        "tiny mobile": "SuperConvK3BNRELU(3,8,2,1)SuperResIDWE2K3(8,16,2,16,1)",
    }
    return {name: parse_plainnet(text, name, resolution=16, num_classes=10) for name, text in texts.items()}


def at_least(least: int) -> Callable[[str], int]:
    """A whole number of at least so much, for argparse."""

    def whole(text: str) -> int:
        if not text.isdigit() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} will not do; use a whole number from {least} on")
        return int(text)

    return whole


def new_file(text: str) -> Path:
    """Where a table goes, for argparse."""
    path = Path(text)
    if not path.parent.is_dir() or path.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} cannot be written; name a file in a folder that is there")
    return path


def named_device(text: str) -> torch.device:
    """A device that is there, for argparse."""
    try:
        return resolve_device(text)
    except ZenError as error:
        raise argparse.ArgumentTypeError(str(error).removeprefix("--device: ")) from None


def network(spec: ArchSpec) -> KeyedChain:
    return KeyedChain(spec.id, spec.chain, spec.name or spec.id)


@torch.no_grad()
def obvious_loop(layers: Chain, batch: int, device: torch.device, alpha: float = 0.01) -> float:
    """One draw as one writes it first: a module, normal weights, two forwards, variances from the BNs."""
    module = build_chain(layers).to(device)
    norms = []
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.normal_(part.weight)
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = 1.0  # the running variance is the last batch's
            norms.append(part)
    x = torch.randn(batch, layers[0].in_width, *layers[0].in_size, device=device)
    first = module(x)
    log_sigmas = sum(part.running_var.mean().log() / 2 for part in norms if part.running_var is not None)
    second = module(x + alpha * torch.randn_like(x))
    delta = (first - second).flatten(1).norm(dim=1).mean()
    return float((log_sigmas + delta.log()).item())


def population(parent: ArchSpec, count: int, by: str, slack: float = 0.1, seed: int = 0) -> list[ArchSpec]:
    """Networks as an evolution has them: a chain of mutations of widths, kernels and depths that keep near a budget.

    Args:
        parent: where they come from; they stay within `slack` of its `params` or `macs`.
        count: how many.
        by: `params` or `macs`.
        slack: share by which they may differ.
        seed: of the mutations.
    """
    rng, budget = random.Random(seed), getattr(parent.cost, by)
    found = {parent.id: parent}
    for _ in range(1000 * count):
        if len(found) == count:
            break
        row = rng.choice(list(found.values())[-64:]).to_dict()
        row.pop("name", None)
        block = rng.choice(row["blocks"])
        key = rng.choice([key for key in ("width", "mid_width", "kernel", "depth") if key in block])
        if key == "kernel":
            block[key] = rng.choice([3, 5, 7]) if block["op"] != "conv" else block[key]
        elif key == "depth":
            block[key] = max(1, block[key] + rng.choice([-1, 1]))
        else:
            block[key] = max(8, block[key] + rng.choice([-16, -8, 8, 16]))
        try:
            child = parse_spec(row, "mutation")
        except ZenError:
            continue
        if abs(getattr(child.cost, by) / budget - 1) <= slack:
            found[child.id] = child
    if len(found) < count:
        raise SystemExit(f"only {len(found)} networks found within {slack:.0%} of the budget; allow more slack")
    return list(found.values())


class Rates(NamedTuple):
    """What a device does in the best case: multiply-adds in products, bytes in copies, each a second."""

    macs: float
    bytes: float


def measure_rates(device: torch.device, side: int = 4096, megabytes: int = 256) -> Rates:
    """Rates of a large product, in float32 or as three of TF32, and of a copy that no cache holds."""
    a, b = torch.randn(2, side, side, device=device)
    source = torch.empty(megabytes * 2**18, device=device)
    target = torch.empty_like(source)
    product = best_of(lambda: torch.mm(a, b), device)
    if device.type == "cuda":
        with tensor_cores("tf32"):
            product = min(product, 3 * best_of(lambda: torch.mm(a, b), device))
    copy = best_of(lambda: target.copy_(source), device)
    return Rates(side**3 / product, 2 * source.numel() * 4 / copy)


def best_of(function: Callable[[], object], device: torch.device, times: int = 5) -> float:
    """Seconds of the fastest of some calls, the device waited for."""
    return min(seconds for seconds in _timed(function, device, times + 1))


def _timed(function: Callable[[], object], device: torch.device, times: int) -> Iterator[float]:
    for _ in range(times):
        yield wall(function, device)


def wall(function: Callable[[], object], device: torch.device) -> float:
    """Seconds of a call, the device waited for."""
    synchronise(device)
    start = time.perf_counter()
    function()
    synchronise(device)
    return time.perf_counter() - start


def synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class Floor(NamedTuple):
    """Work of one draw that no schedule avoids: multiply-adds, bytes, random numbers."""

    macs: int
    bytes: int
    numbers: int

    def seconds(self, rates: Rates) -> float:
        """Products and memory overlap at best."""
        return max(self.macs / rates.macs, self.bytes / rates.bytes)


def floor(layers: Chain, batch: int, itemsize: int = 4, touches: int = 4) -> Floor:
    """Each map is touched `touches` times, and read by the next convolution; each weight is written and read once.

    A convolution writes it; statistics read it and the normalisation reads and writes it, unless both are done on the
    way.
    """
    macs = moved = weights = 0
    for layer in layers:
        out = layer.out_width * math.prod(layer.out_size)
        macs += 2 * batch * out * math.prod(layer.weight_shape[1:])
        moved += 2 * batch * (touches * out + layer.in_width * math.prod(layer.in_size))
        weights += math.prod(layer.weight_shape)
    images = 2 * batch * layers[0].in_width * math.prod(layers[0].in_size)
    return Floor(macs, (moved + 2 * weights + images) * itemsize, weights + images)


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(row) + " |" for row in [header, ["---"] * len(header), *rows]]
    return "\n".join(lines)
