"""Additive terms of a network, block by block: what closed-form scores and budgets are made of.

A search proposes networks a hundred thousand times a second; what it knows of one is the sum of its blocks' terms, each
laid out once and looked up afterwards. Every closed-form score is a function of that sum and of the last feature map.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from ..errors import ScoreError
from ..net.counting import Cost, fits, layer_cost, linear_cost, projection_cost, se_cost
from ..net.layers import ConvLayer, shrink
from ..net.network import Network, label
from ..net.ops import Gene, Unit, repeated_units
from ..net.spec import ArchSpec
from .mean_field import LINEAR, RELU, gain, log_delta, log_gain, log_sigma, score_chain

MAX_CACHED_BLOCKS = 65_536


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


class Stage(NamedTuple):
    """Blocks at one resolution: from one that down-samples, or the first, up to the next that does.

    log_fan_in: the sum over the network's layers from the image to the end of this stage.
    width, side: the stage's last feature map.
    """

    log_fan_in: float
    width: int
    side: int


class NetworkTerms(NamedTuple):
    """The sum over a network, classifier included; its last feature map, `width` x `side` x `side`; its stages."""

    total: Terms
    width: int
    side: int
    stages: tuple[Stage, ...]

    def zen(self, norm: str, alpha: float) -> float:
        """The closed form of the Zen-score in nats; arguments as for `score_spec`."""
        return self.total.log_gain + log_delta(norm, alpha, self.total.layers, self.width, self.side**2)


class _Float(float):
    """A float that `sum` starts from and does not know: Python 3.12 and later compensate sums of plain floats."""


_ZERO = _Float(0.0)


def sum_terms(rows: Iterable[Terms]) -> Terms:
    """The sum of terms, added up from left to right, so that every version of Python gives the same bytes."""
    gains, maps, fans, params, macs, activations, layers, sublayers = zip(*rows, strict=False)
    return Terms(
        sum(gains, _ZERO),
        sum(maps, _ZERO),
        sum(fans, _ZERO),
        sum(params),
        sum(macs),
        sum(activations),
        sum(layers),
        sum(sublayers),
    )


def score_spec(spec: ArchSpec, *, convention: str = "paper", norm: str = "frobenius", alpha: float = 0.01) -> float:
    """The closed-form Zen-score of a network in nats; arguments and errors as for `score_and_count`."""
    return score_and_count(spec, convention=convention, norm=norm, alpha=alpha)[0]


def score_and_count(network: Network, *, convention: str, norm: str, alpha: float) -> tuple[float, Cost]:
    """The closed-form Zen-score of a network in nats, and its exact cost.

    Args:
        network: a spec, or another network, whose chain is then taken.
        convention: `paper` or `zennas`, see `mean_field.log_sigma`.
        norm: `frobenius` or `l1`.
        alpha: size of the perturbation, in standard deviations of the input.

    Raises:
        ScoreError: the score is not a finite number.
        SpecError: a cost that does not fit into 64 bits, or a chain that has no closed form.
    """
    if network.spec is None:
        return score_chain(network.chain, convention=convention, norm=norm, alpha=alpha).value, network.cost
    terms = spec_terms(network.spec, convention)
    value = terms.zen(norm, alpha)
    if not math.isfinite(value):
        raise ScoreError(f"the mean-field score of {label(network)} is {value}; use another alpha")
    return value, fits(terms.total.cost, label(network))


def spec_terms(spec: ArchSpec, convention: str = "paper") -> NetworkTerms:
    """The terms of a network."""
    genes = [block.gene for block in spec.blocks]
    return network_terms(genes, spec.in_channels, spec.resolution, spec.num_classes, convention)


def network_terms(
    genes: Iterable[Gene], in_width: int, side: int, num_classes: int, convention: str = "paper"
) -> NetworkTerms:
    """The terms of blocks, of a spec or of a search, on images of `in_width` channels and this side."""
    rows: list[Terms] = []
    stages: list[Stage] = []
    width, log_fan_in = in_width, 0.0
    for gene in genes:
        if gene.stride > 1 and rows:
            stages.append(Stage(log_fan_in, width, side))
        part, side = block_terms(gene, width, side, convention, first=not rows)
        rows.append(part)
        width, log_fan_in = gene.width, log_fan_in + part.log_fan_in
    stages.append(Stage(log_fan_in, width, side))
    head = linear_cost(width, num_classes)
    rows.append(Terms(params=head.params, macs=head.macs))
    return NetworkTerms(sum_terms(rows), width, side, tuple(stages))


def block_terms(gene: Gene, in_width: int, side: int, convention: str, *, first: bool) -> tuple[Terms, int]:
    """The terms of a block on `in_width` channels of `side` x `side`, and the side that it leaves.

    Args:
        gene: the block.
        in_width: channels in.
        side: side of the input map.
        convention: `paper` or `zennas`, see `meanfield.log_sigma`.
        first: whether the block's input is the image.
    """
    entry, rest = block_body(gene, side, convention, first)
    log_gains, log_maps, log_fan_in, params, macs, activations, layers, sublayers = rest
    terms = Terms(
        log_gains + log_sigma(in_width * entry.gain, convention),
        log_maps,
        log_fan_in + math.log(in_width * entry.taps),
        params + in_width * entry.params,
        macs + in_width * entry.macs,
        activations,
        layers,
        sublayers,
    )
    return terms, entry.side


class Entry(NamedTuple):
    """What a block does with each channel that it reads, in its first convolution and its first shortcut.

    gain: sigma^2 of the convolution, a channel.
    taps: weights that one output element of the convolution reads, a channel.
    params, macs: of both, a channel.
    side: of the map that the block leaves.
    """

    gain: float
    taps: int
    params: int
    macs: int
    side: int


@lru_cache(maxsize=MAX_CACHED_BLOCKS)
def block_body(gene: Gene, side: int, convention: str, first: bool) -> tuple[Entry, Terms]:
    """A block on any number of channels: what it does with each of them, and the terms of all the rest.

    So a block need not be laid out again when the one before it changes its width. Arguments as for `block_terms`.
    """
    units = repeated_units(gene, 1)
    reader = units[0][0]
    layer = reader.layers(side)[0]
    taps, out = math.prod(layer.kernel), shrink(side, gene.stride)
    weights = layer.out_width * taps
    products = weights * math.prod(layer.out_size)
    if reader.projection:
        weights, products = weights + reader.width, products + reader.width * out**2
    entry = Entry(gain(layer, LINEAR if first else RELU), taps, weights, products, out)

    log_gains, log_maps, log_fan_in = -log_sigma(entry.gain, convention), 0.0, -math.log(taps)
    params, macs, activations, layers = -weights, -products, 0, 0
    for unit, times in units:
        row = _unit_terms(unit, side, convention, first)
        log_gains += times * row[0]
        log_maps += times * row[1]
        log_fan_in += times * row[2]
        params += times * row[3]
        macs += times * row[4]
        activations += times * row[5]
        layers += times * row[6]
        side, first = out, False
    return entry, Terms(log_gains, log_maps, log_fan_in, params, macs, activations, layers, gene.sublayers)


@lru_cache(maxsize=65_536)
def _unit_terms(unit: Unit, side: int, convention: str, first: bool) -> Terms:
    layers = unit.layers(side)
    rows = [_layer_terms(layers[0], convention, first)]
    rows += [_layer_terms(layer, convention, False) for layer in layers[1:]]
    if unit.squeeze:
        rows.append(_beside(se_cost(unit.mid_width, unit.squeeze)))
    if unit.projection:
        rows.append(_beside(projection_cost(unit, side)))
    return sum_terms(rows)


@lru_cache(maxsize=65_536)
def _layer_terms(layer: ConvLayer, convention: str, image: bool) -> Terms:
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


def _beside(cost: Cost) -> Terms:
    """What stands beside the chain costs, and is no layer of it."""
    return Terms(params=cost.params, macs=cost.macs, activations=cost.activations)
