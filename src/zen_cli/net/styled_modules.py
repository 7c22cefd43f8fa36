"""Modules of units that have more than those of the ZenNets: other shortcuts, activations, gates, a pooling.

Exported Python files are made of them, like those of `unit_modules`: their source is copied with all that it names, so
it names nothing but torch, the standard library and itself. Shapes: B images, C channels, H x W.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from .unit_modules import ConvBN, Residual


class ConvBNAct(ConvBN):
    """A convolution without bias, its batch normalisation, and an activation."""

    def __init__(
        self,
        in_width: int,
        width: int,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        *,
        activation: type[nn.Module] = nn.ReLU,
    ) -> None:
        super().__init__(in_width, width, kernel, stride, groups)
        self.act = activation()


class PlainConv(nn.Sequential):
    """A convolution with what is said: a pooling before it, a bias, a batch normalisation, an activation, a gate."""

    def __init__(
        self,
        in_width: int,
        width: int,
        *,
        kernel: int,
        stride: int = 1,
        groups: int = 1,
        bias: bool = False,
        norm: bool = True,
        activation: type[nn.Module] = nn.ReLU,
        gate: Callable[[int], nn.Module] | None = None,
        pool: Callable[[], nn.Module] | None = None,
    ) -> None:
        super().__init__()
        if pool is not None:
            self.pool = pool()
        self.conv = nn.Conv2d(in_width, width, kernel, stride, kernel // 2, groups=groups, bias=bias)
        if norm:
            self.bn = nn.BatchNorm2d(width)
        self.act = activation()
        if gate is not None:
            self.se = gate(width)


class ParallelConv(nn.Module):
    """A convolution, a 1x1 convolution and, where nothing changes, the input, each normalised, and added (RepVGG).

    Args:
        in_width: channels in.
        width: channels out.
        kernel: of the first convolution, odd.
        stride: of both.
        groups: of both.
        activation: after the addition.
        pool: makes a pooling before all of it.
    """

    def __init__(
        self,
        in_width: int,
        width: int,
        *,
        kernel: int,
        stride: int = 1,
        groups: int = 1,
        activation: type[nn.Module] = nn.ReLU,
        pool: Callable[[], nn.Module] | None = None,
    ) -> None:
        super().__init__()
        self.pool = nn.Identity() if pool is None else pool()
        self.conv1 = ConvBN(in_width, width, kernel, stride, groups)
        self.shortcut = ConvBN(in_width, width, 1, stride, groups)
        self.norm = nn.BatchNorm2d(width) if in_width == width and stride == 1 else None
        self.act = activation()

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(x)
        y = self.conv1(x) + self.shortcut(x)
        if self.norm is not None:
            y = y + self.norm(x)
        z: Tensor = self.act(y)
        return z

    @torch.no_grad()
    def merged(self) -> nn.Conv2d:
        """One convolution that does in evaluation what all branches do before the activation."""
        conv, half = self.conv1.conv, self.conv1.conv.kernel_size[0] // 2
        kernels = [conv.weight, nn.functional.pad(self.shortcut.conv.weight, [half] * 4)]
        norms = [self.conv1.bn, self.shortcut.bn]
        if self.norm is not None:
            identity, channels = torch.zeros_like(conv.weight), torch.arange(conv.out_channels)
            identity[channels, channels % conv.weight.shape[1], half, half] = 1
            kernels.append(identity)
            norms.append(self.norm)
        widths, shape = (conv.in_channels, conv.out_channels), (2 * half + 1, conv.stride[0], half)
        one = nn.Conv2d(*widths, *shape, groups=conv.groups, bias=True)
        one.weight.zero_()
        bias = torch.zeros_like(norms[0].bias)
        for kernel, norm in zip(kernels, norms, strict=True):
            scale = norm.weight / torch.sqrt(norm.get_buffer("running_var") + norm.eps)
            one.weight += kernel * scale[:, None, None, None]
            bias += norm.bias - norm.get_buffer("running_mean") * scale
        one.bias = nn.Parameter(bias)
        return one


class ChannelGate(nn.Module):
    """Squeeze-and-excitation with biases, or with batch normalisation, and with activations of one's own."""

    def __init__(
        self,
        width: int,
        squeeze: int,
        *,
        bias: bool = False,
        activation: type[nn.Module] = nn.ReLU,
        gate: type[nn.Module] = nn.Sigmoid,
    ) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(width, squeeze, 1) if bias else ConvBN(width, squeeze)
        self.act = activation()
        self.expand = nn.Conv2d(squeeze, width, 1) if bias else ConvBN(squeeze, width)
        self.gate = gate()

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x * self.gate(self.expand(self.act(self.reduce(x.mean((2, 3), keepdim=True)))))
        return y


class PooledShortcut(nn.Sequential):
    """A shortcut that averages pairs of positions and projects (ResNet-D, arXiv 1812.01187)."""

    def __init__(self, in_width: int, width: int, stride: int) -> None:
        super().__init__()
        self.pool = nn.AvgPool2d(2, stride, ceil_mode=True, count_include_pad=False)
        self.project = ConvBN(in_width, width)


class KeepInput(nn.Identity):
    """A shortcut that changes nothing."""

    def __init__(self, in_width: int, width: int) -> None:
        super().__init__()


class StyledResidual(Residual):
    """Convolutions in a row, and a shortcut around them, if there is one.

    Args:
        in_width: channels in.
        width: channels out.
        mid_width: channels inside.
        kernels: of the convolutions in order.
        strided: the index of the convolution with the stride.
        stride: of that one.
        grouped: the indices of the convolutions with groups; empty for the one with the stride.
        groups: of these.
        activation: after all convolutions but the last, and at the end.
        linear: nothing follows the last one, or the addition.
        activates_last: the activation comes after the last one, before the addition.
        gate: makes squeeze-and-excitation from the width that it scales.
        gate_after: the index of the convolution that it follows.
        shortcut: makes the shortcut from the widths in and out; None for none.
        pool: makes a pooling before all of it.
    """

    def __init__(
        self,
        in_width: int,
        width: int,
        *,
        mid_width: int,
        kernels: tuple[int, ...],
        strided: int,
        stride: int = 1,
        grouped: tuple[int, ...] = (),
        groups: int = 1,
        activation: type[nn.Module] = nn.ReLU,
        linear: bool = False,
        activates_last: bool = False,
        gate: Callable[[int], nn.Module] | None = None,
        gate_after: int = 0,
        shortcut: Callable[[int, int], nn.Module] | None = None,
        pool: Callable[[], nn.Module] | None = None,
    ) -> None:
        super().__init__()
        self.pool = nn.Identity() if pool is None else pool()
        widths = [in_width, *[mid_width] * (len(kernels) - 1), width]
        self.body = nn.Sequential()
        for index, kernel in enumerate(kernels):
            shape = widths[index], widths[index + 1], kernel
            own = stride if index == strided else 1, groups if index in (grouped or (strided,)) else 1
            is_last = index == len(kernels) - 1
            conv = (
                ConvBN(*shape, *own)
                if is_last and not activates_last
                else ConvBNAct(*shape, *own, activation=activation)
            )
            self.body.add_module(f"conv{index + 1}", conv)
            if gate is not None and index == gate_after:
                self.body.add_module("se", gate(widths[index + 1]))
        self.shortcut = nn.Identity() if shortcut is None else shortcut(in_width, width)
        self.has_shortcut = shortcut is not None
        self.end = nn.Identity() if linear or activates_last else activation()

    @property
    def last(self) -> ConvBN:
        convs = [part for part in self.body if isinstance(part, ConvBN)]
        return convs[-1]

    def residual(self, x: Tensor) -> Tensor:
        y: Tensor = self.body(x)
        return y

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(x)
        y = self.residual(x)
        if self.has_shortcut:
            y = y + self.shortcut(x)
        z: Tensor = self.end(y)
        return z
