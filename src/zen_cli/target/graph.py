"""The operations of the inference graph of a network, in the order in which they run, BN folded. No torch.

The order is that of the exported graph: the convolutions of a unit, then the projection of its shortcut, then the
addition. A ReLU, a sigmoid, an addition and a product write to the place of an input, and the first two are no
operations of their own. Elements are those of one image.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from ..net.classifier import Classifier
from ..net.counting import projection_of
from ..net.layers import ConvLayer, Side, area_of, shrink, size_of, square_conv
from ..net.ops import Gene, Unit, block_units, repeated_units, walk
from ..net.spec import ArchSpec

KINDS = (
    "image",
    "thin",
    "dense",
    "small",
    "pointwise",
    "depthwise",
    "grouped",
    "narrow",
    "squeeze",
    "gate",
    "add",
    "pool",
    "linear",
)
PAD = 16  # channels that a vector unit computes together
# Up to so many elements of a map, with kernels up to this one, PyTorch computes a convolution as a product of matrices.
SMALL, SMALL_KERNEL = 20_480, 3


class Operation(NamedTuple):
    """One operation.

    Attributes:
        path: the module that computes it, below its unit; empty for the unit itself.
        kind: its class, one of `KINDS`, for which times follow one law.
        reads: elements of its inputs.
        writes: elements of its output, 0 where it takes the place of an input.
        held: elements that wait for a later operation, such as a shortcut.
        macs: multiply-adds.
        weights: parameters, biases included.
        layer: the convolution, or None where it is none; a classifier is one on a map of one position.
    """

    path: str
    kind: str
    reads: int
    writes: int
    held: int = 0
    macs: int = 0
    weights: int = 0
    layer: ConvLayer | None = None

    @property
    def live(self) -> int:
        """Elements that are needed while it runs."""
        return self.reads + self.writes + self.held


def network_operations(
    genes: Iterable[Gene], in_width: int, side: Side, classifier: Classifier
) -> Iterator[tuple[str, Operation]]:
    """(full name of the module, operation) of a network, in order; names as those of the module."""
    width = in_width
    for number, (gene, width, block_side) in enumerate(walk(genes, in_width, side)):
        inner = block_side
        for index, unit in enumerate(block_units(gene, width)):
            for one in unit_operations(unit, inner, first=number == index == 0):
                yield f"blocks.{number}.{index}" + (f".{one.path}" if one.path else ""), one
            inner = shrink(inner, unit.stride)
        width, side = gene.width, shrink(block_side, gene.stride)
    for one in head_operations(width, side, classifier):
        yield one.path, one


def named_operations(spec: ArchSpec) -> list[tuple[str, Operation]]:
    """(full name of the module, operation) of a spec, in order."""
    return list(network_operations(spec.genes, spec.in_channels, spec.resolution, spec.classifier))


def operations_of(spec: ArchSpec) -> list[Operation]:
    """The operations of a spec, in order."""
    return [one for _, one in named_operations(spec)]


def block_operations(gene: Gene, in_width: int, side: Side, *, first: bool) -> Iterator[tuple[Operation, int]]:
    """The different operations of a block, and how often each runs; `first` where it reads the image."""
    for unit, times in repeated_units(gene, in_width):
        for one in unit_operations(unit, side, first=first):
            yield one, times
        side, first = shrink(side, unit.stride), False


@lru_cache(maxsize=8192)
def unit_operations(unit: Unit, side: Side, *, first: bool = False) -> tuple[Operation, ...]:
    """The operations of a unit on a map of this side; `first` where that is the image."""
    layers = unit.layers(side)
    rows: list[Operation] = []
    inner, stride = unit.enter(side)
    if layers[0].pool is not None:
        rows.append(Operation("pool", "pool", unit.in_width * area_of(side), unit.in_width * area_of(inner)))
    block_input = unit.in_width * area_of(inner)
    has_shortcut = unit.has_shortcut
    for index, layer in enumerate(layers):
        held = block_input if has_shortcut and index else 0
        path = f"conv{index + 1}" if unit.has_branches else ""
        rows.append(convolution(path, layer, held, "image" if first and not index else ""))
        if unit.squeeze and index == unit.squeezed_layer(len(layers)):
            rows += _squeeze(unit, rows[-1].writes, block_input if has_shortcut else 0)
    if not has_shortcut:
        return tuple(rows)
    out, shortcut = layers[-1].out_width * math.prod(layers[-1].out_size), block_input
    if unit.projection:
        if unit.details is not None and unit.details.pools_shortcut:
            pooled = unit.in_width * area_of(shrink(inner, stride))
            rows.append(Operation("shortcut.pool", "pool", block_input, pooled, out))
            inner, stride = shrink(inner, stride), 1
        projection = projection_of(unit, side)._replace(in_size=size_of(inner), stride=(stride, stride))
        rows.append(convolution("shortcut", projection, out))
        shortcut = rows[-1].writes
    rows.append(Operation("add", "add", out + shortcut, 0, block_input if unit.adds_norm else 0))
    if unit.adds_norm:
        rows.append(Operation("norm", "gate", block_input, 0, out, weights=2 * unit.width))
        rows.append(Operation("add", "add", out + block_input, 0))
    return tuple(rows)


def head_operations(width: int, side: Side, classifier: Classifier) -> tuple[Operation, ...]:
    """The poolings and the classifier on a map of this width and side."""
    rows: list[Operation] = []
    if classifier.pool is not None:
        pooled = classifier.pooled(side)
        rows.append(Operation("pool", "pool", width * area_of(side), width * area_of(pooled)))
        side = pooled
    features = classifier.features(width)
    if classifier.parts == 1 or size_of(side) != (classifier.parts, classifier.parts):
        rows.append(Operation("pool", "pool", width * area_of(side), features))
    for before, out, has_bias in classifier.layers(width):
        row = convolution("classifier", square_conv(before, out, 1, 1), 0, "linear")
        rows.append(row._replace(weights=before * out + out * has_bias))
    return tuple(rows)


def convolution(path: str, layer: ConvLayer, held: int = 0, kind: str = "") -> Operation:
    """A convolution with its BN folded; its kind is that of the layer, where none is given."""
    area, weights = math.prod(layer.out_size), math.prod(layer.weight_shape)
    return Operation(
        path,
        kind or kind_of(layer),
        layer.in_width * math.prod(layer.in_size),
        layer.out_width * area,
        held,
        weights * area,
        weights + layer.out_width,
        layer,
    )


def kind_of(layer: ConvLayer) -> str:
    """The kind of a convolution that does not read the image."""
    return _grouped(layer) if layer.groups > 1 else _plain(layer)


def kinds_between(narrow: ConvLayer, wide: ConvLayer) -> tuple[str, ...]:
    """The kinds of convolutions that differ from these two only in widths between theirs."""
    if narrow.groups > 1:
        return (kind_of(narrow),) if narrow.fan_in == wide.fan_in else ("depthwise", "grouped", "narrow")
    row = ("thin", "pointwise") if math.prod(narrow.kernel) == 1 else ("thin", "small", "dense")
    return row[row.index(kind_of(narrow)) : row.index(kind_of(wide)) + 1]


def _plain(layer: ConvLayer) -> str:
    """Channels in that do not fill one vector are thin, and maps of few elements small: runtimes have other code."""
    if layer.fan_in < PAD:
        return "thin"
    if math.prod(layer.kernel) == 1:
        return "pointwise"
    is_small = layer.in_width * math.prod(layer.in_size) <= SMALL and min(layer.kernel) <= SMALL_KERNEL
    return "small" if is_small else "dense"


def _grouped(layer: ConvLayer) -> str:
    """Groups that do not fill whole vectors are narrow: runtimes have slower code for them."""
    return "depthwise" if layer.fan_in == 1 else "narrow" if layer.fan_in % PAD else "grouped"


def _squeeze(unit: Unit, gated: int, held: int) -> Iterator[Operation]:
    """Squeeze-and-excitation on a map of so many elements."""
    width, inside = unit.squeezed_width(), unit.squeeze
    yield Operation("se.pool", "gate", gated, width, held)
    for path, read, written in (("se.reduce", width, inside), ("se.expand", inside, width)):
        yield convolution(path, square_conv(read, written, 1, 1), held + gated, "squeeze")
    yield Operation("se.mul", "gate", gated + width, 0, held)
