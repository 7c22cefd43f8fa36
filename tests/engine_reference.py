"""The definition of a draw's score, written as plainly as possible in float64, to hold the engine to.

Modules of torch.nn, one forward for each copy, statistics read off the pre-activations.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from zen_cli.metrics.monte_carlo.seeds import image_count, image_size, weight_count
from zen_cli.metrics.settings import ScoreSettings, check_settings
from zen_cli.net.layers import Chain, ConvLayer, Pool
from zen_cli.net.module import build_pool


def normals(chain: Chain, batch: int, seed: int) -> tuple[Tensor, Tensor]:
    """Images with noise, and weights, flat and in float64, but exact in float32."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(image_count(chain, batch), generator=generator)
    weights = torch.randn(weight_count(chain), generator=generator)
    return images.double(), weights.double()


def split_weights(chain: Chain, weights: Tensor) -> list[Tensor]:
    return list(torch.split(weights, [math.prod(layer.weight_shape) for layer in chain]))


@torch.no_grad()
def reference(chain: Chain, images: Tensor, weights: Tensor, settings: ScoreSettings) -> float:
    batch, eps = settings.batch_size, 1e-3 if settings.convention == "zennas" else 1e-5
    x, noise = images.view(2, batch, *image_size(chain), chain[0].in_width).permute(0, 1, 4, 2, 3).double()
    copies, score = [x, x + settings.alpha * noise], 0.0
    for layer, flat in zip(chain, split_weights(chain, weights), strict=True):
        conv = nn.Conv2d(
            layer.in_width, layer.out_width, layer.kernel, layer.stride, layer.padding, layer.dilation, layer.groups,
            bias=False, dtype=torch.float64,
        )  # fmt: skip
        conv.weight.copy_(flat.view(layer.out_width, *layer.kernel, layer.fan_in).permute(0, 3, 1, 2))
        running = torch.ones(layer.out_width, dtype=torch.float64)
        for index in (0, 1):
            if layer.pool is not None:
                copies[index] = build_pool(layer.pool)(copies[index])
            before = conv(copies[index])
            if index == 0 and settings.convention == "paper":
                score += math.log(before.var((0, 2, 3), correction=0).mean().item()) / 2
            running = 0.9 * running + 0.1 * before.var((0, 2, 3), correction=1)
            norm = nn.BatchNorm2d(layer.out_width, eps=eps, affine=False, dtype=torch.float64)
            copies[index] = norm(before)
            if layer.activation:
                copies[index] = copies[index].relu()
        if settings.convention == "zennas":
            score += math.log(running.mean().item()) / 2
    difference = (copies[0] - copies[1]).flatten(1)
    distance = difference.abs().sum(1) if settings.norm == "l1" else difference.norm(dim=1)
    return score + math.log(distance.mean().item())


def settings(**options: object) -> ScoreSettings:
    return check_settings(**{"batch_size": 4, "draws": 2, "device": "cpu", **options})  # type: ignore[arg-type]


def plain_chain(width: int = 8, depth: int = 4, side: int = 8) -> Chain:
    first = ConvLayer(3, width, (3, 3), (side, side), padding=(1, 1))
    return first, *(ConvLayer(width, width, (3, 3), (side, side), padding=(1, 1)) for _ in range(depth - 1))


def odd_chain() -> Chain:
    """Everything that a spec never has: pooling, dilation, strides that differ, no square, a layer without ReLU."""
    return (
        ConvLayer(2, 6, (3, 5), (12, 9), (1, 2), (1, 2), pool=Pool("max", (2, 2), (2, 2), (0, 0))),
        ConvLayer(6, 12, (1, 1), (12, 5), (2, 1), groups=3, activation=False),
        ConvLayer(12, 12, (3, 3), (6, 5), (1, 1), (2, 2), (2, 2), groups=12),
        ConvLayer(12, 5, (1, 1), (6, 5), (2, 2), (1, 0)),
        ConvLayer(5, 7, (2, 2), (2, 2), padding=(0, 1), pool=Pool("avg", (3, 3), (2, 2), (1, 1))),
        ConvLayer(7, 1, (1, 1), (1, 3)),
    )
