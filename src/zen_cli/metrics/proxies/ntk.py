"""`ntk`: the condition number of the neural tangent kernel; lower is better.

    ntk = lambda_max / lambda_min of Theta = J J^T,    J_i = d/dtheta sum_c f_c(x_i)

theta holds the weights of convolutions, BN and classifier (no biases, as published),
f the logits of the training form in training mode, x ~ N(0, I), He-normal weights.

Source: Chen et al., *TE-NAS* (arXiv 2102.11535), section 3.1.1.

What known implementations get wrong: TE-NAS calls `torch.symeig`, which PyTorch removed; it forms Theta and its
eigenvalues in float32, and replaces what is then not a number by 100,000; the published Zen-NAS code keeps it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from ...errors import RunError, ScoreError
from ...net.network import Network, label
from ...trace.blocks import as_blocks
from ..metric import Measurement, OnDraw
from ..monte_carlo.executors import Executor
from ..settings import ScoreSettings
from .sampling import (
    TRAINING,
    Sampler,
    check_statistics,
    random_images,
    random_network,
    sample_all,
    training_bytes,
)


def measure_all(
    networks: Iterable[Network],
    settings: ScoreSettings,
    *,
    on_draw: OnDraw | None = None,
    executor: Executor | None = None,
) -> Iterator[Measurement | RunError]:
    """The condition number, averaged over random networks; see `sample_all`."""
    return sample_all("ntk", sampler, networks, settings, on_draw, executor)


def sampler(network: Network, settings: ScoreSettings) -> Sampler:
    """Draws of the metric on one network.

    Raises:
        RunError: the network is not written as blocks, or a BN would have a single value a channel; of a draw: the
            kernel is singular.
    """
    spec, batch = as_blocks(network, "ntk"), settings.batch_size
    check_statistics("ntk", spec, batch)

    def draw(generator: torch.Generator) -> float:
        net = random_network(spec, generator)
        value = condition_number(kernel(net, random_images(spec, batch, generator)))
        if value is None:
            raise ScoreError(f"{label(spec)}: ntk is undefined, the kernel is singular; use a smaller batch size")
        return value

    return Sampler(network, draw, training_bytes(spec, batch, gradients=batch + 1), TRAINING)


def kernel(net: nn.Module, images: Tensor) -> Tensor:
    """Theta [B, B] in float64, from the gradient of each image's summed logits."""
    weights = [weight for name, weight in net.named_parameters() if name.endswith("weight")]
    logits = net(images).sum(1)  # [B]
    rows = [torch.autograd.grad(logit, weights, retain_graph=True) for logit in logits]
    theta = torch.zeros(len(images), len(images), dtype=torch.float64, device=images.device)
    for columns in zip(*rows, strict=True):
        jacobian = torch.stack(columns).flatten(1).double()  # [B, weights of one layer]
        theta += jacobian @ jacobian.T
    return theta


def condition_number(theta: Tensor) -> float | None:
    """The ratio of the extreme eigenvalues; None if the smallest is lost in the rounding of float32 gradients."""
    eigenvalues = torch.linalg.eigvalsh(theta)
    if eigenvalues[0] <= len(theta) * torch.finfo(torch.float32).eps * eigenvalues[-1]:
        return None
    return float(eigenvalues[-1] / eigenvalues[0])
