"""`snip`: how much the loss would change if single weights were cut, summed over all of them.

    snip = sum_w | w * dL/dw |,    x ~ N(0, I),  y uniform,  L the mean cross-entropy

w runs over the weights of convolutions and classifier of the training form, with He-normal weights, in training mode.

Source: Lee et al., *SNIP* (arXiv 1810.02340), equation 6 before its normalisation; as a score of networks: Abdelfattah
et al. (arXiv 2101.08134).

What known implementations get wrong: they multiply a mask into every layer's forward method to get the gradient at a
mask of ones, which is w * dL/dw exactly and needs no change of the network.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...net.spec import ArchSpec
from ..metric import Measurement
from ..settings import ScoreSettings
from .sampling import loss_gradients, measure_on_labels


def measure(spec: ArchSpec, settings: ScoreSettings) -> Measurement:
    """The summed saliency, averaged over random networks."""
    return measure_on_labels("snip", spec, settings, saliency)


def saliency(net: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The sum of |w * dL/dw| over weights with a fan-in; images [B, C, H, W], labels [B]."""
    weights = {name: weight for name, weight in net.named_parameters() if weight.dim() > 1}
    gradients = loss_gradients(net, images, labels)
    sums = [(weight.detach() * gradients[name]).abs().double().sum() for name, weight in weights.items()]
    return float(torch.stack(sums).sum())
