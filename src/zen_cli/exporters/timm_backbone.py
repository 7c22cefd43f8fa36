"""What every exported `timm` file has besides its units: the methods that timm calls, and what its command does.

The source of this code is copied into the files. Importing it needs timm. Shapes: B images, C channels, H x W.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Sequence
from typing import Any

import torch
from timm.layers.classifier import ClassifierHead
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from .backbone import init_weights


class TimmBackbone(nn.Module):
    """Parts in a row (`stem`, `stage1`, ..., `head`), pooling, and a classifier, with the methods that timm calls."""

    head: nn.Module

    def add_classifier(
        self,
        width: int,
        num_classes: int,
        global_pool: str,
        drop_rate: float,
        *,
        hidden: Sequence[nn.Module] = (),
        pool: nn.Module | None = None,
        features: int = 0,
    ) -> None:
        """Pooling, dropout and a classifier on `width` channels, after the parts.

        Args:
            width: channels of the last map.
            num_classes: outputs of the last linear layer.
            global_pool: kind of pooling.
            drop_rate: dropout after the pooling.
            hidden: linear layers and activations before the last linear layer.
            pool: poolings in place of the global one; the classifier then reads all that they leave.
            features: how many numbers the last linear layer reads; 0 for `width`.
        """
        self.num_features, self.head_hidden_size = width, features or width
        self.grad_checkpointing = False
        self.pool: nn.Module
        if pool is None:
            self.pool = ClassifierHead(width, 0, pool_type=global_pool, drop_rate=drop_rate)
        elif global_pool == "avg":
            self.pool = nn.Sequential(pool, nn.Flatten(), nn.Dropout(drop_rate))
        else:
            raise ValueError(f"the classifier has poolings of its own; leave global_pool out, which is {global_pool!r}")
        self.classifier: nn.Module = nn.Sequential(*hidden, nn.Identity()) if hidden else nn.Identity()
        self.reset_classifier(num_classes)

    def init_weights(self, zero_init_residual: bool = True) -> None:
        """He initialisation by fan-out (per group), a small normal one for the classifier."""
        init_weights(self, zero_init_residual)

    def get_classifier(self) -> nn.Module:
        """The classifier."""
        return self.classifier

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Another classifier, for another task."""
        self.num_classes = num_classes
        if global_pool is not None:
            if not isinstance(self.pool, ClassifierHead):
                raise ValueError("the classifier has poolings of its own; leave global_pool out")
            self.pool.reset(0, global_pool)
        last = nn.Linear(self.head_hidden_size, num_classes) if num_classes > 0 else nn.Identity()
        if isinstance(self.classifier, nn.Sequential):
            self.classifier[-1] = last
        else:
            self.classifier = last

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Whether the stages trade time for memory in training."""
        self.grad_checkpointing = enable

    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Groups of parameters for learning rates that decay layer by layer."""
        first, _ = next(self.named_children())
        fine = [(r"^stage(\d+)\.(\d+)", None), (r"^head", (99999,))]
        return {"stem": rf"^{first}\.", "blocks": r"^stage(\d+)" if coarse else fine}

    def forward_features(self, x: Tensor) -> Tensor:
        """The last feature map, head included."""
        for name, part in self.named_children():
            if name == "pool":
                break
            saves_memory = self.grad_checkpointing and name.startswith("stage")
            x = checkpoint(part, x, use_reentrant=False) if saves_memory else part(x)
        return x

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Logits, or pooled features, of the last feature map."""
        x = self.pool(x)
        if not pre_logits:
            logits: Tensor = self.classifier(x)
            return logits
        return self.classifier[:-1](x) if isinstance(self.classifier, nn.Sequential) else x

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        return self.forward_head(self.forward_features(x))


def run_script_or_check(net: TimmBackbone, channels: int, size: tuple[int, int], params: int) -> None:
    """Runs another script, such as timm's train.py, with this model registered; without one, checks the model."""
    if len(sys.argv) > 1:
        sys.argv = sys.argv[1:]
        runpy.run_path(sys.argv[0], run_name="__main__")
        return
    net.eval()
    with torch.inference_mode():
        logits = net(torch.randn(2, channels, *size))
    count = sum(tensor.numel() for tensor in net.parameters())
    if count != params:
        raise SystemExit(f"{count:,} parameters, not {params:,}")
    print(f"{count:,} parameters, logits {' x '.join(map(str, logits.shape))}: as it should be")
