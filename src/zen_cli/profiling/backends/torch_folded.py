"""PyTorch on this machine's cores with each BN folded into its convolution, as one deploys a module without export."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...net.merging import merge_norms
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
        return merge_norms(net), images


BACKEND = TorchFolded()
