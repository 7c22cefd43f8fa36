"""Additive terms of a network, block by block: what closed-form metrics and limits are computed from.

A search proposes networks a hundred thousand times a second; what it knows of one is the sum of its blocks' terms, each
computed once and looked up afterwards. A closed-form metric is a function of that sum and of the last feature map.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

from ..errors import ScoreError
from ..net.counting import Cost, fits, layer_cost, linear_cost, projection_cost, se_cost
from ..net.layers import ConvLayer, shrink
from ..net.network import Network, label
from ..net.ops import Gene, Unit, repeated_units
from ..net.spec import ArchSpec
from .mean_field import LINEAR, RELU, gain, log_delta, log_gain, log_sigma, score_chain

MAX_CACHED_BLOCKS = 16_384

BlockCache: TypeAlias = dict[tuple[Gene, int, int, bool], tuple["Terms", int]]


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


class StageTerms(NamedTuple):
    """Blocks at one resolution: from one that down-samples, or the first, up to the next that does.

    log_fan_in: the sum over the network's layers from the image to the end of this stage.
    width, side: the stage's last feature map.
    """

    log_fan_in: float
    width: int
    side: int


class NetworkTerms(NamedTuple):
    """The sum over a network, classifier included; its last feature map, `width` x `side` x `side`; its stages.

    genes, image: its blocks, and channels and side of the image, for a metric that is no function of these sums.
    """

    total: Terms
    width: int
    side: int
    stages: tuple[StageTerms, ...]
    genes: tuple[Gene, ...]
    image: tuple[int, int]

    def zen(self, norm: str, alpha: float) -> float:
        """The closed form of the Zen-score in nats; arguments as for `score_and_count`."""
        return self.total.log_gain + log_delta(norm, alpha, self.total.layers, self.width, self.side**2)


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
    return network_terms(spec.genes, spec.in_channels, spec.resolution, spec.num_classes, convention)


def network_terms(
    genes: Sequence[Gene], in_width: int, side: int, num_classes: int, convention: str = "paper"
) -> NetworkTerms:
    """The terms of blocks, of a spec or of a search, on images of `in_width` channels and this side."""
    rows, width, last_side = block_rows(genes, in_width, side, convention, {})
    total = add_columns(columns_of([*rows, head_terms(width, num_classes)]))
    return NetworkTerms(total, width, last_side, stages_of(genes, rows, in_width, side), tuple(genes), (in_width, side))


def block_rows(
    genes: Iterable[Gene], in_width: int, side: int, convention: str, known: BlockCache
) -> tuple[list[Terms], int, int]:
    """The terms of each block on images of `in_width` channels and this side; width and side of the last feature map.

    Args:
        genes: the blocks.
        in_width: channels of the image.
        side: of the image.
        convention: `paper` or `zennas`.
        known: blocks that were computed in this convention; those that are new are added. The networks of a search have
            most of their blocks in common, so that a search does little here but looking blocks up.
    """
    rows, first, lookup = [], True, known.get
    for gene in genes:
        key = (gene, in_width, side, first)
        found = lookup(key)
        if found is None:
            if len(known) >= MAX_CACHED_BLOCKS:
                known.clear()
            found = known[key] = block_terms(gene, in_width, side, convention, first)
        row, side = found
        rows.append(row)
        in_width, first = gene.width, False
    return rows, in_width, side


@lru_cache(maxsize=4096)
def head_terms(width: int, num_classes: int) -> Terms:
    """The terms of the classifier."""
    head = linear_cost(width, num_classes)
    return Terms(params=head.params, macs=head.macs)


def columns_of(rows: Iterable[Terms]) -> tuple[tuple[Any, ...], ...]:
    """One tuple a field of `Terms`, so that a search can look at one sum before it takes the others."""
    return tuple(zip(*rows))  # noqa: B905 - rows are equally long, and looking for it takes a third of the time


def add_columns(columns: Iterable[tuple[Any, ...]]) -> Terms:
    """The sum over blocks from `columns_of`; floats from left to right, as `plain_sum` does, by loops that are fast."""
    gains, maps, fan_ins, params, macs, activations, layers, sublayers = columns
    log_gain = log_maps = log_fan_in = 0.0
    for value in gains:
        log_gain += value
    for value in maps:
        log_maps += value
    for value in fan_ins:
        log_fan_in += value
    return Terms(log_gain, log_maps, log_fan_in, sum(params), sum(macs), sum(activations), sum(layers), sum(sublayers))


def stages_of(genes: Sequence[Gene], rows: Sequence[Terms], in_width: int, side: int) -> tuple[StageTerms, ...]:
    """The stages of blocks with these terms; other arguments as for `block_rows`."""
    stages, log_fan_in = [], 0.0
    for index, (gene, row) in enumerate(zip(genes, rows, strict=True)):
        if gene.stride > 1:
            if index:
                stages.append(StageTerms(log_fan_in, in_width, side))
            side = shrink(side, gene.stride)
        log_fan_in += row.log_fan_in
        in_width = gene.width
    return (*stages, StageTerms(log_fan_in, in_width, side))


def block_terms(gene: Gene, in_width: int, side: int, convention: str, first: bool) -> tuple[Terms, int]:
    """The terms of a block on `in_width` channels of `side` x `side`, and the side of its output map.

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
    side: int


@lru_cache(maxsize=65_536)
def split_block(gene: Gene, side: int, convention: str, first: bool) -> tuple[PerChannel, Terms] | None:
    """Splits a block's terms into a part linear in the input channels and a constant part; None where that cannot be.

    A block need not be computed again when the one before it changes its width: an evolution makes a third more
    proposals a second with this on CIFAR 1M, a tenth more on ImageNet 400M. Arguments as for `block_terms`.
    """
    reader = repeated_units(gene, 1)[0][0]
    layer = reader.layers(side)[0]
    if layer.groups > 1:
        return None
    taps, out = math.prod(layer.kernel), shrink(side, gene.stride)
    weights = layer.out_width * taps
    products = weights * math.prod(layer.out_size)
    if reader.projection:
        weights, products = weights + reader.width, products + reader.width * out**2
    per_channel = PerChannel(gain(layer, LINEAR if first else RELU), taps, weights, products, out)
    less = Terms(-log_sigma(per_channel.gain, convention), 0.0, -math.log(taps), -weights, -products)
    return per_channel, _add_units(less, gene, 1, side, convention, first)


def _add_units(start: Terms, gene: Gene, in_width: int, side: int, convention: str, first: bool) -> Terms:
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
def _unit_terms(unit: Unit, side: int, convention: str, first: bool) -> Terms:
    layers = unit.layers(side)
    rows = [_layer_terms(layers[0], convention, first)]
    rows += [_layer_terms(layer, convention, False) for layer in layers[1:]]
    if unit.squeeze:
        rows.append(_beside(se_cost(unit.mid_width, unit.squeeze)))
    if unit.projection:
        rows.append(_beside(projection_cost(unit, side)))
    return _add_rows(rows)


@lru_cache(maxsize=16_384)
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


def _add_rows(rows: Iterable[Terms]) -> Terms:
    """`add_columns` of few rows, for which this is quicker."""
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
