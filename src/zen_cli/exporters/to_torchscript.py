"""Target `torchscript`: a traced module for programs that load TorchScript, on images of any size."""

from __future__ import annotations

import io
import warnings

import torch

from .source_network import Network


def write(network: Network) -> bytes:
    """The archive, for `torch.jit.load`. One trace holds for every size: no branch of the network depends on it."""
    spec = network.spec
    images = torch.zeros(1, spec.in_channels, spec.resolution, spec.resolution)
    buffer = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # TorchScript is deprecated in favour of torch.export, and still asked for
        traced = torch.jit.trace(network.module, images, check_trace=False)  # type: ignore[no-untyped-call]  # torch
        torch.jit.save(traced, buffer)
    return buffer.getvalue()
