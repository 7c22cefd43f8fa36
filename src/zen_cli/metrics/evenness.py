"""Evenness: how evenly a network spends its MACs over units and over resolutions, near the depth of published networks.

    E  = 3/4 [ log U + mean_u log M_u ] + 1/4 mean_l log M_l - 1/2 ( log(N / N*) )^2        (nats of MACs)
    N* = min(18, 18 (M / 200e6)^(1/4));    below 40M MACs the last term counts for N > N* only

u: the U units between stem and head, residual units and plain convolutions; M_u: the MACs of their convolutions,
without projection and squeeze-and-excitation. l: the output resolutions of the chain, stem and head included; M_l: the
MACs at each. N: residual units; M: MACs of the chain. A network without residual units has no depth term. The first
convolution is the stem; a plain 1x1 convolution, such as a head, is no unit.

A mean of logarithms is at most the logarithm of the mean, so E <= 3/4 log M + 1/4 (log M - log n) with n resolutions:
to spend all MACs in one place never pays. The weights and N* were chosen on trained networks: see docs/evidence.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

from ..errors import ScoreError
from ..net.layers import Chain, Side, area_of, mean_side, shrink, side_of, size_of
from ..net.ops import Gene, Unit, repeated_units

MAX_CACHED_BLOCKS = 65_536
MAX_UNITS = 18.0
MACS_OF_MAX_UNITS = 200e6
SMALL_MACS = 40e6


class Evenness(NamedTuple):
    """E of a network with its parts.

    unit_term: log U + mean_u log M_u, in nats.
    level_term: mean_l log M_l, in nats.
    depth_term: (log(N / N*))^2 where it counts.
    units, residual_units: U and N.
    best_units: N*.
    unit_macs: MACs of all units.
    macs, weights, activations: of the chain alone, without projections, squeeze-and-excitation, BN and classifier.
    level_macs: (side, MACs) of each output resolution, the greatest first.
    resolution: side of the image, or the root of its area.
    """

    unit_term: float
    level_term: float
    depth_term: float
    units: int
    residual_units: int
    best_units: float
    unit_macs: int
    macs: int
    weights: int
    activations: int
    level_macs: tuple[tuple[Side, int], ...]
    resolution: float

    @property
    def value(self) -> float:
        """E in nats of MACs."""
        return 0.75 * self.unit_term + 0.25 * self.level_term - 0.5 * self.depth_term

    @property
    def bound(self) -> float:
        """What E of no network with these MACs and as many resolutions exceeds."""
        return upper_bound(self.macs, len(self.level_macs))

    @property
    def unit_deficit(self) -> float:
        """log of the mean M_u minus the mean log M_u, in nats: 0 where all units have the same MACs."""
        return math.log(self.unit_macs) - self.unit_term

    @property
    def shares(self) -> tuple[tuple[Side, float], ...]:
        """(side, share of the chain's MACs) of each output resolution."""
        return tuple((side, macs / self.macs) for side, macs in self.level_macs)

    @property
    def effective_side(self) -> float:
        """r sqrt(weights / MACs): the side of the map on which every weight is used, on average; published 12 to 25."""
        return self.resolution * math.sqrt(self.weights / self.macs)

    @property
    def map_ratio(self) -> float:
        """activations / (r sqrt(MACs)); published 0.6 to 2.2."""
        return self.activations / (math.sqrt(self.macs) * self.resolution)


class BlockSums(NamedTuple):
    """What a block adds: its units, the sum of their log M_u, and its MACs at the side that it reads and at `side`."""

    units: int
    residual_units: int
    log_macs: float
    unit_macs: int
    entry_macs: int
    macs: int
    weights: int
    activations: int
    side: Side


def upper_bound(macs: float, levels: int) -> float:
    """The free bound: E <= 3/4 log B + 1/4 (log B - log n) for at most B MACs of the chain and n resolutions."""
    return 0.75 * math.log(macs) + 0.25 * (math.log(macs) - math.log(levels))


def best_units(macs: float) -> float:
    """N*, the residual units at which the depth term is 0."""
    return min(MAX_UNITS, MAX_UNITS * math.sqrt(math.sqrt(macs / MACS_OF_MAX_UNITS)))


def depth_term(residual_units: int, macs: float) -> float:
    """(log(N / N*))^2; 0 without residual units, and below 40M MACs where N <= N*."""
    if not residual_units:
        return 0.0
    distance = math.log(residual_units / best_units(macs))
    return 0.0 if macs < SMALL_MACS and distance < 0 else distance * distance


def depth_terms(residual_units: Any, macs: Any) -> Any:
    """`depth_term` of arrays of networks with residual units."""
    import numpy as np

    most = MAX_UNITS * np.minimum(1.0, np.sqrt(np.sqrt(macs / MACS_OF_MAX_UNITS)))
    distance = np.log(residual_units / most)
    return np.where((macs < SMALL_MACS) & (distance < 0), 0.0, distance * distance)


def network_evenness(genes: Iterable[Gene], in_width: int, side: Side) -> Evenness:
    """E of blocks on images of `in_width` channels and this side; one cached look-up a block.

    Raises:
        ScoreError: there is no unit between stem and head.
    """
    levels: dict[Side, int] = {}
    units = residual_units = unit_macs = weights = activations = 0
    log_macs, resolution, first = 0.0, side, True
    for gene in genes:
        row = block_sums(gene, in_width, side, first)
        units += row.units
        residual_units += row.residual_units
        log_macs += row.log_macs
        unit_macs += row.unit_macs
        weights += row.weights
        activations += row.activations
        if row.entry_macs:
            levels[side] = levels.get(side, 0) + row.entry_macs
        in_width, side, first = gene.width, row.side, False
        levels[side] = levels.get(side, 0) + row.macs
    return _evenness(levels, units, residual_units, log_macs, unit_macs, weights, activations, mean_side(resolution))


def chain_evenness(chain: Chain, units: Iterable[range], residual_units: int) -> Evenness:
    """E of a network of which only the chain is known, and which of its layers are a unit.

    Args:
        chain: all layers, from the image to the last feature map.
        units: the indices of each unit's layers, without stem and head.
        residual_units: how many of the units have a shortcut.

    Raises:
        ScoreError: there is no unit.
    """
    macs = [math.prod(layer.weight_shape) * math.prod(layer.out_size) for layer in chain]
    levels: dict[Side, int] = {}
    for layer, count in zip(chain, macs, strict=True):
        side = side_of(layer.out_size)
        levels[side] = levels.get(side, 0) + count
    of_units = [sum(macs[index] for index in unit) for unit in units]
    return _evenness(
        levels,
        len(of_units),
        residual_units,
        math.fsum(map(math.log, of_units)),
        sum(of_units),
        sum(math.prod(layer.weight_shape) for layer in chain),
        sum(layer.out_width * math.prod(layer.out_size) for layer in chain),
        mean_side(side_of(chain[0].in_size)),
    )


@lru_cache(maxsize=MAX_CACHED_BLOCKS)
def block_sums(gene: Gene, in_width: int, side: Side, first: bool) -> BlockSums:
    """What a block on `in_width` channels of this side adds; `first` says that it reads the image."""
    out = shrink(side, gene.stride)
    units = residual_units = unit_macs = entry_macs = macs = weights = activations = 0
    log_macs, is_residual = 0.0, gene.kind.is_residual
    for index, (unit, times) in enumerate(repeated_units(gene, in_width)):
        entry, inside, stored, made = _unit_sums(unit, side if index == 0 else out, out)
        entry_macs += times * entry
        macs += times * inside
        weights += times * stored
        activations += times * made
        if is_residual or (gene.kernel > 1 and not (first and index == 0)):
            units += times
            residual_units += times * is_residual
            log_macs += times * math.log(entry + inside)
            unit_macs += times * (entry + inside)
    return BlockSums(units, residual_units, log_macs, unit_macs, entry_macs, macs, weights, activations, out)


@lru_cache(maxsize=MAX_CACHED_BLOCKS)
def _unit_sums(unit: Unit, side: Side, out: Side) -> tuple[int, int, int, int]:
    """(MACs at other sides than `out`, MACs at `out`, weights, activations) of the convolutions of a unit."""
    entry = inside = weights = activations = 0
    size = size_of(out)
    for layer in unit.layers(side):
        count, area = math.prod(layer.weight_shape), math.prod(layer.out_size)
        weights += count
        activations += layer.out_width * area
        if layer.out_size == size:
            inside += count * area
        else:
            entry += count * area
    return entry, inside, weights, activations


def _evenness(
    levels: dict[Side, int],
    units: int,
    residual_units: int,
    log_macs: float,
    unit_macs: int,
    weights: int,
    activations: int,
    resolution: float,
) -> Evenness:
    if not units:
        raise ScoreError(
            "evenness needs a unit between stem and head: a residual unit or a convolution larger than 1x1"
        )
    macs = sum(levels.values())
    return Evenness(
        math.log(units) + log_macs / units,
        math.fsum(map(math.log, levels.values())) / len(levels),
        depth_term(residual_units, macs),
        units,
        residual_units,
        best_units(macs),
        unit_macs,
        macs,
        weights,
        activations,
        tuple(sorted(levels.items(), key=lambda row: area_of(row[0]), reverse=True)),
        resolution,
    )
