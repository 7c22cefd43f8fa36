"""Plans with given numbers, and chains that take every kernel of `zen_cli.metrics.monte_carlo.kernels`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from engine_reference import normals, reference
from torch import Tensor

from zen_cli.metrics.monte_carlo.plan import Plan, make_plan
from zen_cli.metrics.settings import ScoreSettings
from zen_cli.net.layers import Chain, ConvLayer


def wide_chain() -> Chain:
    """Every tile: few and many channels, grouped, depthwise, more rows than a block and fewer."""
    return (
        ConvLayer(3, 40, (3, 3), (7, 7), padding=(1, 1)),
        ConvLayer(40, 40, (5, 5), (7, 7), (2, 2), (2, 2), groups=40),
        ConvLayer(40, 72, (1, 1), (4, 4), activation=False),
        ConvLayer(72, 36, (3, 3), (4, 4), padding=(1, 1), groups=3),
        ConvLayer(36, 20, (1, 1), (4, 4)),
    )


def odd_chain() -> Chain:
    """Dilation, strides that differ, no square, widths that no vector fits, a depthwise layer on the image."""
    return (
        ConvLayer(3, 3, (3, 3), (12, 9), (1, 2), (1, 1), groups=3),
        ConvLayer(3, 12, (1, 1), (12, 5), (2, 1), groups=3, activation=False),
        ConvLayer(12, 12, (3, 3), (6, 5), (1, 1), (2, 2), (2, 2), groups=12),
        ConvLayer(12, 5, (1, 1), (6, 5), (2, 2), (1, 0)),
        ConvLayer(5, 70, (2, 2), (4, 3), padding=(0, 1)),
        ConvLayer(70, 1, (1, 1), (3, 4)),
    )


def plan_of(chains: Sequence[Chain], seeds: Sequence[int], options: ScoreSettings) -> tuple[Plan, Tensor]:
    """A plan for chains, and numbers that are NaN wherever they belong to no draw."""
    plan = make_plan(chains, options.batch_size)
    numbers = torch.full((plan.numbers,), float("nan"))
    for chain, seed, first in zip(chains, seeds, plan.offsets[:, 0].tolist(), strict=True):
        images, weights = normals(chain, options.batch_size, seed)
        plain, noise = images.view(2, -1)
        row = torch.cat([plain, plain + options.alpha * noise, weights])
        numbers[first : first + len(row)] = row
    return plan, numbers


def expected(chains: Sequence[Chain], seeds: Sequence[int], options: ScoreSettings) -> list[float]:
    return [
        reference(chain, *normals(chain, options.batch_size, seed), options)
        for chain, seed in zip(chains, seeds, strict=True)
    ]
