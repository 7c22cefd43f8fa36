"""`phi`: the expected gradient norm of the vanilla chain without BN, which the Zen-score was derived from.

    Phi = log || d f(x) / d x ||_F        (nats; mean over images, then log, then mean over random networks)

f is the chain conv -> ReLU, all weights N(0, 1), up to its last feature map, x ~ N(0, I). Each layer is divided by the
root mean square of its output and the logarithms of the divisors are added up, which changes nothing as f is
homogeneous, and never overflows. The Frobenius norm comes from random projections:

    || J ||_F^2 = E_v || J^T v ||^2,    v ~ N(0, I)

As alpha goes to 0, Zen - log alpha goes to Phi at every depth: the perturbation grows by pi/(pi - 1) in variance a
layer, and BN's removal of the mean lowers each gain by exactly that. At the usual alpha = 0.01 it holds for about 24
layers; after them Delta saturates (`zen score --breakdown` shows where, `examples/zen_vs_phi.py` the whole picture).

Source: Lin et al., *Zen-NAS* (arXiv 2102.01063), definition of the Phi-score.

What known implementations get wrong: the published code has none, since the Phi-score as defined overflows in a deep
network; that is why the paper turned to BN.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor
from torch.nn import functional

from ...errors import RunError
from ...net.layers import Chain
from ...net.network import Network
from ..metric import Measurement, OnDraw
from ..monte_carlo.executors import Executor
from ..monte_carlo.layers import layer_input
from ..monte_carlo.seeds import image_size
from ..settings import ScoreSettings
from .sampling import Sampler, sample_all

PROJECTIONS = 4


def measure_all(
    networks: Iterable[Network],
    settings: ScoreSettings,
    *,
    on_draw: OnDraw | None = None,
    executor: Executor | None = None,
) -> Iterator[Measurement | RunError]:
    """The Phi-score in nats, averaged over random networks; see `sample_all`."""
    return sample_all("phi", sampler, networks, settings, on_draw, executor)


def sampler(network: Network, settings: ScoreSettings) -> Sampler:
    """Draws of the Phi-score of one network, of which the chain is enough."""
    layers, (height, width) = network.chain, image_size(network.chain)
    batch, channels = settings.batch_size, layers[0].in_width

    def draw(generator: torch.Generator) -> float:
        images = torch.randn(batch, channels, height, width, generator=generator, device=generator.device)
        return log_gradient_norm(layers, images, generator, PROJECTIONS)

    maps = sum(layer.out_width * math.prod(layer.out_size) for layer in layers)
    need = 4 * (2 * batch * maps + sum(math.prod(layer.weight_shape) for layer in layers))
    return Sampler(network, draw, need, {"projections": PROJECTIONS})


def log_gradient_norm(layers: Chain, images: Tensor, generator: torch.Generator, projections: int) -> float:
    """log of the mean over images of ||df/dx||_F for weights drawn from the generator, layer by layer.

    Args:
        layers: the chain.
        images: [B, C, H, W], in the precision to compute in.
        generator: of the weights, then of the projections.
        projections: how many estimate the squared norm of each image.
    """
    x = images.requires_grad_()
    log_scale = 0.0
    for layer in layers:
        x = layer_input(x, layer)
        weight = torch.randn(layer.weight_shape, generator=generator, device=x.device, dtype=x.dtype)
        x = functional.conv2d(x, weight, None, layer.stride, layer.padding, layer.dilation, layer.groups)
        scale = float(x.detach().square().mean().sqrt())
        if scale == 0:
            return -math.inf  # every ReLU before this layer is dead
        log_scale += math.log(scale)
        x = x / scale
        if layer.activation:
            x = x.relu_()
    squares = torch.zeros(len(images), dtype=torch.float64, device=x.device)  # [B]
    for number in range(projections):
        direction = torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
        # Images do not meet in a chain without BN: one backward pass holds the gradient of each.
        # A product to derive instead of a vector to pass on, for which PyTorch would import half a second of code.
        (gradient,) = torch.autograd.grad((x * direction).sum(), images, retain_graph=number + 1 < projections)
        squares += gradient.double().square().flatten(1).sum(1)
    return log_scale + float((squares / projections).sqrt().mean().log())
