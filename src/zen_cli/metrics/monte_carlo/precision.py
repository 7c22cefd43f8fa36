"""What a draw is computed in, its precision mode, and what each mode rounds away.

Every rounding that differs between the two copies looks like perturbation. With unit roundoff u it adds about
(u / alpha)^2, a few times over, to the squared distance of the copies, so a mode is refused where that is noticeable:
see `MIN_ALPHA` in `settings`. The variances that sigma is made of are averages of many numbers and hardly change.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
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


def resolve_mode(settings: ScoreSettings, kind: str) -> PrecisionMode:
    """The mode that the settings ask for on a kind of device, see `resolved_mode`.

    Raises:
        UsageError: a mode that only a GPU has, on a CPU.
    """
    mode = resolved_mode(settings)
    if kind == "cpu" and mode not in ("float32", "float64"):
        raise UsageError(f"precision_mode: {mode} gains nothing on a CPU; use float32, or the device cuda")
    return mode


def dtype_of(mode: PrecisionMode) -> torch.dtype:
    """The type of feature maps and weights."""
    return DTYPES[mode]


class _Switch:
    """The switch of the process for TF32, for threads that compute side by side, one a GPU.

    All of them want the same mode: the first one sets it, and the last one restores what was before.
    """

    def __init__(self) -> None:
        self._lock, self._inside = threading.Lock(), 0
        self._restore: Callable[[], None] = lambda: None

    def enter(self, mode: PrecisionMode) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._restore = _set_tf32(mode == "tf32")

    def leave(self) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._restore()


_SWITCH = _Switch()


@contextmanager
def tensor_cores(mode: PrecisionMode) -> Iterator[None]:
    """Lets float32 products on CUDA round to TF32 in that mode and in no other; restores what was set before."""
    _SWITCH.enter(mode)
    try:
        yield
    finally:
        _SWITCH.leave()


def _set_tf32(allowed: bool) -> Callable[[], None]:
    """Sets the switch; what is returned restores it."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    places: tuple[Any, ...] = (matmul, getattr(cudnn, "conv", None))
    if all(hasattr(place, "fp32_precision") for place in places):
        before = [place.fp32_precision for place in places]
        for place in places:
            place.fp32_precision = "tf32" if allowed else "ieee"

        def restore() -> None:
            for place, value in zip(places, before, strict=True):
                place.fp32_precision = value

        return restore
    old = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = allowed

    def restore_old() -> None:
        matmul.allow_tf32, cudnn.allow_tf32 = old

    return restore_old
