"""`ntk`: the condition number of the neural tangent kernel; lower is better.

    ntk = lambda_max / lambda_min of Theta = J J^T,    J_i = d/dtheta sum_c f_c(x_i)

theta holds the weights of convolutions, BN and classifier (no biases, as published),
f the logits of the training form in training mode, x ~ N(0, I), He-normal weights.

Source: Chen et al., *TE-NAS* (arXiv 2102.11535), section 3.1.1.

What known implementations get wrong: TE-NAS calls `torch.symeig`, which PyTorch removed; it forms Theta and its
eigenvalues in float32, and replaces what is then not a number by 100,000; the published Zen-NAS code keeps it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...errors import ScoreError
from ...net.spec import ArchSpec
from ..metric import Measurement
from ..settings import ScoreSettings
from .sampling import measure_draws, random_images, random_network, training_bytes


def measure(spec: ArchSpec, settings: ScoreSettings) -> Measurement:
    """The condition number, averaged over random networks.

    Raises:
        ScoreError: the kernel is singular.
    """

    def draw(generator: torch.Generator) -> float:
        net = random_network(spec, generator)
        value = condition_number(kernel(net, random_images(spec, settings.batch_size, generator)))
        if value is None:
            raise ScoreError(f"{spec.name or spec.id}: ntk is undefined, the kernel is singular; {_FEWER}")
        return value

    need = training_bytes(spec, settings.batch_size, gradients=settings.batch_size + 1)
    return measure_draws("ntk", spec, settings, draw, need, weights="he-normal", mode="train")


_FEWER = "use a smaller --batch-size"


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
