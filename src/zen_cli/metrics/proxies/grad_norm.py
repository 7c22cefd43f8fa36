"""`grad_norm`: the norm of the loss's gradient at initialisation, on random images with random labels.

    grad_norm = || grad_theta L(f(x; theta), y) ||_2,    x ~ N(0, I),  y uniform,  L the mean cross-entropy

theta holds every parameter of the training form, with He-normal weights, in training mode (batch statistics).

Source: Abdelfattah et al., *Zero-Cost Proxies for Lightweight NAS* (arXiv 2101.08134).

What known implementations get wrong: they agree on the name only. One adds up the norms of the layers, one takes the
norm of all parameters; with N(0, 1) weights, as in the published Zen-NAS code, a BN divides each layer's gradient by
its width, and the untrained classifier is so sure of itself that the loss is that of a wrong guess.
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
    """The gradient norm, averaged over random networks; see `sample_all`."""
    return sample_all("grad_norm", sampler, networks, settings, on_draw, executor)


def sampler(network: Network, settings: ScoreSettings) -> Sampler:
    """Draws of the metric on one network; arguments and errors as for `training_sampler`."""
    return training_sampler("grad_norm", network, settings, gradient_norm)


def gradient_norm(net: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The Euclidean norm of the gradient over all parameters; images [B, C, H, W], labels [B]."""
    squares = [gradient.double().square().sum() for gradient in loss_gradients(net, images, labels).values()]
    return float(torch.stack(squares).sum().sqrt())
