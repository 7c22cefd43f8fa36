"""What every exported `torch` file has besides its units: initialisation, feature maps, logits, a check of itself.

The source of this code is copied into the files, so it names nothing but torch and the standard library. Shapes: B
images, C channels, H x W.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ..net.unit_modules import Residual


class Backbone(nn.Module):
    """Parts in a row (`stem`, `stage1`, ..., `head`) and a classifier on what it reads of the last map."""

    feature_strides: tuple[int, ...]
    feature_widths: tuple[int, ...]
    head: nn.Module
    classifier: nn.Module

    def init_weights(self, zero_init_residual: bool = True) -> None:
        """He initialisation by fan-out (per group), a small normal one for the classifier."""
        init_weights(self, zero_init_residual)

    def forward_features(self, x: Tensor) -> list[Tensor]:
        """The last map at each of `feature_strides`, finest first, for detection and segmentation heads."""
        maps = []
        for name, part in self.named_children():
            if name == "head":
                break
            x = part(x)
            maps.append(x)
        return maps[-len(self.feature_strides) :]

    def pooled(self, x: Tensor) -> Tensor:
        """What the classifier reads of the last map: the mean of all positions."""
        return x.mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        logits: Tensor = self.classifier(self.pooled(self.head(self.forward_features(x)[-1])))
        return logits


def init_weights(net: nn.Module, zero_init_residual: bool) -> None:
    """He initialisation by fan-out (per group), a small normal one for the classifier."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            fan_out = module.kernel_size[0] ** 2 * module.out_channels // module.groups
            nn.init.normal_(module.weight, std=math.sqrt(2 / fan_out))
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.01)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif zero_init_residual and isinstance(module, Residual) and module.has_shortcut:
            nn.init.zeros_(module.last.bn.weight)


def check_itself(net: Backbone, channels: int, size: tuple[int, int], params: int) -> None:
    """Runs a network on random images and counts its parameters."""
    net.eval()
    images = torch.randn(2, channels, *size)
    with torch.inference_mode():
        features, logits = net.forward_features(images), net(images)
    for stride, feature in zip(net.feature_strides, features, strict=True):
        print(f"stride {stride:>3}: {' x '.join(map(str, feature.shape[1:]))}")
    count = sum(tensor.numel() for tensor in net.parameters())
    if count != params:
        raise SystemExit(f"{count:,} parameters, not {params:,}")
    if not logits.isfinite().all():
        raise SystemExit("the logits are not finite")
    print(f"{count:,} parameters, logits {' x '.join(map(str, logits.shape))}: as it should be")
