"""Many draws at once, by one of two backends: the kernels of `fused` where a GPU has them, plain torch elsewhere."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeAlias

import torch

from ...devices import is_out_of_memory
from ...net.layers import Chain, ConvLayer, fits
from ..settings import PrecisionMode, ScoreSettings, check_settings
from .batch import score_batch
from .draws import ChainDraw, Draw, KeyedChain
from .precision import dtype_of, tensor_cores

Backend: TypeAlias = Callable[[Sequence[ChainDraw], ScoreSettings, PrecisionMode, torch.device], list[float]]

TOLERANCE = 0.05  # nats by which the kernels may differ from plain torch on the trial networks
TRIALS = (
    (
        ConvLayer(3, 20, (3, 3), (9, 9), padding=(1, 1)),
        ConvLayer(20, 20, (5, 5), (9, 9), (2, 2), (2, 2), groups=20, activation=False),
        ConvLayer(20, 40, (1, 1), (5, 5)),
        ConvLayer(40, 6, (3, 3), (5, 5), padding=(1, 1), groups=2),
    ),
    (
        ConvLayer(3, 72, (3, 3), (9, 9), padding=(1, 1)),
        ConvLayer(72, 16, (1, 1), (9, 9)),
        ConvLayer(16, 72, (3, 3), (9, 9), padding=(1, 1)),
    ),
)
_refused: set[tuple[torch.device, PrecisionMode]] = set()  # where kernels failed after a trial that they passed


def dispatch(
    draws: Sequence[ChainDraw], settings: ScoreSettings, mode: PrecisionMode, device: torch.device
) -> list[float]:
    """Scores in nats of some draws, in their order.

    Args:
        draws: of any networks; those of one network follow each other.
        settings: convention, norm, alpha, batch size, seed.
        mode: what to compute in.
        device: where.

    Raises:
        RuntimeError: torch is out of memory.
    """
    kernels = None if (device, mode) in _refused else kernels_for(device, mode)
    if kernels is None:
        return score_plain(draws, settings, mode, device)
    plain = [index for index, draw in enumerate(draws) if needs_torch(draw.task.chain)]
    others = sorted(set(range(len(draws))) - set(plain))
    scores = [math.nan] * len(draws)
    for backend, indices in ((kernels, others), (score_plain, plain)):
        if not indices:
            continue
        some = [draws[index] for index in indices]
        try:
            found = backend(some, settings, mode, device)
        except Exception as error:  # of Triton, for a layer unlike those of the trial
            if backend is score_plain or is_out_of_memory(error):
                raise
            _refused.add((device, mode))
            _warn(device, error)
            found = score_plain(some, settings, mode, device)
        for index, score in zip(indices, found, strict=True):
            scores[index] = score
    return scores


def score_plain(
    draws: Sequence[ChainDraw], settings: ScoreSettings, mode: PrecisionMode, device: torch.device
) -> list[float]:
    """`dispatch` in plain torch."""
    with tensor_cores(mode):
        return score_batch(draws, settings, dtype_of(mode), device)


def needs_torch(chain: Chain) -> bool:
    """Whether a chain has what the kernels of `fused` cannot do: a pooling, or layers that do not fit each other."""
    return any(layer.pool is not None for layer in chain) or not all(map(fits, chain, chain[1:]))


@lru_cache
def kernels_for(device: torch.device, mode: PrecisionMode) -> Backend | None:
    """The kernels of `fused`, where they exist and agree with plain torch on trial networks; warns if they don't.

    Triton needs a card that it supports and a C compiler, and what it compiles depends on both, so it is tried first.
    """
    if device.type != "cuda" or mode == "float64":
        return None
    try:
        from .fused import score_fused
    except ImportError:  # there is no Triton outside Linux
        return None
    reason = trial(score_fused, mode, device)
    if reason is None:
        return score_fused
    _warn(device, reason)
    return None


def trial(backend: Backend, mode: PrecisionMode, device: torch.device) -> str | Exception | None:
    """Why a backend cannot be trusted on a device, or None."""
    settings = check_settings(batch_size=2, draws=2, alpha=1.0)
    networks = [KeyedChain(f"trial {number}", chain, "trial") for number, chain in enumerate(TRIALS)]
    draws = [Draw(network, number) for network in networks for number in range(settings.draws)]
    expected = score_plain(draws, settings, mode, device)
    try:
        found = backend(draws, settings, mode, device)
    except Exception as error:  # of Triton, of the C compiler that it calls, of the driver
        if is_out_of_memory(error):
            raise
        return error
    if all(abs(a - b) < TOLERANCE for a, b in zip(found, expected, strict=True)):
        return None
    return f"they score {found} where plain torch scores {expected}"


def _warn(device: torch.device, reason: str | Exception) -> None:
    words = f"{type(reason).__name__}: {reason}".splitlines()[0] if isinstance(reason, Exception) else reason
    warnings.warn(f"scoring on {device} without Triton's kernels, and more slowly: {words}", stacklevel=2)
