"""PyTorch on this machine's cores with each BN folded into its convolution, as one deploys a module without export."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...net.spec import ArchSpec
from . import Conditions
from .torch_modules import TorchModules

if TYPE_CHECKING:
    from torch import nn


class TorchFolded(TorchModules):
    """The backend. It runs no exported files, because no BN is folded in them."""

    files = ()

    def prepared(self, spec: ArchSpec, conditions: Conditions) -> tuple[nn.Module, Any]:
        net, images = super().prepared(spec, conditions)
        return fold(net), images


def fold(net: nn.Module) -> nn.Module:
    """The module itself, in evaluation mode, with the BN of each convolution folded into it."""
    from torch import nn
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    from ...net.unit_modules import ConvBN

    for module in net.modules():
        if isinstance(module, ConvBN):
            module.conv = fuse_conv_bn_eval(module.conv, module.bn)
            module.bn = nn.Identity()  # type: ignore[assignment]  # a sequence runs any module
    return net


BACKEND = TorchFolded()
