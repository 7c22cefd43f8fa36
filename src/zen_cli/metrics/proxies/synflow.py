"""`synflow`: the logarithm of the summed synaptic flow.

    synflow = log sum_w w dR/dw,    R = 1^T f(1; |w|)

f is the training form without BN, biases and the gates of squeeze-and-excitation, every weight replaced by its absolute
value, on an image of ones: R adds up the strengths of all paths from image to logits, the strength of a path being the
product of its weights. w dR/dw is what runs through weight w, so the sum counts every path as often as it has weights;
with all weights scaled by 1 + t it is dR/dt at t = 0. One forward pass of the pair (value, derivative) computes it, and
no backward pass. He-normal weights.

Source: Tanaka et al., *Pruning neural networks without any data by iteratively conserving synaptic flow* (arXiv
2006.05467); as a score of networks: Abdelfattah et al. (arXiv 2101.08134).

What known implementations get wrong: R grows exponentially with depth and overflows, in float64 too once a network has
the depth of published ones (N(0, 1) weights: about 8 nats a layer, the limit is 709). Here each unit's input is divided
by its mean, and the logarithms of the divisors are added up.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor
from torch.nn import functional

from ...errors import RunError
from ...net.counting import projection_of
from ...net.layers import Pool, square_pool
from ...net.module import build_pool
from ...net.network import Network
from ...net.ops import Unit
from ...net.spec import ArchSpec
from ...trace.blocks import as_blocks
from ..metric import Measurement, OnDraw
from ..monte_carlo.executors import Executor
from ..settings import ScoreSettings
from .sampling import Sampler, forward_bytes, sample_all


def measure_all(
    networks: Iterable[Network],
    settings: ScoreSettings,
    *,
    on_draw: OnDraw | None = None,
    executor: Executor | None = None,
) -> Iterator[Measurement | RunError]:
    """The logarithm of the flow, averaged over random networks; there is no batch; see `sample_all`."""
    return sample_all("synflow", sampler, networks, settings, on_draw, executor)


def sampler(network: Network, settings: ScoreSettings) -> Sampler:
    """Draws of the metric on one network.

    Raises:
        RunError: the network is not written as blocks.
    """
    spec = as_blocks(network, "synflow")

    def draw(generator: torch.Generator) -> float:
        def weight(*shape: int) -> Tensor:
            drawn = torch.randn(shape, generator=generator, device=generator.device, dtype=torch.float64)
            return drawn.mul_(math.sqrt(2 / math.prod(shape[1:])))

        return log_flow(spec, weight, generator.device)

    largest = max(math.prod(layer.weight_shape) for layer in spec.chain)
    linear = max((before * out for before, out, _ in spec.classifier.layers(spec.blocks[-1].width)), default=0)
    need = forward_bytes(spec.chain, 2, 8) + 8 * 2 * max(largest, linear)
    return Sampler(network, draw, need, {"weights": "he-normal", "batch_size": None})


@torch.inference_mode()
def log_flow(spec: ArchSpec, weight: Callable[..., Tensor], device: torch.device) -> float:
    """log sum_w w dR/dw.

    Args:
        spec: the network.
        weight: the weights of a convolution or classifier of some shape, in float64, in the order of the
            training form's modules.
        device: where they are.
    """
    pair = torch.zeros(2, spec.in_channels, *spec.image_size, dtype=torch.float64, device=device)
    pair[0] = 1  # the value, then the derivative, [2, C, H, W]
    log_scale = 0.0
    for unit in spec.units:
        scale = float(pair[0].mean())
        pair, log_scale = pair / scale, log_scale + math.log(scale)
        pair = _through(unit, pair, weight)
    if spec.classifier.pool is not None:
        pair = _pooled(square_pool(*spec.classifier.pool), pair)
    values = functional.adaptive_avg_pool2d(pair, spec.classifier.parts).flatten(1)
    for width in spec.classifier.widths:
        values = _chain_rule(functional.linear(values, weight(width, values.shape[1]).abs()))
    return log_scale + math.log(float(values[1].sum()))


def _through(unit: Unit, pair: Tensor, weight: Callable[..., Tensor]) -> Tensor:
    """The pair after one unit."""

    def conv(x: Tensor, width: int, kernel: int, stride: int = 1, groups: int = 1) -> Tensor:
        drawn = weight(width, x.shape[1] // groups, kernel, kernel).abs()
        return _chain_rule(functional.conv2d(x, drawn, None, stride, kernel // 2, 1, groups))

    layers = unit.layers((pair.shape[-2], pair.shape[-1]))
    if layers[0].pool is not None:
        pair = _pooled(layers[0].pool, pair)
    body = pair
    for layer in layers:
        body = conv(body, layer.out_width, layer.kernel[0], layer.stride[0], layer.groups)
    if not unit.has_shortcut:
        return body
    if not unit.projection:
        return body + pair
    stride = unit.enter(1)[1]
    if unit.details is not None and unit.details.pools_shortcut:
        pair, stride = functional.avg_pool2d(pair, 2, stride, ceil_mode=True, count_include_pad=False), 1
    body = body + conv(pair, unit.width, 1, stride, projection_of(unit, 1).groups)
    return body + pair if unit.adds_norm else body


def _pooled(pool: Pool, pair: Tensor) -> Tensor:
    """The pair after a pooling; a maximum has the derivative of the position that it is taken from."""
    if pool.kind == "avg":
        return build_pool(pool)(pair)  # type: ignore[no-any-return]  # a module
    options = pool.kernel, pool.stride, pool.padding
    values, places = functional.max_pool2d(pair[0], *options, return_indices=True)
    slopes = pair[1].flatten(1).gather(1, places.flatten(1)).view_as(values)
    return torch.stack((values, slopes))


def _chain_rule(pair: Tensor) -> Tensor:
    """After a layer whose weights are scaled by 1 + t: d/dt (1 + t) y = y + dy/dt at t = 0."""
    return torch.stack((pair[0], pair[0] + pair[1]))
