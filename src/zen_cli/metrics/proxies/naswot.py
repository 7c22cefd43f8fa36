"""`naswot`: how different the ReLU codes of random images are.

    naswot = log |det K|,    K_ij = N - d_Hamming(c_i, c_j)

c_i is the binary code of image i: which of the network's N ReLUs are active. All ReLUs of the training form count, also
those after additions and in squeeze-and-excitation. x ~ N(0, I), He-normal weights; in training mode, so that a BN
normalises with the batch's own statistics, because on a fresh network evaluation mode would leave the maps as they are.

Source: Mellor et al., *Neural Architecture Search without Training* (arXiv 2006.04647).

What known implementations get wrong: they leave the mode as the caller set it; hooks on ReLU modules miss those
that are called as functions; two images with one code make K singular, and minus infinity is kept as a score.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

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
    forward_bytes,
    random_images,
    random_network,
    sample_all,
)

_RELUS = (torch.relu, torch.relu_, Tensor.relu, Tensor.relu_, functional.relu, functional.relu_)
_COLUMNS = 2**22  # few enough that float32 counts agreements exactly


def measure_all(
    networks: Iterable[Network],
    settings: ScoreSettings,
    *,
    on_draw: OnDraw | None = None,
    executor: Executor | None = None,
) -> Iterator[Measurement | RunError]:
    """The log-determinant, averaged over random networks; see `sample_all`."""
    return sample_all("naswot", sampler, networks, settings, on_draw, executor)


def sampler(network: Network, settings: ScoreSettings) -> Sampler:
    """Draws of the metric on one network.

    Raises:
        RunError: the network is not written as blocks, or a BN would have a single value a channel; of a draw: two
            images have the same code.
    """
    spec, batch = as_blocks(network, "naswot"), settings.batch_size
    check_statistics("naswot", spec, batch)

    def draw(generator: torch.Generator) -> float:
        net = random_network(spec, generator)
        value = log_determinant(agreements(net, random_images(spec, batch, generator)))
        if value is None:
            raise ScoreError(f"{label(spec)}: naswot is undefined, two images have one code; use a smaller batch size")
        return value

    need = forward_bytes(spec.chain, batch, 4) + 4 * spec.cost.params
    return Sampler(network, draw, need, TRAINING)


@torch.no_grad()
def agreements(net: nn.Module, images: Tensor) -> Tensor:
    """K [B, B] in float64: how many ReLUs of the network are in the same state for images i and j."""
    kernel = torch.zeros(len(images), len(images), dtype=torch.float64, device=images.device)

    def count(before: Tensor) -> None:
        signs = (before > 0).flatten(1).to(torch.float32) * 2 - 1  # [B, n]
        for part in torch.split(signs, _COLUMNS, dim=1):
            kernel.add_((part @ part.T).double().add(part.shape[1]) / 2)

    with _ReluWatch(count):
        net(images)
    return kernel


def log_determinant(kernel: Tensor) -> float | None:
    """log |det K|; None if K is singular."""
    eigenvalues = torch.linalg.eigvalsh(kernel)  # K is a Gram matrix of codes: none is negative
    if eigenvalues[0] <= len(kernel) * torch.finfo(kernel.dtype).eps * eigenvalues[-1]:
        return None
    return float(eigenvalues.log().sum())


class _ReluWatch(TorchFunctionMode):
    """Shows the input of every ReLU to a function, however the network calls it."""

    def __init__(self, see: Callable[[Tensor], None]) -> None:
        super().__init__()
        self._see = see

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func in _RELUS:
            self._see(args[0])
        return func(*args, **(kwargs or {}))
