"""`snip`: how much the loss would change if single weights were cut, summed over all of them.

    snip = sum_w | w * dL/dw |,    x ~ N(0, I),  y uniform,  L the mean cross-entropy

w runs over the weights of convolutions and classifier of the training form, with He-normal weights, in training mode.

Source: Lee et al., *SNIP* (arXiv 1810.02340), equation 6 before its normalisation; as a score of networks: Abdelfattah
et al. (arXiv 2101.08134).

What known implementations get wrong: they multiply a mask into every layer's forward method to get the gradient at a
mask of ones, which is w * dL/dw exactly and needs no change of the network.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from ...errors import RunError
from ...net.network import Network
from ..metric import Measurement, OnDraw
from ..monte_carlo.executors import Executor
from ..settings import ScoreSettings
from .sampling import Sampler, loss_gradients, sample_all, training_sampler


def measure_all(
    networks: Iterable[Network],
    settings: ScoreSettings,
    *,
    on_draw: OnDraw | None = None,
    executor: Executor | None = None,
) -> Iterator[Measurement | RunError]:
    """The summed saliency, averaged over random networks; see `sample_all`."""
    return sample_all("snip", sampler, networks, settings, on_draw, executor)


def sampler(network: Network, settings: ScoreSettings) -> Sampler:
    """Draws of the metric on one network; arguments and errors as for `training_sampler`."""
    return training_sampler("snip", network, settings, saliency)


def saliency(net: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The sum of |w * dL/dw| over weights with a fan-in; images [B, C, H, W], labels [B]."""
    weights = {name: weight for name, weight in net.named_parameters() if weight.dim() > 1}
    gradients = loss_gradients(net, images, labels)
    sums = [(weight.detach() * gradients[name]).abs().double().sum() for name, weight in weights.items()]
    return float(torch.stack(sums).sum())
