"""Weights of an exported network: those of a seed, or those of a trained checkpoint.

The seed's weights are normal with He's variance by fan-out; batch normalisation starts at scale 1 and shift 0, with the
statistics of a batch of random images, so that an untrained network has outputs of sensible size. The last batch
normalisation of a residual unit starts at a fifth: at zero a branch would do nothing and no comparison would see it; at
one a random network of high Zen-score amplifies float32 rounding a thousandfold, which is what the score measures.
Shapes: B images, C channels, H x W.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor, nn

from ..devices import is_out_of_memory
from ..errors import MemoryLimitError, SourceError, UsageError
from ..nets import ResidualUnit, ZenNet, build
from ..spec import ArchSpec

CALIBRATION_IMAGES = 8
MAX_CALIBRATION_SIDE = 256
RESIDUAL_SCALE = 0.2


def seeded(spec: ArchSpec, seed: int) -> ZenNet:
    """The network in evaluation mode with the weights of a seed; no global random number is used.

    Raises:
        MemoryLimitError: the network does not fit into memory.
    """
    try:
        net = _empty(spec)
        generator = torch.Generator().manual_seed(seed)
        for module in net.modules():
            if isinstance(module, nn.Conv2d):
                fan_out = module.kernel_size[0] ** 2 * module.out_channels // module.groups
                module.weight.data.normal_(0, math.sqrt(2 / fan_out), generator=generator)
            elif isinstance(module, nn.Linear):
                module.weight.data.normal_(0, 0.01, generator=generator)
                module.bias.data.zero_()
            elif isinstance(module, ResidualUnit):
                nn.init.constant_(module.body.get_parameter("conv3.bn.weight"), RESIDUAL_SCALE)
        side = min(spec.resolution, MAX_CALIBRATION_SIDE)
        calibrate(net, random_images(CALIBRATION_IMAGES, spec.in_channels, side, generator))
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise MemoryLimitError(f"{spec.name or spec.id}: does not fit into memory; use a smaller network") from None
        raise
    return net


def random_images(count: int, channels: int, side: int, generator: torch.Generator) -> Tensor:
    """Noise whose contrast differs from image to image, as that of photographs does. [B, C, H, W]"""
    contrast = torch.empty(count, 1, 1, 1).uniform_(-0.7, 0.7, generator=generator).exp()
    return torch.empty(count, channels, side, side).normal_(generator=generator) * contrast


def calibrate(net: nn.Module, images: Tensor) -> None:
    """Sets the running statistics of every batch normalisation to those of the images, and evaluation mode.

    A map of one pixel has a variance over few values, so statistics are kept from below at a hundredth.
    """
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = 1.0
    net.train()
    with torch.no_grad():
        net(images)
    for norm in norms:
        norm.momentum = 0.1
        norm.running_var.clamp_(min=0.01)  # type: ignore[union-attr]  # running statistics are tracked
        norm.num_batches_tracked.zero_()  # type: ignore[union-attr]  # the same
    net.eval()


def loaded(spec: ArchSpec, path: Path, names: dict[str, str]) -> ZenNet:
    """The network in evaluation mode with the weights of a checkpoint that an exported file was trained to.

    Args:
        spec: the network.
        path: a `.safetensors` file, or one that `torch.save` wrote: a state dict, or a dict that holds one under
            `state_dict` or `model`. Nothing in it is run.
        names: names of the training-form module's tensors, and what each is called in what is exported.

    Raises:
        SourceError: the file cannot be read, or its tensors are not those of the network.
    """
    state = read_tensors(path)
    net = _empty(spec)
    own = net.state_dict()
    for name, exported in names.items():
        if exported not in state:
            raise SourceError(f"{path}: holds no tensor {exported}; export the network that it was trained from")
        if state[exported].shape != own[name].shape:
            shape, wanted = (" x ".join(map(str, value.shape)) for value in (state[exported], own[name]))
            raise SourceError(f"{path}: {exported} is {shape}, not {wanted}; export the network it was trained from")
    unknown = sorted(set(state) - set(names.values()))
    if unknown:
        raise SourceError(f"{path}: {unknown[0]} is no tensor of this network; export the one it was trained from")
    net.load_state_dict({name: state[exported] for name, exported in names.items()})
    return net.eval()


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint by name.

    Raises:
        SourceError: no such file, or not a checkpoint.
        UsageError: a `.safetensors` file without the extra that reads it.
    """
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return dict(load_file(path))
        state = torch.load(path, map_location="cpu", weights_only=True)
    except ModuleNotFoundError:
        raise UsageError("--weights: needs safetensors; install it with: pip install 'zen-cli[safetensors]'") from None
    except OSError as error:
        raise SourceError(f"{path}: cannot be read, {(error.strerror or str(error)).lower()}") from None
    except Exception:  # torch and safetensors raise many kinds for what is no checkpoint
        raise SourceError(f"{path}: is not a checkpoint that loads safely; save it as a state dict") from None
    for key in ("state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise SourceError(f"{path}: holds no state dict; save net.state_dict() with torch.save")
    return {name.removeprefix("module."): value for name, value in state.items()}


def _empty(spec: ArchSpec) -> ZenNet:
    with torch.device("meta"):
        net = build(spec)
    net.to_empty(device="cpu")
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
    return net
