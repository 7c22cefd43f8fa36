"""Many draws of many networks in a few launches a layer, by the kernels of `kernels`.

Every lane takes one layer a step, so a population of any size costs a handful of launches for each layer of its deepest
network. A launch does batch norm and ReLU of the layer before, a convolution, and the moments for the next; a feature
map crosses the memory once in each direction.

What a lane adds up, and in which order, depends on its own layers alone: on one device a score is the same to the last
bit, whatever runs beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

import torch
import triton
from torch import Tensor

from ..settings import PrecisionMode, ScoreSettings
from . import kernels
from .draws import ChainDraw
from .plan import MAX_LANES, Lanes, lay_out
from .precision import dtype_of
from .seeds import draw_seed, perturb
from .statistics import EPS

# Of TF32 for one of float32: three are nearly as exact, and on tensor cores.
PRODUCTS: dict[PrecisionMode, int] = {"float32": 3, "tf32": 1}
AMPERE = (8, 0)
# In float32, with widths in fours, no card since Turing spills registers with these; 4 warps spill on Ampere.
FUSION = {"enable_fp_fusion": True}
OPTIONS = {"num_warps": 8, "num_stages": 2, **FUSION}


@torch.inference_mode()
def score_fused(
    draws: Sequence[ChainDraw], settings: ScoreSettings, mode: PrecisionMode, device: torch.device
) -> list[float]:
    """Scores in nats of some draws, in their order.

    Some are launched after the others, so that the device is busy while the host prepares the next.

    Args:
        draws: of any networks that have no pooling.
        settings: convention, norm, alpha, batch size, seed.
        mode: any but float64.
        device: a GPU.

    Raises:
        RuntimeError: torch is out of memory.
    """
    scores = []
    for first in range(0, len(draws), MAX_LANES):
        some = draws[first : first + MAX_LANES]
        lanes = lay_out([draw.task.chain for draw in some], settings.batch_size)
        scores.append(score_lanes(lanes, draw_numbers(some, lanes, settings, device), settings, mode))
    values: list[float] = torch.cat(scores).tolist()  # the one moment at which the device is waited for
    return values


def draw_numbers(draws: Sequence[ChainDraw], lanes: Lanes, settings: ScoreSettings, device: torch.device) -> Tensor:
    """Images, images with noise, and weights of draws, at their places."""
    numbers, generator = torch.empty(lanes.numbers, device=device), torch.Generator(device)
    for draw, (images, *_, weights, end) in zip(draws, lanes.places.tolist(), strict=True):
        generator.manual_seed(draw_seed(settings.seed, draw.task.key, draw.number))
        numbers[images:end].normal_(generator=generator)
        perturb(numbers[images:weights].view(2, -1), settings.alpha)
    return numbers


@torch.inference_mode()
def score_lanes(lanes: Lanes, numbers: Tensor, settings: ScoreSettings, mode: PrecisionMode) -> Tensor:
    """Scores of lanes, [D] in float64, from their numbers; does not wait for the device."""
    with torch.cuda.device(numbers.device) if numbers.is_cuda else nullcontext():  # where Triton launches
        under_way = UnderWay(lanes, numbers, settings, mode)
        for step in range(len(lanes.launches)):
            under_way.advance(step)
        return under_way.scores()


class UnderWay:
    """Lanes on their way: the buffers of `kernels`, and its launches."""

    def __init__(self, lanes: Lanes, numbers: Tensor, settings: ScoreSettings, mode: PrecisionMode) -> None:
        self._lanes, self._numbers, self._settings = lanes, numbers, settings
        device = numbers.device
        self._count, self._depth = lanes.steps.shape[:2]
        self._products = PRODUCTS.get(mode, 0) if has_tf32(device) else 0
        self._maps = torch.empty(lanes.maps, dtype=dtype_of(mode), device=device)
        self._stats = torch.empty(self._count * 4 * lanes.widest, device=device)
        self._moments = torch.empty(lanes.moments, device=device)
        self._variances = torch.empty(lanes.variances, device=device)
        self._tables = [sent(table, device) for table in (lanes.shapes, lanes.steps, lanes.places)]
        self._order = sent(lanes.order, device)

    def advance(self, step: int) -> None:
        """Takes every lane that has one through its next layer."""
        lanes, batch = self._lanes, self._settings.batch_size
        sizes = (step, self._depth, batch, lanes.widest)
        launches = lanes.launches[step]
        for tile, aligned, start, members, programs in launches:
            given = (self._numbers, self._maps, self._stats, self._moments, *self._tables, self._order, start, *sizes)
            flags: dict[str, int] = {"FIRST": step == 0, "ALIGNED": aligned, **OPTIONS}
            if tile.depthwise:
                kernels.depthwise[programs, 2 * members](*given, **flags)
            else:
                flags |= {"COLUMNS": tile.columns, "INNER": tile.inner, "PRODUCTS": self._products}
                kernels.convolve[programs, 2 * members](*given, **flags)
        grid = triton.cdiv(lanes.widest, kernels.JOIN_COLUMNS.value), 2 * sum(launch.lanes for launch in launches)
        given = (self._stats, self._moments, self._variances, *self._tables, self._order, launches[0].start, *sizes)
        kernels.join[grid](*given, EPS[self._settings.convention], **FUSION)

    def scores(self) -> Tensor:
        """Scores of lanes that are through, [D]."""
        count, depth, batch = self._count, self._depth, self._settings.batch_size
        sigmas, found = (
            torch.empty(count, size, dtype=torch.float64, device=self._numbers.device) for size in (depth, batch)
        )
        paper, l1 = self._settings.convention == "paper", self._settings.norm == "l1"
        kernels.log_sigmas[depth, count](sigmas, self._variances, *self._tables, depth, batch, PAPER=paper, **FUSION)
        given = (found, self._maps, self._stats, *self._tables, depth, batch, self._lanes.widest)
        kernels.distances[batch, count](*given, L1=l1, **FUSION)
        scores = sigmas.new_empty(count)
        kernels.totals[count,](scores, sigmas, found, self._tables[-1], depth, batch, **FUSION)
        return scores


def sent(table: Tensor, device: torch.device) -> Tensor:
    """A table on a device, without waiting until what it has to do is done."""
    return table.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else table


def has_tf32(device: torch.device) -> bool:
    """Whether a device multiplies in TF32: one of NVIDIA's, since Ampere."""
    nvidia = device.type == "cuda" and torch.version.hip is None
    return nvidia and torch.cuda.get_device_capability(device) >= AMPERE
