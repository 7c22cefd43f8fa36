"""Exact parameters, MACs, activations and layers of the training form, without building it.

Each piece of `module.py` has a function here that counts it. BN has two parameters a channel, MACs are the
multiply-adds of convolutions and of the classifier, activations the output elements of convolutions (as in *Designing
Network Design Spaces*, arXiv 2003.13678), layers the convolutions of the chain (shortcuts and SE not counted).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from ..errors import SpecError
from .classifier import Classifier
from .layers import ConvLayer, Side, shrink, square_conv
from .ops import Gene, Unit, repeated_units, walk


class Cost(NamedTuple):
    """What a network costs for one image."""

    params: int = 0
    macs: int = 0
    activations: int = 0
    layers: int = 0
    sublayers: int = 0

    def plus(self, other: Cost, times: int = 1) -> Cost:
        """This cost and so many times the other."""
        return Cost(
            self.params + times * other.params,
            self.macs + times * other.macs,
            self.activations + times * other.activations,
            self.layers + times * other.layers,
            self.sublayers + times * other.sublayers,
        )


def cost_of(genes: Iterable[Gene], in_width: int, side: Side, classifier: Classifier) -> Cost:
    """The cost of blocks on images of `in_width` channels and this side, and of their classifier."""
    total, last_width = Cost(), in_width
    for gene, width, block_side in walk(genes, in_width, side):
        total, last_width = total.plus(block_cost(gene, width, block_side)), gene.width
    return total.plus(classifier_cost(last_width, classifier))


def fits(total: Cost, name: str) -> Cost:
    """The cost of a network, if it can be written down.

    Raises:
        SpecError: a number that does not fit into 64 bits, which readers of JSON could not hold.
    """
    if max(total) >= 2**63:
        field = Cost._fields[total.index(max(total))]
        raise SpecError(f"{name}: needs {max(total):.1e} {field}, more than can be written down; use smaller widths")
    return total


@lru_cache(maxsize=8192)
def block_cost(gene: Gene, in_width: int, side: Side) -> Cost:
    """The cost of a block on `in_width` channels of this side."""
    total = Cost(sublayers=gene.sublayers)
    for unit, times in repeated_units(gene, in_width):
        total = total.plus(unit_cost(unit, side), times)
        side = shrink(side, unit.stride)
    return total


@lru_cache(maxsize=8192)
def unit_cost(unit: Unit, side: Side) -> Cost:
    """The cost of one unit on a map of this side."""
    total = gate_cost(unit).plus(extra_cost(unit))
    for layer in unit.layers(side):
        total = total.plus(layer_cost(layer))
    return total.plus(projection_cost(unit, side)) if unit.projection else total


def gate_cost(unit: Unit) -> Cost:
    """The squeeze-and-excitation of a unit, nothing where it has none."""
    if not unit.squeeze:
        return Cost()
    width = unit.squeezed_width()
    if not unit.gate.bias:
        return se_cost(width, unit.squeeze)
    weights = width * unit.squeeze
    return Cost(2 * weights + unit.squeeze + width, 2 * weights, unit.squeeze + width)


def extra_cost(unit: Unit) -> Cost:
    """What biases of a plain convolution and a BN of its input add, and a BN that it does not have takes away."""
    if unit.details is None:
        return Cost()
    return Cost(unit.width * (unit.details.bias - 2 * (not unit.details.norm) + 2 * unit.adds_norm))


def layer_cost(layer: ConvLayer) -> Cost:
    """A convolution without bias and its BN."""
    weights = math.prod(layer.weight_shape)
    area = math.prod(layer.out_size)
    return Cost(weights + 2 * layer.out_width, weights * area, layer.out_width * area, 1)


def projection_of(unit: Unit, side: Side) -> ConvLayer:
    """The 1x1 convolution that is the shortcut of a unit on a map of this side."""
    side, stride = unit.enter(side)
    return square_conv(unit.in_width, unit.width, 1, side, stride, unit.groups if unit.kind.is_parallel else 1)


def projection_cost(unit: Unit, side: Side) -> Cost:
    """What that costs; it is no layer of the chain."""
    return layer_cost(projection_of(unit, side))._replace(layers=0)


def se_cost(width: int, squeeze: int) -> Cost:
    """Squeeze-and-excitation: two 1x1 convolutions on one pixel, each with a BN; no layers of the chain."""
    reduce, expand = square_conv(width, squeeze, 1, 1), square_conv(squeeze, width, 1, 1)
    return layer_cost(reduce).plus(layer_cost(expand))._replace(layers=0)


def classifier_cost(width: int, classifier: Classifier) -> Cost:
    """The linear layers after a map of this width."""
    total = Cost()
    for in_width, out, has_bias in classifier.layers(width):
        total = total.plus(linear_cost(in_width, out, has_bias=has_bias))
    return total


def linear_cost(in_width: int, out_width: int, *, has_bias: bool = True) -> Cost:
    """A linear layer."""
    return Cost(in_width * out_width + out_width * has_bias, in_width * out_width)
