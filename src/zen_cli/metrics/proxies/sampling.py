"""What measured proxies share: seeded draws, networks with random weights, and memory that is asked for beforehand.

Every draw has a generator of its own, seeded by (seed, network, proxy, number of the draw), so a value never depends on
what was measured before it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...devices import free_bytes, is_out_of_memory, resolve_device
from ...errors import MemoryLimitError, ScoreError
from ...net.module import ZenNet, build
from ...net.spec import ArchSpec
from ...units import format_bytes
from ..metric import Measurement, Setting, average
from ..settings import ScoreSettings


def measure_draws(
    proxy: str,
    spec: ArchSpec,
    settings: ScoreSettings,
    draw: Callable[[torch.Generator], float],
    need: int,
    **definition: Setting,
) -> Measurement:
    """The mean of `settings.draws` draws with its standard error.

    Args:
        proxy: its name, part of the seed.
        spec: the network.
        settings: `batch_size`, `draws`, `seed`, `device`.
        draw: one draw from a generator, which says on which device to draw.
        need: bytes that one draw takes.
        definition: what else defines the proxy, for the record.

    Raises:
        UsageError: the device does not exist.
        MemoryLimitError: the network does not fit.
        ScoreError: a BN would have a single value a channel.
    """
    device = resolve_device(settings.device)
    name = spec.name or spec.id
    free = free_bytes(device)
    if need > free:
        raise MemoryLimitError(
            f"{name}: {proxy} at batch size {settings.batch_size} needs about {format_bytes(need)} and {device} has "
            f"{format_bytes(free)}; {_SMALLER}"
        )
    if definition.get("mode") == "train":
        _check_statistics(proxy, spec, settings.batch_size)
    values = []
    for number in range(settings.draws):
        digest = hashlib.sha256(f"{proxy}/{settings.seed}/{spec.id}/{number}".encode()).digest()
        generator = torch.Generator(device).manual_seed(int.from_bytes(digest[:8], "big") >> 1)
        try:
            values.append(draw(generator))
        except (torch.OutOfMemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            raise MemoryLimitError(f"{name}: {proxy} ran out of memory on {device}; {_SMALLER}") from None
    return average(
        values,
        {
            "batch_size": settings.batch_size,
            **definition,
            "draws": settings.draws,
            "seed": settings.seed,
            "device": str(device),
        },
    )


def measure_on_labels(
    proxy: str, spec: ArchSpec, settings: ScoreSettings, score: Callable[[nn.Module, Tensor, Tensor], float]
) -> Measurement:
    """The mean of a score of (network, images [B, C, H, W], labels [B]) that takes a backward pass, in training mode.

    Arguments and errors as for `measure_draws`.
    """

    def draw(generator: torch.Generator) -> float:
        net = random_network(spec, generator)
        images = random_images(spec, settings.batch_size, generator)
        return score(net, images, random_labels(spec, settings.batch_size, generator))

    need = training_bytes(spec, settings.batch_size)
    return measure_draws(proxy, spec, settings, draw, need, weights="he-normal", mode="train")


def _check_statistics(proxy: str, spec: ArchSpec, batch_size: int) -> None:
    """Refuses what a BN in training mode cannot normalise: one value a channel."""
    smallest = min(min(layer.out_size) for layer in spec.chain)
    if batch_size == 1 and (smallest == 1 or any(unit.squeeze for unit in spec.units)):
        raise ScoreError(
            f"{spec.name or spec.id}: {proxy} needs batch statistics, and one image on a 1 x 1 map has none; "
            "use a --batch-size of 2 or more"
        )


_SMALLER = "use a smaller --batch-size or leave it out of --proxies"


def training_bytes(spec: ArchSpec, batch_size: int, *, gradients: int = 1) -> int:
    """About the memory of a forward and backward pass in float32 with `gradients` gradients kept.

    A convolution, its BN and its ReLU keep a map each.
    """
    total = spec.cost
    return 4 * (3 * batch_size * total.activations + (1 + gradients) * total.params)


def forward_bytes(spec: ArchSpec, batch_size: int, itemsize: int) -> int:
    """An estimate from above of the maps that a forward pass keeps at its largest layer, shortcut included."""
    sizes = (
        2 * layer.in_width * math.prod(layer.in_size) + 3 * layer.out_width * math.prod(layer.out_size)
        for layer in spec.chain
    )
    return itemsize * batch_size * max(sizes)


def random_network(spec: ArchSpec, generator: torch.Generator) -> ZenNet:
    """The training form in training mode, drawn from a generator, on its device.

    Weights of convolutions and classifier are N(0, 2/fan_in) (He et al., arXiv 1502.01852), biases 0, BN the identity
    on normalised maps.
    """
    with torch.random.fork_rng(devices=[]):  # PyTorch's own initialisation leaves the global generator where it was
        net = build(spec).to(generator.device)
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            fan_in = module.weight[0].numel()
            with torch.no_grad():
                module.weight.normal_(0, math.sqrt(2 / fan_in), generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return net.train()


def random_images(spec: ArchSpec, batch_size: int, generator: torch.Generator) -> Tensor:
    """Images of N(0, 1), [B, C, H, W]."""
    side = spec.resolution
    return torch.randn(batch_size, spec.in_channels, side, side, generator=generator, device=generator.device)


def random_labels(spec: ArchSpec, batch_size: int, generator: torch.Generator) -> Tensor:
    """Classes drawn evenly, [B]."""
    return torch.randint(spec.num_classes, (batch_size,), generator=generator, device=generator.device)


def loss_gradients(net: nn.Module, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """The gradient of the mean cross-entropy with respect to every parameter, by the parameter's name."""
    names, parameters = zip(*net.named_parameters(), strict=True)
    loss = functional.cross_entropy(net(images), labels)
    return dict(zip(names, torch.autograd.grad(loss, parameters), strict=True))
