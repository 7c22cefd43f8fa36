"""What measured metrics share: seeded draws on all cores, networks with random weights, and memory known beforehand.

A draw has a generator of its own, seeded by (seed, network, metric, number of the draw), and on a CPU one thread of
torch's: a value depends neither on what was measured before it nor on the number of cores.
"""

from __future__ import annotations

import hashlib
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn import functional

from ...errors import RunError, ScoreError
from ...net.layers import Chain
from ...net.module import ZenNet, allocate, build
from ...net.network import Network, label
from ...net.spec import ArchSpec
from ...trace.blocks import as_blocks
from ..metric import Measurement, OnDraw, Setting
from ..monte_carlo.draws import Draw
from ..monte_carlo.estimates import run
from ..monte_carlo.executors import Executor, chosen
from ..monte_carlo.memory import Memory
from ..monte_carlo.single import Stopped
from ..monte_carlo.workers import Batches, Cores, Workers
from ..settings import ScoreSettings

SMALLER = "use a smaller batch size, or leave the metric out"
LARGER = "use a larger batch size or another seed"
TRAINING: Mapping[str, Setting] = {"weights": "he-normal", "mode": "train"}


MakeSampler: TypeAlias = "Callable[[Network, ScoreSettings], Sampler]"


@dataclass(frozen=True)
class Sampler:
    """How to make draws of a metric of one network.

    Attributes:
        network: whose.
        draw: the value of one draw from a generator, which says on which device to draw.
        need: bytes that one draw takes.
        definition: what defines the metric beside draws, seed and device, for the record.
        origin: what made it, and from which settings. It is sent to another machine as that, and made again there.
    """

    network: Network
    draw: Callable[[torch.Generator], float]
    need: int
    definition: Mapping[str, Setting]
    origin: tuple[MakeSampler, ScoreSettings] | None = None

    @property
    def key(self) -> str:
        """What seeds the draws."""
        return self.network.id

    @property
    def name(self) -> str:
        """What messages call the network."""
        return label(self.network)

    def __reduce__(self) -> tuple[Callable[..., Sampler], tuple[Any, ...]]:
        if self.origin is None:
            raise TypeError(f"{self.name}: a sampler without an origin cannot be sent")
        return _make, (*self.origin, self.network)


def _make(make: MakeSampler, settings: ScoreSettings, network: Network) -> Sampler:
    return replace(make(network, settings), origin=(make, settings))


def sample_all(
    metric: str,
    sampler: MakeSampler,
    networks: Iterable[Network],
    settings: ScoreSettings,
    on_draw: OnDraw | None = None,
    executor: Executor | None = None,
) -> Iterator[Measurement | RunError]:
    """The mean of `settings.draws` draws of each network, in order; an error in place of a network that has none.

    Args:
        metric: its name, part of the seed.
        sampler: makes the sampler of a network, or raises RunError.
        networks: some are read before they are needed.
        settings: `batch_size`, `draws`, `seed`, `device`.
        on_draw: called with the number of draws that were finished.
        executor: where draws are computed; by default on the devices of this machine that the settings name.

    Raises:
        UsageError: the device does not exist.
    """
    settings = settings.model_copy(update={"precision": None})
    executor = chosen(executor, settings.device)
    order: deque[Sampler | RunError] = deque()

    def samplers() -> Iterator[Sampler]:
        for network in networks:
            try:
                found = _make(sampler, settings, network)
            except RunError as error:
                order.append(error)
                continue
            order.append(found)
            yield found

    with executor.workers(partial(_start, metric=metric, settings=settings)) as workers:
        for result in run(samplers(), workers, settings, on_draw=on_draw, advice=LARGER):
            while isinstance(head := order.popleft(), RunError):
                yield head
            if isinstance(result, RunError):
                yield result
                continue
            definition: dict[str, Setting] = {"batch_size": settings.batch_size, **head.definition}
            definition |= {"draws": settings.draws, "seed": settings.seed, "device": executor.kind}
            yield Measurement(result.value, result.std_error, definition)
        yield from (error for error in order if isinstance(error, RunError))


def _start(device: torch.device, *, metric: str, settings: ScoreSettings) -> Workers[Sampler]:
    """The workers of a metric on a device."""

    def score(draw: Draw[Sampler], stopped: Callable[[], bool] = lambda: False) -> float:
        return draw_value(draw, metric, settings.seed, device, stopped)

    memory = Memory[Sampler](
        device, lambda task: task.need, draw=f"{metric} at batch size {settings.batch_size}", advice=SMALLER
    )
    if device.type == "cpu":
        return Cores(score, memory)
    return Batches(lambda draws: [score(draw) for draw in draws], memory, device, most=1)


def draw_value(
    draw: Draw[Sampler], metric: str, seed: int, device: torch.device, stopped: Callable[[], bool] = lambda: False
) -> float:
    """The value of one draw.

    Args:
        draw: which one.
        metric: its name.
        seed: of all draws.
        device: where to draw.
        stopped: asked at each layer of what takes gradients, forwards and backwards; once it returns True the rest is
            skipped.

    Raises:
        Stopped: because `stopped` returned True.
        RunError: the network has no value.
    """

    def look(kept: Tensor) -> Tensor:
        if stopped():
            raise Stopped
        return kept

    digest = hashlib.sha256(f"{metric}/{seed}/{draw.task.key}/{draw.number}".encode()).digest()
    generator = torch.Generator(device).manual_seed(int.from_bytes(digest[:8], "big") >> 1)
    with saved_tensors_hooks(look, look):  # which torch calls for each map that a gradient needs
        return draw.task.draw(generator)


def training_sampler(
    metric: str, network: Network, settings: ScoreSettings, score: Callable[[nn.Module, Tensor, Tensor], float]
) -> Sampler:
    """Draws of a score of (network, images [B, C, H, W], labels [B]) that takes a backward pass, in training mode.

    Raises:
        RunError: the network is not written as blocks, or a BN would have a single value a channel.
    """
    spec = as_blocks(network, metric)
    check_statistics(metric, spec, settings.batch_size)

    def draw(generator: torch.Generator) -> float:
        net = random_network(spec, generator)
        images = random_images(spec, settings.batch_size, generator)
        return score(net, images, random_labels(spec, settings.batch_size, generator))

    return Sampler(network, draw, training_bytes(spec, settings.batch_size), TRAINING)


def check_statistics(metric: str, spec: ArchSpec, batch_size: int) -> None:
    """Refuses what a BN in training mode cannot normalise.

    Raises:
        ScoreError: a BN would have a single value a channel.
    """
    smallest = min(min(layer.out_size) for layer in spec.chain)
    if batch_size == 1 and (smallest == 1 or any(unit.squeeze for unit in spec.units)):
        raise ScoreError(
            f"{label(spec)}: {metric} needs batch statistics, and one image on a 1 x 1 map has none; "
            "use a batch size of 2 or more"
        )


def training_bytes(spec: ArchSpec, batch_size: int, *, gradients: int = 1) -> int:
    """About the memory of a forward and backward pass in float32 with `gradients` gradients kept.

    A convolution, its BN and its ReLU keep a map each.
    """
    total = spec.cost
    return 4 * (3 * batch_size * total.activations + (1 + gradients) * total.params)


def forward_bytes(layers: Chain, batch_size: int, itemsize: int) -> int:
    """An estimate from above of the maps that a forward pass keeps at its largest layer, shortcut included."""
    sizes = (
        2 * layer.in_width * math.prod(layer.in_size) + 3 * layer.out_width * math.prod(layer.out_size)
        for layer in layers
    )
    return itemsize * batch_size * max(sizes)


def random_network(spec: ArchSpec, generator: torch.Generator) -> ZenNet:
    """The training form in training mode, drawn from a generator, on its device.

    Weights of convolutions and classifier are N(0, 2/fan_in) (He et al., arXiv 1502.01852), biases 0, BN the identity
    on normalised maps.
    """
    with torch.device("meta"):  # so that PyTorch initialises nothing, which would draw from the global generator
        net = build(spec)
    allocate(net, generator.device)
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            fan_in = module.weight[0].numel()
            with torch.no_grad():
                module.weight.normal_(0, math.sqrt(2 / fan_in), generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
        elif next(module.parameters(recurse=False), None) is not None:
            raise TypeError(f"{type(module).__name__} has parameters, and no rule says how to draw them")
    return net.train()


def random_images(spec: ArchSpec, batch_size: int, generator: torch.Generator) -> Tensor:
    """Images of N(0, 1), [B, C, H, W]."""
    return torch.randn(batch_size, spec.in_channels, *spec.image_size, generator=generator, device=generator.device)


def random_labels(spec: ArchSpec, batch_size: int, generator: torch.Generator) -> Tensor:
    """Classes drawn evenly, [B]."""
    return torch.randint(spec.num_classes, (batch_size,), generator=generator, device=generator.device)


def loss_gradients(net: nn.Module, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """The gradient of the mean cross-entropy with respect to every parameter, by the parameter's name."""
    names, parameters = zip(*net.named_parameters(), strict=True)
    loss = functional.cross_entropy(net(images), labels)
    return dict(zip(names, torch.autograd.grad(loss, parameters), strict=True))
