"""Small functions on layers that `single` and `batch` share."""

from __future__ import annotations

import torch
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


def layer_input(x: Tensor, layer: ConvLayer) -> Tensor:
    """What a layer reads of the map before it, [N, C, H, W]: pooled, then fitted to its channels and size.

    See `ConvLayer` for the fitting; a chain without branches needs none.
    """
    if layer.pool is not None:
        x = pool(x, layer.pool)
    for dim, wanted in enumerate((layer.in_width, *layer.in_size), start=1):
        found = x.shape[dim]
        if found != wanted:
            numbers = torch.arange(wanted, device=x.device)
            x = x.index_select(dim, numbers % found if dim == 1 else numbers * found // wanted)
    return x


def channels_first(x: Tensor) -> Tensor:
    """[N, H, W, C] seen as [N, C, H, W]; the memory stays as it is."""
    return x.permute(0, 3, 1, 2)


def channels_last(x: Tensor) -> Tensor:
    """[N, C, H, W] as contiguous [N, H, W, C]; a copy only where torch chose another layout."""
    return x.permute(0, 2, 3, 1).contiguous()
