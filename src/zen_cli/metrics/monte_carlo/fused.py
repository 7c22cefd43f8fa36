"""Many draws of many networks in a few launches a layer, by the kernels of `kernels`.

Every draw takes one layer a step, so a population of any size costs a few launches for each layer of its deepest
network. A launch computes batch norm and ReLU of the layer before, a convolution, and the moments for the next; a
feature map is written to memory once and read once.

What a draw adds up, and in which order, depends on its own layers alone: on one device a score is the same to the last
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
from .plan import MAX_DRAWS, Plan, make_plan
from .precision import dtype_of
from .seeds import draw_seed, perturb
from .statistics import EPS

# Of TF32 for one of float32: three are nearly as exact, and on tensor cores.
PRODUCTS: dict[PrecisionMode, int] = {"float32": 3, "tf32": 1}
AMPERE, HOPPER = (8, 0), (9, 0)
FUSION = {"enable_fp_fusion": True}


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
    for first in range(0, len(draws), MAX_DRAWS):
        some = draws[first : first + MAX_DRAWS]
        plan = make_plan([draw.task.chain for draw in some], settings.batch_size)
        scores.append(score_plan(plan, draw_numbers(some, plan, settings, device), settings, mode))
    values: list[float] = torch.cat(scores).tolist()  # the only place that waits for the device
    return values


def draw_numbers(draws: Sequence[ChainDraw], plan: Plan, settings: ScoreSettings, device: torch.device) -> Tensor:
    """Images, images with noise, and weights of draws, at their offsets."""
    numbers, generator = torch.empty(plan.numbers, device=device), torch.Generator(device)
    for draw, (images, *_, weights, end) in zip(draws, plan.offsets.tolist(), strict=True):
        generator.manual_seed(draw_seed(settings.seed, draw.task.key, draw.number))
        numbers[images:end].normal_(generator=generator)
        perturb(numbers[images:weights].view(2, -1), settings.alpha)
    return numbers


@torch.inference_mode()
def score_plan(plan: Plan, numbers: Tensor, settings: ScoreSettings, mode: PrecisionMode) -> Tensor:
    """Scores of the draws of a plan, [D] in float64, from their numbers; does not wait for the device."""
    with torch.cuda.device(numbers.device) if numbers.is_cuda else nullcontext():  # where Triton launches
        forward = ForwardPass(plan, numbers, settings, mode)
        for step in range(len(plan.launches)):
            forward.advance(step)
        return forward.scores()


class ForwardPass:
    """The draws of a plan between two layers: the buffers of `kernels`, and its launches."""

    def __init__(self, plan: Plan, numbers: Tensor, settings: ScoreSettings, mode: PrecisionMode) -> None:
        self._plan, self._numbers, self._settings = plan, numbers, settings
        device = numbers.device
        self._count, self._depth = plan.steps.shape[:2]
        self._products = PRODUCTS.get(mode, 0) if has_tf32(device) else 0
        self._options = options_of(nvidia_capability(device))
        self._maps = torch.empty(plan.maps, dtype=dtype_of(mode), device=device)
        self._stats = torch.empty(self._count * 4 * plan.widest, device=device)
        self._moments = torch.empty(plan.moments, device=device)
        self._variances = torch.empty(plan.variances, device=device)
        self._tables = [sent(table, device) for table in (plan.shapes, plan.steps, plan.offsets)]
        self._order = sent(plan.order, device)

    def advance(self, step: int) -> None:
        """Takes every draw that has one through its next layer."""
        plan, batch = self._plan, self._settings.batch_size
        sizes = (step, self._depth, batch, plan.widest)
        launches = plan.launches[step]
        for tile, aligned, start, members, programs in launches:
            given = (self._numbers, self._maps, self._stats, self._moments, *self._tables, self._order, start, *sizes)
            flags: dict[str, int] = {"FIRST": step == 0, "ALIGNED": aligned, **self._options}
            if tile.depthwise:
                kernels.depthwise[programs, 2 * members](*given, **flags)
            else:
                flags |= {"COLUMNS": tile.columns, "INNER": tile.inner, "PRODUCTS": self._products}
                kernels.convolve[programs, 2 * members](*given, **flags)
        grid = triton.cdiv(plan.widest, kernels.JOIN_COLUMNS.value), 2 * sum(launch.draws for launch in launches)
        given = (self._stats, self._moments, self._variances, *self._tables, self._order, launches[0].start, *sizes)
        kernels.join[grid](*given, EPS[self._settings.convention], **FUSION)

    def scores(self) -> Tensor:
        """Scores of the draws after their last layer, [D]."""
        count, depth, batch = self._count, self._depth, self._settings.batch_size
        sigmas, found = (
            torch.empty(count, size, dtype=torch.float64, device=self._numbers.device) for size in (depth, batch)
        )
        paper, l1 = self._settings.convention == "paper", self._settings.norm == "l1"
        kernels.log_sigmas[depth, count](sigmas, self._variances, *self._tables, depth, batch, PAPER=paper, **FUSION)
        given = (found, self._maps, self._stats, *self._tables, depth, batch, self._plan.widest)
        kernels.distances[batch, count](*given, L1=l1, **FUSION)
        scores = sigmas.new_empty(count)
        kernels.totals[count,](scores, sigmas, found, self._tables[-1], depth, batch, **FUSION)
        return scores


def sent(table: Tensor, device: torch.device) -> Tensor:
    """A table on a device, without waiting until what it has to do is done."""
    return table.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else table


def has_tf32(device: torch.device) -> bool:
    """Whether a device multiplies in TF32: one of NVIDIA's, since Ampere."""
    return nvidia_capability(device) >= AMPERE


def nvidia_capability(device: torch.device) -> tuple[int, int]:
    """Of a card of NVIDIA; (0, 0) of any other device."""
    nvidia = device.type == "cuda" and torch.version.hip is None
    return torch.cuda.get_device_capability(device) if nvidia else (0, 0)


def options_of(capability: tuple[int, int]) -> dict[str, int]:
    """How Triton compiles layers for a card.

    On an H200, 4 warps are 1.3 to 1.5 times as fast as 8 (benchmarks/results/engine_cuda.md). Before Hopper 4 warps
    spill registers, and 8 of them do not in float32 with widths in fours.
    """
    warps, stages = (4, 3) if capability >= HOPPER else (8, 2)
    return {"num_warps": warps, "num_stages": stages, **FUSION}
