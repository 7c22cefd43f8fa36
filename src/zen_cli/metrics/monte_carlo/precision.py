"""What a draw is computed in, its precision mode, and what each mode rounds away.

Every rounding that differs between the two copies looks like perturbation. With unit roundoff u it adds about
(u / alpha)^2, a few times over, to the squared distance of the copies, so a mode is refused where that is noticeable:
see `MIN_ALPHA` in `settings`. The variances that sigma is made of are averages of many numbers and hardly change.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from ...errors import UsageError
from ..settings import PrecisionMode, ScoreSettings, resolved_mode

DTYPES: dict[PrecisionMode, torch.dtype] = {
    "float64": torch.float64,
    "float32": torch.float32,
    "tf32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}


def resolve_mode(settings: ScoreSettings, device: torch.device) -> PrecisionMode:
    """The mode that the settings ask for, see `resolved_mode`.

    Raises:
        UsageError: a mode that only a GPU has, on a CPU.
    """
    mode = resolved_mode(settings)
    if device.type == "cpu" and mode not in ("float32", "float64"):
        raise UsageError(f"precision_mode: {mode} gains nothing on a CPU; use float32, or the device cuda")
    return mode


def dtype_of(mode: PrecisionMode) -> torch.dtype:
    """The type of feature maps and weights."""
    return DTYPES[mode]


@contextmanager
def tensor_cores(mode: PrecisionMode) -> Iterator[None]:
    """Lets float32 products on CUDA round to TF32 in that mode and in no other; restores what was set before."""
    wanted = "tf32" if mode == "tf32" else "ieee"
    places: tuple[Any, ...] = (torch.backends.cuda.matmul, getattr(torch.backends.cudnn, "conv", None))
    if all(hasattr(place, "fp32_precision") for place in places):
        before = [place.fp32_precision for place in places]
        for place in places:
            place.fp32_precision = wanted
        try:
            yield
        finally:
            for place, value in zip(places, before, strict=True):
                place.fp32_precision = value
        return
    old = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = mode == "tf32"
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = old
