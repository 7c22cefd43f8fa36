"""A network layer by layer: shapes, cost, receptive field and share of the score. The rows add up to its exact cost."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, TypeAlias

from ..errors import InputError, ScoreError
from ..exporters.layout import lay_out
from ..metrics.mean_field import LayerTerm, score_chain
from ..net.counting import Cost, classifier_cost, extra_cost, gate_cost, layer_cost, projection_cost
from ..net.layers import ConvLayer, Side, shrink, size_of
from ..net.network import Network
from ..net.ops import Unit
from ..net.spec import ArchSpec
from ..target.graph import Operation, head_operations, unit_operations

FLOAT_BYTES = 4
CLASSIFIER, OTHER = "classifier", "other"
Shape: TypeAlias = tuple[int, int, int]  # channels, height, width


class LayerRow(NamedTuple):
    """One layer, for one image.

    Attributes:
        stage: the stem, a stage, the head, the classifier; the size of the map where there are no blocks, and `other`.
        layer: its name, that of exported files for a network of blocks.
        kind: `conv` for a layer that the score sees, with its BN; `shortcut`, `squeeze`, `classifier`; `other` for what
            a network that is not written as blocks has beside its convolutions, BN included.
        conv: its kernel, stride and groups, as `3x3/2 g8`; empty where there is none.
        in_shape, out_shape: channels, height and width; None where they are not known.
        params, macs: exact.
        bytes: what it moves in float32: its input, its parameters and its output.
        live: bytes in float32 that are in use while it runs: its input, its output, and what waits for a later
            operation, such as a shortcut; see `target.memory`. The largest is the memory that the network needs beside
            its weights. None where the graph is not known, as for a network that is not written as blocks.
        receptive_field: height and width of the part of the image that one output pixel depends on, along the chain;
            larger than the image where that is so. None for a layer beside the chain.
        log_sigma: its share of the closed form, in nats; None where there is none.
    """

    stage: str
    layer: str
    kind: str
    conv: str
    in_shape: Shape | None
    out_shape: Shape | None
    params: int
    macs: int
    bytes: int
    live: int | None = None
    receptive_field: tuple[int, int] | None = None
    log_sigma: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """The row as JSON types."""
        return self._asdict()


class _Reach:
    """The receptive field as it grows along a chain."""

    def __init__(self) -> None:
        self._field, self._step = [1, 1], [1, 1]

    def after(self, layer: ConvLayer) -> tuple[int, int]:
        """Height and width after a layer and the pooling before it."""
        for axis in (0, 1):
            if layer.pool is not None:
                self._grow(axis, layer.pool.kernel[axis], layer.pool.stride[axis])
            self._grow(axis, (layer.kernel[axis] - 1) * layer.dilation[axis] + 1, layer.stride[axis])
        return self._field[0], self._field[1]

    def _grow(self, axis: int, span: int, stride: int) -> None:
        self._field[axis] += (span - 1) * self._step[axis]
        self._step[axis] *= stride


def layer_rows(network: Network, convention: str = "paper") -> list[LayerRow]:
    """The layers of a network in order.

    Args:
        network: any; one that is not written as blocks has the layers of its chain and one row for all the rest.
        convention: of log sigma, see `mean_field.log_sigma`.
    """
    shares = _shares(network, convention)
    spec = network.spec
    return list(_of_chain(network, shares) if spec is None else _of_blocks(spec, shares))


def _shares(network: Network, convention: str) -> list[LayerTerm | None]:
    """The share of each layer of the chain; None for each where the network has no closed form."""
    try:
        return list(score_chain(network.chain, convention=convention).layers)
    except (InputError, ScoreError):
        return [None for _ in network.chain]


def _of_blocks(spec: ArchSpec, shares: list[LayerTerm | None]) -> Iterator[LayerRow]:
    reach, terms, side, first = _Reach(), iter(shares), spec.resolution, True
    for section in lay_out(spec).sections:
        for count, unit in enumerate(section.units):
            name = section.name if section.is_bare else f"{section.name}.{count}"
            yield from _of_unit(section.name, name, unit, side, reach, terms, first=first)
            side, first = shrink(side, unit.stride), False
    width = spec.blocks[-1].width
    cost = classifier_cost(width, spec.classifier)
    parts = spec.classifier.parts
    shapes = (width, parts, parts), (spec.num_classes, 1, 1)
    live = _live(head_operations(width, side, spec.classifier))
    yield _row(CLASSIFIER, CLASSIFIER, CLASSIFIER, "", *shapes, cost)._replace(live=max(live.values()))


def _of_unit(
    stage: str, name: str, unit: Unit, side: Side, reach: _Reach, terms: Iterator[LayerTerm | None], *, first: bool
) -> Iterator[LayerRow]:
    """The convolutions of a unit, squeeze-and-excitation where it is placed, and the projection at the end."""
    layers, live = unit.layers(side), _live(unit_operations(unit, side, first=first))
    for index, layer in enumerate(layers):
        own = f"{name}.conv{index + 1}" if len(layers) > 1 else name
        cost = layer_cost(layer).plus(extra_cost(unit))  # which only a plain convolution has
        row = _of_layer(stage, own, layer, reach, next(terms), cost)
        keys = [f"conv{index + 1}" if unit.has_branches else "", *(() if index else ("pool",))]
        yield row._replace(live=max(live[key] for key in keys if key in live))
        if unit.squeeze and index == unit.squeezed_layer(len(layers)):
            shape = (layer.out_width, *layer.out_size)
            row = _row(stage, f"{name}.se", "squeeze", f"{unit.squeeze} wide", shape, shape, gate_cost(unit))
            yield row._replace(live=live["se"])
    if unit.projection:
        before, after = size_of(side), size_of(shrink(side, unit.stride))
        text = "1x1" + (f"/{unit.stride}" if unit.stride > 1 else "")
        shapes = (unit.in_width, *before), (unit.width, *after)
        row = _row(stage, f"{name}.shortcut", "shortcut", text, *shapes, projection_cost(unit, side))
        yield row._replace(live=live["shortcut"])


def _live(operations: Iterable[Operation]) -> dict[str, int]:
    """Bytes that are live while the operations run, by the module that they belong to.

    The addition of a shortcut has no row: it needs no more than the operation before it.
    """
    found: dict[str, int] = {}
    for one in operations:
        key = one.path.partition(".")[0]
        found[key] = max(found.get(key, 0), FLOAT_BYTES * one.live)
    return found


def _of_chain(network: Network, shares: list[LayerTerm | None]) -> Iterator[LayerRow]:
    """The convolutions of the chain, and one row for what the whole network costs beyond them, such as its BN."""
    reach, total, names = _Reach(), Cost(), network.layer_names
    for index, (layer, term) in enumerate(zip(network.chain, shares, strict=True)):
        cost = layer_cost(layer)._replace(params=math.prod(layer.weight_shape))
        total = total.plus(cost)
        name = names[index] if names else f"layer{index + 1}"
        yield _of_layer(size_text(layer.out_size), name, layer, reach, term, cost)
    rest = Cost(params=network.cost.params - total.params, macs=network.cost.macs - total.macs)
    yield _row(OTHER, OTHER, OTHER, "", None, None, rest)


def _of_layer(stage: str, name: str, layer: ConvLayer, reach: _Reach, term: LayerTerm | None, cost: Cost) -> LayerRow:
    shapes = (layer.in_width, *layer.in_size), (layer.out_width, *layer.out_size)
    row = _row(stage, name, "conv", conv_text(layer), *shapes, cost)
    return row._replace(receptive_field=reach.after(layer), log_sigma=None if term is None else term.log_sigma)


def _row(
    stage: str, layer: str, kind: str, conv: str, in_shape: Shape | None, out_shape: Shape | None, cost: Cost
) -> LayerRow:
    moved = FLOAT_BYTES * (cost.params + _size(in_shape) + _size(out_shape))
    return LayerRow(stage, layer, kind, conv, in_shape, out_shape, cost.params, cost.macs, moved)


def _size(shape: Shape | None) -> int:
    return 0 if shape is None else shape[0] * shape[1] * shape[2]


def conv_text(layer: ConvLayer) -> str:
    """A convolution in a few characters: `3x3/2 g8` has stride 2 and 8 groups, `dw` as many groups as channels."""
    text = f"{layer.kernel[0]}x{layer.kernel[1]}"
    if max(layer.stride) > 1:
        text += f"/{layer.stride[0]}" if layer.stride[0] == layer.stride[1] else f"/{layer.stride[0]}x{layer.stride[1]}"
    if max(layer.dilation) > 1:
        text += f" d{layer.dilation[0]}"
    if layer.groups > 1:
        text += " dw" if layer.groups == layer.in_width == layer.out_width else f" g{layer.groups}"
    return text


def size_text(size: tuple[int, ...] | None) -> str:
    """A shape as `64x56x56`; empty where it is not known."""
    return "" if size is None else "x".join(map(str, size))
