"""Additive terms of a block: what closed-form metrics and limits are computed from."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from ..net.counting import Cost, extra_cost, gate_cost, layer_cost, projection_cost
from ..net.layers import ConvLayer, Side, area_of, shrink
from ..net.ops import Gene, Unit, reading_unit, repeated_units
from .mean_field import LINEAR, RELU, gain, log_gain, log_sigma


class Terms(NamedTuple):
    """Sums over the layers i of the vanilla chain (logarithms in nats), and the exact cost of the training form.

    log_gain: sum of log sigma_i.
    log_maps: sum of log A_i, with A_i the output elements of layer i.
    log_fan_in: sum of log(fan_in_i k_i^2), the weights that one output element reads.
    """

    log_gain: float = 0.0
    log_maps: float = 0.0
    log_fan_in: float = 0.0
    params: int = 0
    macs: int = 0
    activations: int = 0
    layers: int = 0
    sublayers: int = 0

    @property
    def cost(self) -> Cost:
        """The cost among them."""
        return Cost(*self[3:])


def block_terms(gene: Gene, in_width: int, side: Side, convention: str, first: bool) -> tuple[Terms, Side]:
    """The terms of a block on `in_width` channels of this side, and the side of its output map.

    Args:
        gene: the block.
        in_width: channels in.
        side: side of the input map.
        convention: `paper` or `zennas`, see `mean_field.log_sigma`.
        first: whether the block's input is the image.
    """
    split = split_block(gene, side, convention, first)
    if split is None:
        return _add_units(Terms(), gene, in_width, side, convention, first), shrink(side, gene.stride)
    per_channel, rest = split
    log_gains, log_maps, log_fan_in, params, macs, activations, layers, sublayers = rest
    terms = Terms(
        log_gains + log_sigma(in_width * per_channel.gain, convention),
        log_maps,
        log_fan_in + math.log(in_width * per_channel.taps),
        params + in_width * per_channel.params,
        macs + in_width * per_channel.macs,
        activations,
        layers,
        sublayers,
    )
    return terms, per_channel.side


class PerChannel(NamedTuple):
    """What a block costs and does for each channel that it reads, in its first convolution and its first shortcut.

    gain: sigma^2 of the convolution.
    taps: weights that one output element of the convolution reads.
    params, macs: of both.
    side: of the block's output map, whatever its channels are.
    """

    gain: float
    taps: int
    params: int
    macs: int
    side: Side


@lru_cache(maxsize=65_536)
def split_block(gene: Gene, side: Side, convention: str, first: bool) -> tuple[PerChannel, Terms] | None:
    """Splits a block's terms into a part linear in the input channels and a constant part; None where that cannot be.

    A block need not be computed again when the one before it changes its width: an evolution makes a third more
    proposals a second with this on CIFAR 1M, a tenth more on ImageNet 400M. Arguments as for `block_terms`.
    """
    reader = reading_unit(gene, side)
    if reader is None:
        return None
    layer = reader.layers(side)[0]
    taps, out = math.prod(layer.kernel), shrink(side, gene.stride)
    weights = layer.out_width * taps
    products = weights * math.prod(layer.out_size)
    if reader.projection:
        weights, products = weights + reader.width, products + reader.width * area_of(out)
    per_channel = PerChannel(gain(layer, LINEAR if first else RELU), taps, weights, products, out)
    less = Terms(-log_sigma(per_channel.gain, convention), 0.0, -math.log(taps), -weights, -products)
    return per_channel, _add_units(less, gene, 1, side, convention, first)


def _add_units(start: Terms, gene: Gene, in_width: int, side: Side, convention: str, first: bool) -> Terms:
    """`start` and the terms of a block's units; other arguments as for `block_terms`."""
    log_gains, log_maps, log_fan_in, params, macs, activations, layers, _ = start
    for unit, times in repeated_units(gene, in_width):
        row = _unit_terms(unit, side, convention, first)
        log_gains += times * row[0]
        log_maps += times * row[1]
        log_fan_in += times * row[2]
        params += times * row[3]
        macs += times * row[4]
        activations += times * row[5]
        layers += times * row[6]
        side, first = shrink(side, unit.stride), False
    return Terms(log_gains, log_maps, log_fan_in, params, macs, activations, layers, gene.sublayers)


@lru_cache(maxsize=16_384)
def _unit_terms(unit: Unit, side: Side, convention: str, first: bool) -> Terms:
    layers = unit.layers(side)
    rows = [layer_terms(layers[0], convention, first)]
    rows += [layer_terms(layer, convention, False) for layer in layers[1:]]
    if unit.squeeze:
        rows.append(_beside(gate_cost(unit)))
    if unit.details is not None:
        rows.append(_beside(extra_cost(unit)))
    if unit.projection:
        rows.append(_beside(projection_cost(unit, side)))
    return _add_rows(rows)


@lru_cache(maxsize=16_384)
def layer_terms(layer: ConvLayer, convention: str, image: bool) -> Terms:
    """The terms of one layer, which reads the image or what a ReLU leaves."""
    cost = layer_cost(layer)
    return Terms(
        log_gain(layer, LINEAR if image else RELU, convention),
        math.log(layer.out_width * math.prod(layer.out_size)),
        math.log(layer.fan_in * math.prod(layer.kernel)),
        cost.params,
        cost.macs,
        cost.activations,
        cost.layers,
    )


def _add_rows(rows: Iterable[Terms]) -> Terms:
    """`terms.add_rows` for few rows, for which this is quicker."""
    log_gain = log_maps = log_fan_in = 0.0
    params = macs = activations = layers = sublayers = 0
    for row in rows:
        log_gain += row[0]
        log_maps += row[1]
        log_fan_in += row[2]
        params += row[3]
        macs += row[4]
        activations += row[5]
        layers += row[6]
        sublayers += row[7]
    return Terms(log_gain, log_maps, log_fan_in, params, macs, activations, layers, sublayers)


def _beside(cost: Cost) -> Terms:
    """Of what is beside the chain only the cost counts: it is no layer."""
    return Terms(params=cost.params, macs=cost.macs, activations=cost.activations)
