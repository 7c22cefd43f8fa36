"""Target `torch`: one Python file with the network written out, which needs PyTorch and nothing else."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .checker import Loaded, count_parameters, load_net
from .target import Target

if TYPE_CHECKING:
    from .source import ExportSource


def check_torch(path: Path, job: dict[str, Any]) -> Loaded:
    """A `torch` file; its feature maps must have the strides and widths that it states."""
    net = load_net(path, job["tensors"])
    images, _ = job["cases"][0]
    features = net.forward_features(images)
    for stride, width, feature in zip(net.feature_strides, net.feature_widths, features, strict=True):
        sizes = tuple(feature.shape[2:]), tuple(math.ceil(length / stride) for length in images.shape[2:])
        assert feature.shape[1] == width, f"a feature map has {feature.shape[1]} channels, not {width}"
        assert sizes[0] == sizes[1], f"a feature map is {sizes[0]} at stride {stride}, not {sizes[1]}"
    return Loaded(net, count_parameters(net))


class TorchFile(Target):
    """A readable Python file."""

    name, suffix, summary = "torch", ".py", "a readable Python file that needs PyTorch alone"
    is_text = is_python = any_side = True
    check = staticmethod(check_torch)

    def write(self, source: ExportSource, stem: str) -> bytes:
        from .torch_source import torch_source

        return torch_source(source.spec, source.record, stem).encode()
