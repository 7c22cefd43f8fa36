"""Target `pt2`: the graph of `torch.export` with its weights and a batch of any size."""

from __future__ import annotations

import io
import warnings

import torch

from .source_network import Network


def write(network: Network) -> bytes:
    """The archive, for `torch.export.load`."""
    spec = network.spec
    images = torch.zeros(2, spec.in_channels, spec.resolution, spec.resolution)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns about its own deprecations on the way
        batch = torch.export.Dim("batch", min=1)
        program = torch.export.export(network.module, (images,), dynamic_shapes=({0: batch},))
        torch.export.save(program, buffer)
    return buffer.getvalue()
