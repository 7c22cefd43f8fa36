"""Many draws of many networks in a few launches a layer, by the kernels of `triton_kernels`.

Every lane takes one layer a step, so a population of any size costs a handful of launches for each layer of its deepest
network. A launch does batch norm and ReLU of the layer before, a convolution, and the moments for the next; a feature
map crosses the memory once in each direction.

What a lane adds up, and in which order, depends on its own layers alone: on one device a score is the same to the last
bit, whatever runs beside it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import triton
from torch import Tensor

from ..records import PrecisionMode, ScoreSettings
from . import triton_kernels as kernels
from .lanes import Lanes, lay_out
from .network import Draw
from .precision import dtype_of
from .seeds import draw_generator, image_count, perturb, weight_count
from .statistics import EPS

# Three products of TF32 for one of float32: nearly as exact, and on tensor cores (Ootomo and Yokota, 2022).
PRODUCTS: dict[PrecisionMode, str] = {"float32": "tf32x3", "tf32": "tf32"}
AMPERE = (8, 0)  # the first cards that have TF32


@torch.inference_mode()
def score_fused(
    draws: Sequence[Draw], settings: ScoreSettings, mode: PrecisionMode, device: torch.device
) -> list[float]:
    """Scores in nats of some draws, in their order.

    Args:
        draws: of any networks that have no pooling.
        settings: convention, norm, alpha, batch size, seed.
        mode: any but float64.
        device: a GPU.

    Raises:
        RuntimeError: torch is out of memory.
    """
    lanes = lay_out([draw.network.chain for draw in draws], settings.batch_size)
    numbers = torch.empty(lanes.numbers, device=device)
    for draw, place in zip(draws, lanes.places[:, 0].tolist(), strict=True):
        chain = draw.network.chain
        images, weights = image_count(chain, settings.batch_size), weight_count(chain)
        numbers[place : place + images + weights].normal_(generator=draw_generator(draw, settings.seed, device))
        perturb(numbers[place : place + images].view(2, -1), settings.alpha)
    return score_lanes(lanes, numbers, settings, mode)


@torch.inference_mode()
def score_lanes(lanes: Lanes, numbers: Tensor, settings: ScoreSettings, mode: PrecisionMode) -> list[float]:
    """Scores of lanes with given numbers: images, images with noise, and weights of each lane, at its place."""
    device, batch, widest = numbers.device, settings.batch_size, lanes.widest
    count, depth = lanes.steps.shape[:2]
    maps = torch.empty(lanes.maps, dtype=dtype_of(mode), device=device)
    stats = torch.empty(count * 4 * widest, device=device)
    moments, variances = torch.empty(lanes.moments, device=device), torch.empty(lanes.variances, device=device)
    tables = [table.to(device) for table in (lanes.shapes, lanes.steps, lanes.places)]
    order = lanes.order.to(device)
    products = PRODUCTS.get(mode, "ieee") if has_tf32(device) else "ieee"
    eps = EPS[settings.convention]

    for step, launches in enumerate(lanes.launches):
        for tile, start, members, programs in launches:
            grid, numeric = (programs, 2 * members), (start, step, depth, batch, widest)
            given = (numbers, maps, stats, moments, *tables, order, *numeric)
            flags = {"FIRST": step == 0, "ALIGNED": tile.aligned, "enable_fp_fusion": True}
            if tile.depthwise:
                kernels.depthwise[grid](*given, **flags)
            else:
                flags |= {"COLUMNS": tile.columns, "INNER": tile.inner, "PRECISION": products}
                kernels.convolve[grid](*given, **flags)
        start, members = launches[0].start, sum(launch.lanes for launch in launches)
        kernels.join[(triton.cdiv(widest, kernels.JOIN_COLUMNS.value), 2 * members)](
            stats, moments, variances, *tables, order, start, step, depth, batch, widest, eps, enable_fp_fusion=True
        )

    sigmas = torch.zeros(count, depth, dtype=torch.float64, device=device)
    kernels.log_sigmas[(depth, count)](
        sigmas, variances, *tables, depth, batch, PAPER=settings.convention == "paper", enable_fp_fusion=True
    )
    found = torch.empty(count, batch, dtype=torch.float64, device=device)
    kernels.distances[(batch, count)](
        found, maps, stats, *tables, depth, batch, widest, L1=settings.norm == "l1", enable_fp_fusion=True
    )
    scores: list[float] = (sigmas.sum(1) + found.mean(1).log()).tolist()
    return scores


def has_tf32(device: torch.device) -> bool:
    """Whether a device multiplies in TF32."""
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= AMPERE
