"""The two terms of a draw's score, from the variances and the last feature map of its forward pass."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ...net.layers import Chain
from ..settings import ScoreSettings

EPS = {"paper": 1e-5, "zennas": 1e-3}


def log_sigma(variance: Tensor, rows: int, convention: str) -> Tensor:
    """log sigma of a layer for each draw, [D], from the biased variances of both copies, [D, 2, C], float64.

    `paper`: the variance of the clean copy. `zennas`: a running variance that starts at 1 and is moved by a tenth
    towards the unbiased variance of one copy after the other.

    Args:
        variance: of the layer's pre-activations over batch and space.
        rows: positions that each variance was taken over, B * H * W.
        convention: `paper` or `zennas`.
    """
    if convention == "paper":
        return variance[:, 0].mean(-1).log() / 2
    unbiased = variance * (rows / (rows - 1)) if rows > 1 else variance
    return (0.81 + 0.09 * unbiased[:, 0] + 0.1 * unbiased[:, 1]).mean(-1).log() / 2


def log_delta(x: Tensor, norm: str) -> Tensor:
    """log of the mean distance of the two copies for each draw, [D], from feature maps [D, 2, B, features]."""
    difference = (x[:, 0] - x[:, 1]).double()
    distance = difference.abs().sum(-1) if norm == "l1" else difference.square().sum(-1).sqrt()
    return distance.mean(-1).log()


def total(chain: Chain, variances: Sequence[Tensor], x: Tensor, settings: ScoreSettings) -> Tensor:
    """Scores of draws of one chain, [D], from the variances of its layers, [D, 2, C] each, and its last feature maps.

    Args:
        chain: the layers.
        variances: one a layer.
        x: [D, 2, B, features].
        settings: convention, norm and batch size.
    """
    score = log_delta(x, settings.norm)
    widths = [layer.out_width for layer in chain]
    every = torch.split(torch.cat(list(variances), dim=-1).double(), widths, dim=-1)  # one conversion for all layers
    for layer, variance in zip(chain, every, strict=True):
        rows = settings.batch_size * layer.out_size[0] * layer.out_size[1]
        score = score + log_sigma(variance, rows, settings.convention)
    return score
