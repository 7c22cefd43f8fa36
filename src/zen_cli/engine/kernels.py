"""Batch statistics, normalisation and ReLU of many draws at once: in plain torch, or in three Triton launches.

Both do the same arithmetic and are tested against each other. Shapes: D draws, 2 halves, N rows (B H W), C channels.
"""

from __future__ import annotations

import torch
from torch import Tensor

try:
    from . import triton_kernels
except ImportError:  # Triton comes with torch for CUDA only
    triton_kernels = None  # type: ignore[assignment]


def normalise(x: Tensor, eps: float, *, relu: bool) -> Tensor:
    """Normalises every channel of every half in place, with the ReLU behind it; returns the biased variances.

    Args:
        x: feature maps, [D, 2, N, C], contiguous; overwritten.
        eps: added to the variance before the root.
        relu: whether to clamp at zero.

    Returns:
        [D, 2, C], float32 (float64 where x is).
    """
    if x.is_cuda and triton_kernels is not None and x.dtype != torch.float64:
        return triton_kernels.normalise(x, eps, relu=relu)
    return normalise_plain(x, eps, relu=relu)


def normalise_plain(x: Tensor, eps: float, *, relu: bool) -> Tensor:
    """`normalise` in plain torch."""
    wide = x if x.dtype in (torch.float32, torch.float64) else x.float()
    variance, mean = torch.var_mean(wide, dim=2, correction=0, keepdim=True)
    scale = torch.rsqrt(variance + eps)
    torch.addcmul(-mean * scale, wide, scale, out=wide)
    if relu:
        wide.relu_()
    if wide is not x:
        x.copy_(wide)
    return variance.squeeze(2)
