"""The chain of a traced network and its outline -> residual units and convolutions, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..errors import TraceError
from ..net.layers import ConvLayer
from ..net.ops.details import Pooling
from ..net.outline import Outline, Shortcut, Squeeze
from ..net.traced import TracedNetwork

# Names of PyTorch -> those of a spec.
ACTIVATIONS = {
    "relu": "relu",
    "relu6": "relu6",
    "silu": "silu",
    "hardswish": "hard_swish",
    "gelu": "gelu",
    "leaky_relu": "leaky_relu",
}
GATES = {"sigmoid": "sigmoid", "hardsigmoid": "hard_sigmoid"}


class TracedUnit(NamedTuple):
    """A unit of a block.

    Attributes:
        where: its first layer, for messages.
        op: of the block.
        in_width, mid_width, width: channels in, inside and out; a plain convolution has its own width inside.
        kernel, stride, groups: of the k x k convolution.
        shortcut: `identity`, `projection`, `pooled`, or `none`.
        linear: whether nothing follows its end.
        activation: after its other convolutions, as a spec calls it.
        skips_first: whether an inverted residual has no first convolution.
        squeeze: squeeze-and-excitation, in a spec's names, and its place.
        pool: before it.
        bias, norm: of a plain convolution.
    """

    where: str
    op: str
    in_width: int
    mid_width: int
    width: int
    kernel: int
    stride: int
    groups: int
    shortcut: str = "none"
    linear: bool = False
    activation: str = "relu"
    skips_first: bool = False
    squeeze: Squeeze | None = None
    place: str = "inner"
    pool: Pooling | None = None
    bias: bool = False
    norm: bool = True


def units_of(network: TracedNetwork, outline: Outline) -> Iterator[TracedUnit]:
    """The units of a network, in order.

    Raises:
        TraceError: a layer belongs to none; the message names it.
    """
    reader = _Reader(network, outline)
    start = 0
    while start < len(network.chain):
        unit, count = reader.unit(start)
        yield unit
        start += count


class _Reader:
    def __init__(self, network: TracedNetwork, outline: Outline) -> None:
        self._network, self._chain, self._outline = network, network.chain, outline

    def unit(self, start: int) -> tuple[TracedUnit, int]:
        """The unit that begins at a layer, and how many layers it has."""
        found = [shortcut for shortcut in self._outline.shortcuts if shortcut.first == start]
        if len(found) > 1:
            raise TraceError(f"several shortcuts begin at layer {start + 1}")
        shortcut = found[0] if found else None
        count = self._depthwise_count(start) or self._fused_count(start) or 1
        if shortcut is not None:
            count = shortcut.last - start + 1
        for index in range(start, start + count):
            self._check(index, is_first=index == start)
        if count == 1 and shortcut is None:
            return self._conv(start), 1
        return self._residual(start, count, shortcut), count

    def name(self, index: int) -> str:
        """What a layer is called."""
        return self._network.layer_names[index] if self._network.layer_names else f"layer {index + 1}"

    def _depthwise_count(self, start: int) -> int:
        """Layers of an inverted residual without shortcut that begins here; 0 where none does."""
        layers = self._chain[start : start + 3]
        for skipped, count in ((0, 2), (1, 3)):
            if len(layers) >= count and _is_depthwise(layers[skipped]) and _is_pointwise(layers[skipped + 1]):
                return count if not skipped or _is_pointwise(layers[0]) else 0
        return 0

    def _fused_count(self, start: int) -> int:
        """Layers of a fused inverted residual without shortcut: a 1x1 convolution at its end has no activation."""
        layers = self._chain[start : start + 2]
        if len(layers) < 2 or layers[0].kernel == (1, 1) or layers[0].groups > 1 or not _is_pointwise(layers[1]):
            return 0
        return 0 if self._outline.ends[start + 1].activation else 2

    def _check(self, index: int, *, is_first: bool) -> None:
        """Refuses a layer that no block has."""
        layer, end, where = self._chain[index], self._outline.ends[index], self.name(index)
        if end.fault:
            raise TraceError(f"after {where} there is {end.fault}")
        if layer.pool is not None and (not is_first or _pooling(layer) is None):
            raise TraceError(f"before {where} there is a pooling")
        if layer.kernel[0] != layer.kernel[1] or layer.kernel[0] % 2 == 0:
            raise TraceError(f"{where} has a kernel of {layer.kernel[0]} x {layer.kernel[1]}")
        if layer.stride[0] != layer.stride[1] or layer.dilation != (1, 1):
            raise TraceError(f"{where} has stride {layer.stride} and dilation {layer.dilation}")
        if layer.padding != (layer.kernel[0] // 2, layer.kernel[0] // 2):
            raise TraceError(f"{where} has a padding of {layer.padding}")

    def _conv(self, index: int) -> TracedUnit:
        """A plain convolution."""
        layer, end, where = self._chain[index], self._outline.ends[index], self.name(index)
        if not end.activation:
            raise TraceError(f"no activation follows {where}")
        if end.squeeze is not None:
            raise TraceError(f"{where} has squeeze-and-excitation and no shortcut around it")
        kernel, stride, activation = layer.kernel[0], layer.stride[0], self._activation({end.activation}, where)
        pool = _pooling(layer)
        return TracedUnit(
            *(where, "conv", layer.in_width, layer.out_width, layer.out_width, kernel, stride, layer.groups),
            activation=activation,
            pool=pool,
            bias=end.bias,
            norm=end.normed,
        )

    def _residual(self, start: int, count: int, shortcut: Shortcut | None) -> TracedUnit:
        """The unit of some layers, with or without a shortcut around them."""
        layers, ends = self._chain[start : start + count], self._outline.ends[start : start + count]
        where = self.name(start)
        op, main = self._op(start, layers)
        skips = op in ("mbconv", "fused") and count == (2 if op == "mbconv" else 1)
        for index, end in enumerate(ends, start):
            if end.bias or not end.normed:
                raise TraceError(f"{self.name(index)} has a bias or no normalisation, in a unit of several layers")
        after = ends[-1].activation if shortcut is None else shortcut.activation
        inner = {end.activation for end in ends[:-1]}
        before_sum = "" if shortcut is None else ends[-1].activation
        if op == "fused" and skips:
            inner, before_sum = {before_sum}, ""
        if before_sum:
            raise TraceError(f"an activation comes between {self.name(start + count - 1)} and its addition")
        if "" in inner:
            raise TraceError(f"the unit that begins at {where} has convolutions without activation inside")
        gated = [index for index, end in enumerate(ends) if end.squeeze is not None]
        if len(gated) > 1 or (gated and gated[0] not in (main, count - 1)):
            raise TraceError(f"the unit that begins at {where} has squeeze-and-excitation at another place")
        if shortcut is not None and shortcut.kind == "other":
            raise TraceError(f"the shortcut of the unit that begins at {where} is neither its input nor a projection")
        kernel = layers[main]
        pool = _pooling(layers[0])
        return TracedUnit(
            *(where, op, layers[0].in_width, kernel.out_width, layers[-1].out_width, kernel.kernel[0]),
            *(max(layer.stride[0] for layer in layers), kernel.groups),
            shortcut="none" if shortcut is None else shortcut.kind,
            linear=not after,
            activation=self._activation(inner | ({after} if after else set()), where),
            skips_first=skips,
            squeeze=self._squeeze(ends[gated[0]].squeeze, where) if gated else None,
            place="end" if gated and gated[0] == count - 1 != main else "inner",
            pool=pool,
        )

    def _op(self, start: int, layers: tuple[ConvLayer, ...]) -> tuple[str, int]:
        """The op of some layers, and which of them has the kernel."""
        kernels = [layer.kernel[0] for layer in layers]
        groups = [layer.groups for layer in layers]
        if len(layers) == 2 and kernels[0] == kernels[1] and groups == [1, 1] and layers[1].stride == (1, 1):
            return "basic", 0
        if kernels[-1] == 1 and groups[-1] == 1 and layers[-1].stride == (1, 1):
            if len(layers) == 2 and _is_depthwise(layers[0]):
                return "mbconv", 0
            if len(layers) == 2 and groups[0] == 1 and kernels[0] > 1:
                return "fused", 0
            if len(layers) == 3 and kernels[0] == 1 and groups[0] == 1 and layers[0].stride == (1, 1):
                return ("mbconv" if _is_depthwise(layers[1]) else "bottleneck"), 1
        if len(layers) == 1 and groups == [1] and layers[0].in_width == layers[0].out_width:
            return "fused", 0
        names = f"{self.name(start)} to {self.name(start + len(layers) - 1)}"
        raise TraceError(f"the {len(layers)} layers inside the shortcut from {names} are no unit of a block")

    def _activation(self, names: set[str], where: str) -> str:
        """The one activation of a unit, as a spec calls it."""
        if len(names) > 1:
            raise TraceError(f"the unit that begins at {where} has several activations: {', '.join(sorted(names))}")
        (name,) = names
        if name not in ACTIVATIONS:
            raise TraceError(f"the activation after {where} is {name}; blocks have {', '.join(ACTIVATIONS)}")
        return ACTIVATIONS[name]

    def _squeeze(self, squeeze: Squeeze | None, where: str) -> Squeeze:
        """Squeeze-and-excitation in a spec's names."""
        if squeeze is None or squeeze.gate not in GATES or squeeze.activation not in ACTIVATIONS:
            raise TraceError(f"the unit that begins at {where} has another gate than squeeze-and-excitation")
        if squeeze.bias == squeeze.normed:
            raise TraceError(
                f"squeeze-and-excitation of the unit that begins at {where} needs biases or normalisations"
            )
        return squeeze._replace(activation=ACTIVATIONS[squeeze.activation], gate=GATES[squeeze.gate])


def _is_depthwise(layer: ConvLayer) -> bool:
    return layer.groups == layer.in_width == layer.out_width > 1


def _is_pointwise(layer: ConvLayer) -> bool:
    return layer.kernel == (1, 1) and layer.groups == 1 and layer.stride == (1, 1)


def _pooling(layer: ConvLayer) -> Pooling | None:
    """The pooling before a layer, where a block can have it."""
    pool = layer.pool
    if pool is None or pool.kernel[0] != pool.kernel[1] or pool.stride[0] != pool.stride[1]:
        return None
    padding = pool.kernel[0] // 2 if pool.kernel[0] % 2 else 0
    return Pooling(pool.kind, pool.kernel[0], pool.stride[0], padding) if pool.padding == (padding, padding) else None
