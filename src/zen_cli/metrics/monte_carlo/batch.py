"""Many draws of many networks side by side, layer by layer, in plain torch.

What a GPU does in float64, with pooling, or without Triton. Draws share launches: those of one network always, those of
several networks wherever their next layer is the same. Networks need not agree in depth: each step computes the next
layer of the network that has the largest share of its layers left, for all networks whose next layer it is.

Shapes: D draws in a step, B images, 2 copies, C channels last: feature maps [D, 2, B, H, W, C], weights [D, weights].
A 1x1 convolution is a batched matrix product over D; other convolutions run one call a draw.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

import torch
from torch import Tensor
from torch.nn import functional

from ...net.layers import Chain, ConvLayer
from ..settings import ScoreSettings
from .draws import ChainDraw, KeyedChain
from .layers import channels_first, channels_last, is_pointwise, layer_input
from .seeds import draw_seed, image_count, image_size, perturb, weight_count
from .statistics import EPS, total


@dataclass
class Bundle:
    """Draws of one network between two of its layers.

    Attributes:
        chain: the layers.
        x: feature maps before layer `position`, [D, 2, B, H, W, C].
        weights: of all layers, [D, weights]; those of layer `position` start at `offset`.
        variances: of the layers passed, [D, 2, C] each.
    """

    chain: Chain
    x: Tensor
    weights: Tensor
    position: int = 0
    offset: int = 0
    variances: list[Tensor] = field(default_factory=list)

    @property
    def left(self) -> float:
        """Share of the layers that are left."""
        return 1 - self.position / len(self.chain)

    @property
    def layer(self) -> ConvLayer:
        """The next layer of these draws."""
        return self.chain[self.position]

    def take_weights(self) -> Tensor:
        """The weights of this layer, [D, weights of the layer]."""
        end = self.offset + math.prod(self.layer.weight_shape)
        taken = self.weights[:, self.offset : end]
        self.offset = end
        return taken


@torch.inference_mode()
def score_batch(
    draws: Sequence[ChainDraw], settings: ScoreSettings, dtype: torch.dtype, device: torch.device
) -> list[float]:
    """Scores in nats of some draws, in their order.

    Args:
        draws: of any networks; those of one network follow each other.
        settings: convention, norm, alpha, batch size, seed.
        dtype: of feature maps and weights; random numbers are drawn in float32 (or float64) and rounded to it.
        device: where to compute.

    Raises:
        RuntimeError: torch is out of memory.
    """
    bundles = [
        start(network, [draw.number for draw in group], settings, dtype, device)
        for network, group in groupby(draws, key=lambda draw: draw.task)
    ]
    return score_bundles(bundles, settings)


@torch.inference_mode()
def score_bundles(bundles: Sequence[Bundle], settings: ScoreSettings) -> list[float]:
    """Runs bundles to their end; scores of their draws in order."""
    waiting = [bundle for bundle in bundles if bundle.position < len(bundle.chain)]
    while waiting:
        layer = max(waiting, key=lambda bundle: bundle.left).layer
        advance([bundle for bundle in waiting if bundle.layer == layer], layer, EPS[settings.convention])
        waiting = [bundle for bundle in waiting if bundle.position < len(bundle.chain)]
    scores = [total(bundle.chain, bundle.variances, bundle.x.flatten(3), settings) for bundle in bundles]
    values: list[float] = torch.cat(scores).tolist()  # the only place that waits for the device
    return values


def start(
    network: KeyedChain, numbers: Sequence[int], settings: ScoreSettings, dtype: torch.dtype, device: torch.device
) -> Bundle:
    """Draws of one network before its first layer; one launch a draw makes all of its random numbers."""
    chain, batch = network.chain, settings.batch_size
    images = image_count(chain, batch)
    drawn_in = torch.float64 if dtype == torch.float64 else torch.float32
    normals = torch.empty(len(numbers), images + weight_count(chain), dtype=drawn_in, device=device)
    generator = torch.Generator(device)
    for row, number in zip(normals, numbers, strict=True):
        row.normal_(generator=generator.manual_seed(draw_seed(settings.seed, network.key, number)))
    return bundle_of(chain, normals, settings, dtype)


def bundle_of(chain: Chain, normals: Tensor, settings: ScoreSettings, dtype: torch.dtype) -> Bundle:
    """A bundle with given random numbers, [D, images + weights]; the images among them are overwritten."""
    images = image_count(chain, settings.batch_size)
    copies = normals[:, :images].view(-1, 2, settings.batch_size, *image_size(chain), chain[0].in_width)
    perturb(copies.transpose(0, 1), settings.alpha)
    return Bundle(chain, copies.to(dtype), normals[:, images:].to(dtype))


def advance(bundles: Sequence[Bundle], layer: ConvLayer, eps: float) -> None:
    """Takes bundles through a layer that is the next of all of them."""
    weights = _joined([bundle.take_weights() for bundle in bundles])
    x = _joined([bundle.x for bundle in bundles])
    for bundle in bundles:
        bundle.x = x.new_empty(0)  # frees what was copied
    draws, copies, batch = x.shape[:3]
    x = x.flatten(1, 2)
    if layer.pool is not None or x.shape[2:] != (*layer.in_size, layer.in_width):
        x = channels_last(layer_input(channels_first(x.flatten(0, 1)), layer))
        x = x.view(draws, copies * batch, *layer.in_size, layer.in_width)
    x = _convolve(x, weights, layer)
    variances = normalise(x.view(draws, copies, -1, layer.out_width), eps, relu=layer.activation)
    counts = [bundle.weights.shape[0] for bundle in bundles]
    maps = torch.split(x.view(draws, copies, batch, *x.shape[2:]), counts)
    for bundle, after, variance in zip(bundles, maps, torch.split(variances, counts), strict=True):
        bundle.x = after
        bundle.variances.append(variance)
        bundle.position += 1


def normalise(x: Tensor, eps: float, *, relu: bool) -> Tensor:
    """Normalises every channel of every copy in place, with the ReLU after it; returns the biased variances.

    Args:
        x: feature maps, [D, 2, N, C] with N = B H W, contiguous; overwritten.
        eps: added to the variance before the root.
        relu: whether to clamp at zero.

    Returns:
        [D, 2, C], float32 (float64 where x is).
    """
    wide = x if x.dtype in (torch.float32, torch.float64) else x.float()
    variance, mean = torch.var_mean(wide, dim=2, correction=0, keepdim=True)
    scale = torch.rsqrt(variance + eps)
    torch.addcmul(-mean * scale, wide, scale, out=wide)
    if relu:
        wide.relu_()
    if wide is not x:
        x.copy_(wide)
    return variance.squeeze(2)


def _convolve(x: Tensor, weights: Tensor, layer: ConvLayer) -> Tensor:
    """[D, 2B, H, W, C_in] -> [D, 2B, H', W', C_out], contiguous."""
    draws, images, out = x.shape[0], x.shape[1], layer.out_width
    if is_pointwise(layer):
        if layer.stride != (1, 1):
            x = x[:, :, :: layer.stride[0], :: layer.stride[1]]
        product = torch.bmm(x.reshape(draws, -1, layer.in_width), weights.view(draws, out, -1).mT)
        return product.view(draws, images, *layer.out_size, out)
    kernels = weights.view(draws, out, *layer.kernel, layer.fan_in)
    maps = [
        functional.conv2d(
            channels_first(x[draw]),
            channels_first(kernels[draw]),
            None,
            layer.stride,
            layer.padding,
            layer.dilation,
            layer.groups,
        ).permute(0, 2, 3, 1)
        for draw in range(draws)
    ]
    return torch.stack(maps) if draws > 1 else maps[0].contiguous().unsqueeze(0)


def _joined(parts: Sequence[Tensor]) -> Tensor:
    """Parts one after the other along D, contiguous."""
    return parts[0].contiguous() if len(parts) == 1 else torch.cat(list(parts))
