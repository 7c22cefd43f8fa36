"""The random numbers of a draw: images, noise and weights from one seed that names the draw.

A draw has a stream of its own, read in a fixed order (images, noise, then the weights layer by layer), so nothing
beside it changes it. The streams are torch's: Mersenne Twister on a CPU, Philox, which is counter-based, on CUDA. The
two devices therefore see different draws of one distribution, and a score differs between them within its standard
error. A generator that agrees bit by bit on both would cost a CPU three times as much per number (docs/engine.md), and
numbers are a fifth of a draw there.
"""

from __future__ import annotations

import hashlib
import math

import torch
from torch import Tensor

from ...net.layers import Chain, Pool
from .draws import ChainDraw


def draw_seed(seed: int, key: str, number: int) -> int:
    """63 bits that name one draw: SHA-256 of the seed, the network's key and the number of the draw."""
    digest = hashlib.sha256(f"{seed}/{key}/{number}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def draw_generator(draw: ChainDraw, seed: int, device: torch.device) -> torch.Generator:
    """The stream of a draw."""
    return torch.Generator(device).manual_seed(draw_seed(seed, draw.task.key, draw.number))


def image_size(chain: Chain) -> tuple[int, int]:
    """Height and width of the image that a chain starts with: the smallest that leaves its first layer's input."""
    first = chain[0]
    return first.in_size if first.pool is None else _unpooled(first.pool, first.in_size)


def image_count(chain: Chain, batch: int) -> int:
    """Random numbers that the images and the noise of a draw take."""
    return 2 * batch * math.prod(image_size(chain)) * chain[0].in_width


def weight_count(chain: Chain) -> int:
    """Random numbers that the weights of a draw take."""
    return sum(math.prod(layer.weight_shape) for layer in chain)


def perturb(images: Tensor, alpha: float) -> None:
    """Turns (x, e) into (x, x + alpha e), in place; the two copies are the leading axis."""
    torch.add(images[0], images[1], alpha=alpha, out=images[1])


def _unpooled(pool: Pool, size: tuple[int, int]) -> tuple[int, int]:
    height, width = (
        (size[axis] - 1) * pool.stride[axis] + pool.kernel[axis] - 2 * pool.padding[axis] for axis in (0, 1)
    )
    return height, width
