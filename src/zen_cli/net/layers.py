"""One layer of the chain that a score sees, and its geometry. Pairs are (height, width)."""

from __future__ import annotations

import math
from typing import NamedTuple, TypeAlias, overload

BN_EPS = 1e-5  # the epsilon of batch normalisations, where nothing else is said
Pair: TypeAlias = tuple[int, int]
Side: TypeAlias = int | Pair  # of a map: one number where it is square, else height and width


class Pool(NamedTuple):
    """A pooling before a convolution; `kind` is `max` or `avg`, the pairs are height and width."""

    kind: str
    kernel: Pair
    stride: Pair
    padding: Pair


class ConvLayer(NamedTuple):
    """One layer of a chain: (pool ->) conv without bias -> BN -> ReLU; pairs are height and width.

    `in_size` is the size of the convolution's input, after the pooling if there is one. `activation` is False for a
    layer that ends with its BN. Where `in_width` or `in_size` differ from what the layer before leaves, as on one
    branch of a network that concatenates several, channels are taken over again from the first one, or only the first
    of them, and positions are resampled to the nearest: see `fits`.
    """

    in_width: int
    out_width: int
    kernel: Pair
    in_size: Pair
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1
    pool: Pool | None = None
    activation: bool = True

    @property
    def fan_in(self) -> int:
        """Channels that one output channel reads."""
        return self.in_width // self.groups

    @property
    def out_size(self) -> Pair:
        """Height and width of the output."""
        return _out_side(self, 0), _out_side(self, 1)

    @property
    def weight_shape(self) -> tuple[int, int, int, int]:
        """Shape of the weights, [C_out, C_in / groups, kernel height, kernel width]."""
        return self.out_width, self.fan_in, *self.kernel


Chain: TypeAlias = tuple[ConvLayer, ...]


def pooled_size(size: Pair, pool: Pool | None) -> Pair:
    """Height and width of a map of this size after a pooling, if any."""
    if pool is None:
        return size
    height, width = (
        (size[axis] + 2 * pool.padding[axis] - pool.kernel[axis]) // pool.stride[axis] + 1 for axis in (0, 1)
    )
    return height, width


def square_pool(kind: str, kernel: int, stride: int, padding: int) -> Pool:
    """A pooling whose window is square."""
    return Pool(kind, (kernel, kernel), (stride, stride), (padding, padding))


def fits(before: ConvLayer, after: ConvLayer) -> bool:
    """Whether a layer reads exactly what the one before it leaves."""
    return after.in_width == before.out_width and after.in_size == pooled_size(before.out_size, after.pool)


def square_conv(in_width: int, width: int, kernel: int, side: Side, stride: int = 1, groups: int = 1) -> ConvLayer:
    """A k x k convolution with zero padding k // 2 on a map of this side."""
    half = kernel // 2
    return ConvLayer(in_width, width, (kernel, kernel), size_of(side), (stride, stride), (half, half), groups=groups)


@overload
def shrink(side: int, stride: int) -> int: ...
@overload
def shrink(side: Pair, stride: int) -> Pair: ...
@overload
def shrink(side: Side, stride: int) -> Side: ...
def shrink(side: Side, stride: int) -> Side:
    """Side of the output of an odd kernel with padding k // 2; also of an array of sides."""
    if stride == 1:
        return side
    if isinstance(side, tuple):
        return (side[0] - 1) // stride + 1, (side[1] - 1) // stride + 1
    return (side - 1) // stride + 1


def size_of(side: Side) -> Pair:
    """Height and width."""
    return side if isinstance(side, tuple) else (side, side)


def side_of(size: Pair) -> Side:
    """One number where height and width are equal, else both."""
    return size[0] if size[0] == size[1] else size


def area_of(side: Side) -> int:
    """Positions of a map of this side."""
    return side[0] * side[1] if isinstance(side, tuple) else side**2


def mean_side(side: Side) -> float:
    """The side of the square of the same area."""
    return math.sqrt(area_of(side)) if isinstance(side, tuple) else side


def side_text(side: Side, times: str = " x ") -> str:
    """Height and width: `224 x 224`."""
    return times.join(map(str, size_of(side)))


def side_key(side: Side) -> str:
    """One number where a map is square, else both: `224`, `432x768`."""
    return side_text(side, "x") if isinstance(side, tuple) else str(side)


def _out_side(layer: ConvLayer, axis: int) -> int:
    span = layer.dilation[axis] * (layer.kernel[axis] - 1) + 1
    return (layer.in_size[axis] + 2 * layer.padding[axis] - span) // layer.stride[axis] + 1
