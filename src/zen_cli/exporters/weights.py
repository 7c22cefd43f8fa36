"""Weights of a seed for an exported network, and images to run it on.

They are for comparing, so two things must hold. Every tensor must be seen in the logits, or a wrong graph
would pass: batch normalisations have scales and shifts of their own, and no branch starts at zero. And float32 rounding
must stay small, or a right graph would fail: a random network of high Zen-score amplifies rounding a thousandfold, as
the score measures. So each batch normalisation has the statistics of what reaches it, and the residual branches of a
network of n residual units are scaled by 1 / sqrt(4 + 4 n), which bounds the amplification whatever the depth.
Shapes: B images, C channels, H x W.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ..devices import is_out_of_memory, torch_threads
from ..errors import MemoryLimitError
from ..net.layers import Side, size_of
from ..net.module import ZenNet, allocate, build
from ..net.spec import ArchSpec
from ..net.unit_modules import Residual, SqueezeExcitation

MIN_IMAGES, MAX_IMAGES, PIXELS = 8, 64, 2**16
MAX_CALIBRATION_SIDE = 256
CONTRAST = 0.2
SCALE_SPREAD, SHIFT_SPREAD = 0.2, 0.1
GATE_SCALE = 0.5
BRANCH_SCALE = 0.5
MIN_VARIANCE, MIN_VARIANCE_SHARE = 0.01, 0.1


def seeded(spec: ArchSpec, seed: int) -> ZenNet:
    """The network in evaluation mode with the weights of a seed; no global random number is used.

    Raises:
        MemoryLimitError: the network does not fit into memory.
    """
    try:
        net = empty(spec)
        generator = torch.Generator().manual_seed(seed)
        for module in net.modules():
            if isinstance(module, nn.Conv2d):
                fan_out = module.kernel_size[0] ** 2 * module.out_channels // module.groups
                module.weight.data.normal_(0, math.sqrt(2 / fan_out), generator=generator)
                if module.bias is not None:
                    module.bias.data.normal_(0, SHIFT_SPREAD, generator=generator)
            elif isinstance(module, nn.BatchNorm2d):
                module.weight.data.uniform_(1 - SCALE_SPREAD, 1 + SCALE_SPREAD, generator=generator)
                module.bias.data.normal_(0, SHIFT_SPREAD, generator=generator)
            elif isinstance(module, nn.Linear):
                module.weight.data.normal_(0, 0.01, generator=generator)
                if module.bias is not None:
                    module.bias.data.normal_(0, 0.01, generator=generator)
        _tame(net)
        height, width = (min(length, MAX_CALIBRATION_SIDE) for length in spec.image_size)
        count = min(max(PIXELS // (height * width), MIN_IMAGES), MAX_IMAGES)  # small images end as maps of one pixel
        with torch_threads(1):
            calibrate(net, random_images(count, spec.in_channels, (height, width), generator))
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise MemoryLimitError(f"{spec.name or spec.id}: does not fit into memory; use a smaller network") from None
        raise
    return net


def random_images(count: int, channels: int, side: Side, generator: torch.Generator) -> Tensor:
    """Noise whose contrast differs from image to image by up to half. [B, C, H, W]"""
    contrast = torch.empty(count, 1, 1, 1).uniform_(-CONTRAST, CONTRAST, generator=generator).exp()
    return torch.empty(count, channels, *size_of(side)).normal_(generator=generator) * contrast


def calibrate(net: nn.Module, images: Tensor) -> None:
    """Sets the running statistics of every batch normalisation to those of what the images send there, in evaluation.

    Each layer is set before the next one is reached, so what a layer sees here it sees later. A variance is kept from
    below at a tenth of the second moment: gates see means over an image, which differ little from image to image, and
    dividing by that little would blow up their rounding. It is also at least a hundredth, for channels that are silent.
    """

    def measure(norm: nn.BatchNorm2d, inputs: tuple[Tensor]) -> None:
        mean = inputs[0].mean((0, 2, 3), keepdim=True)
        variance = (inputs[0] - mean).square_().mean((0, 2, 3))  # in a tenth of the time that torch.var_mean takes
        mean = mean.flatten()
        floor = (MIN_VARIANCE_SHARE * (variance + mean.square())).clamp(min=MIN_VARIANCE)
        norm.running_mean, norm.running_var = mean, variance.maximum(floor)

    net.eval()
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    hooks = [norm.register_forward_pre_hook(measure) for norm in norms]
    with torch.no_grad():
        net(images)
    for hook in hooks:
        hook.remove()


def _tame(net: ZenNet) -> None:
    """Scales the last batch normalisation of residual branches and of gates."""
    units = [module for module in net.modules() if isinstance(module, Residual) and module.has_shortcut]
    gates = [module for module in net.modules() if isinstance(module, SqueezeExcitation)]
    for unit in units:
        unit.last.bn.weight.data *= BRANCH_SCALE / math.sqrt(1 + len(units))
    for gate in gates:
        gate.expand.bn.weight.data *= GATE_SCALE


def empty(spec: ArchSpec) -> ZenNet:
    """The network with weights that are yet to be set."""
    with torch.device("meta"):
        net = build(spec)
    allocate(net, torch.device("cpu"))
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
    return net
