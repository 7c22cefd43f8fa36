"""Small functions on layers that `single` and `batch` share."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from ...net.layers import ConvLayer, Pool


def is_pointwise(layer: ConvLayer) -> bool:
    """Whether a convolution is a matrix product over channels, at every position that its stride leaves."""
    return layer.kernel == (1, 1) and layer.groups == 1 and layer.padding == (0, 0)


def pool(x: Tensor, pooling: Pool) -> Tensor:
    """The pooling before a convolution, [N, C, H, W] -> [N, C, H', W']."""
    function = functional.max_pool2d if pooling.kind == "max" else functional.avg_pool2d
    return function(x, pooling.kernel, pooling.stride, pooling.padding)


def channels_first(x: Tensor) -> Tensor:
    """[N, H, W, C] seen as [N, C, H, W]; the memory stays as it is."""
    return x.permute(0, 3, 1, 2)


def channels_last(x: Tensor) -> Tensor:
    """[N, C, H, W] as contiguous [N, H, W, C]; a copy only where torch chose another layout."""
    return x.permute(0, 2, 3, 1).contiguous()
