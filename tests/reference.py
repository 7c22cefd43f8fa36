"""The definition of the Zen-score written down a second time, draw by draw, in float64 and without a batch of anything.

It shares no code with the package: not the chain, not the normalisation, not the statistics.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

Layer = tuple[int, int, int, int, int]  # kernel, channels in, channels out, stride, groups


def layers_of(spec: dict[str, Any]) -> list[Layer]:
    """The vanilla chain of a spec given as JSON types with every key written out."""
    rows: list[Layer] = []
    width = spec["in_channels"]
    for block in spec["blocks"]:
        for index in range(block["depth"]):
            stride = block["stride"] if index == 0 else 1
            kernel, out = block["kernel"], block["width"]
            if block["op"] == "conv":
                rows.append((kernel, width, out, stride, 1))
            elif block["op"] == "basic":
                rows += [(kernel, width, block["mid_width"], stride, 1), (kernel, block["mid_width"], out, 1, 1)]
            else:
                mid = block["mid_width"]
                groups = mid if block["op"] == "mbconv" else block["groups"]
                rows += [(1, width, mid, 1, 1), (kernel, mid, mid, stride, groups), (1, mid, out, 1, 1)]
            width = out
    return rows


def one_draw(
    layers: list[Layer],
    side: int,
    *,
    convention: str,
    norm: str,
    batch_size: int,
    generator: torch.Generator,
    alpha: float = 0.01,
) -> float:
    """The score of one draw of weights, images and noise, in nats."""

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    eps = 1e-5 if convention == "paper" else 1e-3
    clean = normal(batch_size, layers[0][1], side, side)
    noisy = clean + alpha * normal(batch_size, layers[0][1], side, side)
    total = 0.0
    for kernel, width, out, stride, groups in layers:
        weight = normal(out, width // groups, kernel, kernel)
        copies = []
        running = torch.ones(out, dtype=torch.float64)
        for image in (clean, noisy):
            mixed = functional.conv2d(image, weight, stride=stride, padding=kernel // 2, groups=groups)
            flat = mixed.transpose(0, 1).reshape(out, -1)  # [C, B * H * W]
            mean = flat.mean(1)
            variance = (flat - mean[:, None]).pow(2).mean(1)
            running = 0.9 * running + 0.1 * variance * flat.shape[1] / max(flat.shape[1] - 1, 1)
            if convention == "paper" and image is clean:
                total += 0.5 * math.log(variance.mean())
            scaled = (mixed - mean[None, :, None, None]) / (variance + eps).sqrt()[None, :, None, None]
            copies.append(scaled.clamp(min=0))
        if convention == "zennas":
            total += 0.5 * math.log(running.mean())
        clean, noisy = copies
    distances = [
        difference.abs().sum() if norm == "l1" else difference.pow(2).sum().sqrt() for difference in clean - noisy
    ]
    return total + math.log(sum(distances) / batch_size)
