"""One draw on one CPU core, as lean as torch allows.

What measurement supports here (docs/engine.md has the numbers):

- Both copies go through one convolution as a batch of 2B images, channels last: no copies into blocks and back.
- `batch_norm_update_stats` for the statistics: of all ways to a mean and a variance per channel it is the only
  vectorised one on channels-last maps; `var_mean` takes ten times as long.
- Normalisation is one multiply-add in place, and so is the ReLU: a layer allocates its convolution's output, no more.
- 1x1 convolutions of few rows are matrix products; the convolution's set-up would cost as much as its arithmetic.
- Weights are drawn layer by layer into one buffer that stays in the cache.

Other draws run on the other cores, each with one thread of torch's: nothing waits for anything, and a sum is taken in
the same order on every machine of the kind, whatever its number of cores.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn import functional

from ...net.layers import Chain, ConvLayer
from ..settings import ScoreSettings
from .draws import ChainDraw
from .layers import channels_first, channels_last, is_pointwise, layer_input
from .seeds import draw_generator, image_count, image_size, perturb
from .statistics import EPS, total

PRODUCT_ROWS = 4096
CPU = torch.device("cpu")


@torch.inference_mode()
def score_draw(
    draw: ChainDraw, settings: ScoreSettings, dtype: torch.dtype, stopped: Callable[[], bool] = lambda: False
) -> float:
    """The score of one draw in nats.

    Args:
        draw: which one.
        settings: convention, norm, alpha, batch size, seed.
        dtype: of feature maps and weights.
        stopped: called before each layer; once it returns True the rest is skipped.

    Raises:
        Stopped: because `stopped` returned True.
        RuntimeError: torch is out of memory.
    """
    chain = draw.task.chain
    generator = draw_generator(draw, settings.seed, CPU)
    images = torch.empty(image_count(chain, settings.batch_size), dtype=dtype).normal_(generator=generator)
    buffer = torch.empty(max(math.prod(layer.weight_shape) for layer in chain), dtype=dtype)

    def weights() -> Iterator[Tensor]:
        for layer in chain:
            if stopped():
                raise Stopped
            yield buffer[: math.prod(layer.weight_shape)].normal_(generator=generator)

    return score_chain(chain, images, weights(), settings)


class Stopped(Exception):  # noqa: N818  # not an error, but what `stopped` wants
    """A draw was given up before its end because its score is not needed any more."""


@torch.inference_mode()
def score_chain(chain: Chain, images: Tensor, weights: Iterator[Tensor], settings: ScoreSettings) -> float:
    """The score in nats of a chain with these random numbers.

    Args:
        chain: the layers.
        images: x and e, flat, read as [2, B, H, W, C]; overwritten.
        weights: a layer's weights each, flat, read as [C_out, kernel height, kernel width, C_in / groups].
        settings: convention, norm, alpha, batch size.
    """
    batch = settings.batch_size
    copies = images.view(2, batch, *image_size(chain), chain[0].in_width)
    perturb(copies, settings.alpha)
    x = copies.flatten(0, 1)  # [2B, H, W, C] from here on
    variances: list[Tensor] = []
    for layer, weight in zip(chain, weights, strict=True):
        if layer.pool is not None or x.shape[1:] != (*layer.in_size, layer.in_width):
            x = channels_last(layer_input(channels_first(x), layer))
        x = _convolve(x, weight, layer)
        variances.append(_normalise(x, EPS[settings.convention]))
        if layer.activation:
            x.relu_()
    return total(chain, variances, x.view(1, 2, batch, -1), settings).item()


def _convolve(x: Tensor, weight: Tensor, layer: ConvLayer) -> Tensor:
    """[2B, H, W, C_in] -> [2B, H', W', C_out], contiguous, with flat weights."""
    images, out = x.shape[0], layer.out_width
    rows = images * math.prod(layer.out_size)
    if is_pointwise(layer) and layer.stride == (1, 1) and rows <= PRODUCT_ROWS:
        return torch.mm(x.view(rows, -1), weight.view(out, -1).t()).view(images, *layer.out_size, out)
    kernel = weight.view(out, *layer.kernel, layer.fan_in)
    return channels_last(
        functional.conv2d(
            channels_first(x),
            channels_first(kernel),
            None,
            layer.stride,
            layer.padding,
            layer.dilation,
            layer.groups,
        )
    )


def _normalise(x: Tensor, eps: float) -> Tensor:
    """Normalises each copy in place and returns the biased variances, [1, 2, C]."""
    rows = x.view(2, -1, x.shape[-1])
    first, second = channels_first(x).chunk(2)
    mean, variance = torch.batch_norm_update_stats(first, None, None, 0.0)
    other_mean, other_variance = torch.batch_norm_update_stats(second, None, None, 0.0)
    means, variances = torch.stack((mean, other_mean)), torch.stack((variance, other_variance))
    scale = torch.rsqrt(variances + eps)
    shift = means.mul_(scale).neg_()
    torch.addcmul(shift.unsqueeze(1), rows, scale.unsqueeze(1), out=rows)
    return variances.unsqueeze(0)
