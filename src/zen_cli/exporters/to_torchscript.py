"""Target `torchscript`: a traced module for programs that load TorchScript, on images of any size."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .checker import Loaded, count_parameters
from .target import Target

if TYPE_CHECKING:
    from torch import nn

    from .source import ExportSource


def check_torchscript(path: Path, _: dict[str, Any]) -> Loaded:
    """A TorchScript module."""
    import torch

    net: nn.Module = torch.jit.load(path)  # type: ignore[no-untyped-call]  # torch
    return Loaded(net, count_parameters(net))


class TorchScript(Target):
    """What `torch.jit.load` reads. One trace holds for every size: no branch of a network depends on it."""

    name, suffix, summary = "torchscript", ".torchscript", "a traced TorchScript module"
    has_weights = any_side = can_merge = True
    most_units = 4000
    check = staticmethod(check_torchscript)

    def write(self, source: ExportSource, stem: str) -> bytes:
        import torch

        spec = source.spec
        images = torch.zeros(1, spec.in_channels, *spec.image_size)
        buffer = io.BytesIO()
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # TorchScript is deprecated in favour of torch.export, and still used
            traced = torch.jit.trace(source.module, images, check_trace=False)  # type: ignore[no-untyped-call]  # torch
            torch.jit.save(traced, buffer)
        return buffer.getvalue()
