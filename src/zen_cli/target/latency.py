"""How long a network takes on a target: a sum over its blocks, each given its input, so that a search can use it.

What does not fit into a cache is read again in every run: the laws of operations say what weights cost that are near,
and `LatencyModel.cold` what those of a network cost besides that has more of them than caches keep.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ..net.classifier import Classifier
from ..net.layers import ConvLayer, Side, shrink
from ..net.ops import Gene
from ..net.spec import ArchSpec
from .graph import Operation, block_operations, convolution, head_operations
from .model import LatencyModel, Law, Target
from .terms import terms, terms_of_layer

MAX_CACHED_BLOCKS = 65_536


class Part(NamedTuple):
    """Of some operations: their milliseconds by the laws, and their weights with channels rounded up."""

    ms: float
    weights: float


def predict_ms(target: Target, genes: Iterable[Gene], in_width: int, side: Side, classifier: Classifier) -> float:
    """Milliseconds for one batch; blocks are looked up in a cache that the target holds.

    Args:
        target: one that predicts.
        genes: the blocks of a network.
        in_width: channels of the image.
        side: of the image.
        classifier: what follows the last map.
    """
    known: dict[object, Part] = target._blocks
    total = weights = 0.0
    first = True
    for gene in genes:
        part = known.get((gene, in_width, side, first)) or block_part(target, gene, in_width, side, first=first)
        total, weights = total + part.ms, weights + part.weights
        in_width, side, first = gene.width, shrink(side, gene.stride), False
    part = head_part(target, in_width, side, classifier)
    total, weights = total + part.ms, weights + part.weights
    return total if target.model is None else total + _besides(target.model, weights)


def block_part(target: Target, gene: Gene, in_width: int, side: Side, *, first: bool) -> Part:
    """The part of a block on a map of this width and side; `first` where that is the image."""
    key = (gene, in_width, side, first)
    return target._blocks.get(key) or _keep(target, key, block_operations(gene, in_width, side, first=first))


def head_part(target: Target, width: int, side: Side, classifier: Classifier) -> Part:
    """The part of what follows the last map."""
    key = (width, side, classifier)
    return target._blocks.get(key) or _keep(target, key, [(one, 1) for one in head_operations(*key)])


def start_ms(target: Target) -> float:
    """The least milliseconds that a network takes beside its operations."""
    return 0.0 if target.model is None else _besides(target.model, 0.0)


def latency_ms(target: Target, spec: ArchSpec) -> float:
    """Milliseconds of a spec for one batch, on a target that predicts."""
    return predict_ms(target, spec.genes, spec.in_channels, spec.resolution, spec.classifier)


def whole_of(model: LatencyModel, operations: Iterable[Operation]) -> float:
    """Milliseconds of a network of these operations."""
    rows = list(operations)
    ms = math.fsum(law_ms(model.laws[nearest_kind(model.laws, one.kind)], one) for one in rows)
    return ms + _besides(model, sum(terms(one).weights for one in rows))


def law_ms(law: Law, one: Operation) -> float:
    """Milliseconds of an operation by a law."""
    row = terms(one)
    return math.fsum(rate * getattr(row, name) for name, rate in law.items())


def _besides(model: LatencyModel, weights: float) -> float:
    return model.start + math.fsum(row.rate * weights * row.share(weights) for row in model.cold)


def _keep(target: Target, key: object, rows: Iterable[tuple[Operation, int]]) -> Part:
    if len(target._blocks) >= MAX_CACHED_BLOCKS:
        target._blocks.clear()
    ms = weights = 0.0
    for one, times in rows:
        ms += times * operation_ms(target, one)
        weights += times * terms(one).weights
    part = Part(ms, weights)
    target._blocks[key] = part
    return part


def operation_ms(target: Target, one: Operation) -> float:
    """Milliseconds of an operation, on a target that predicts."""
    if target.model is not None:
        return law_ms(target.model.laws[nearest_kind(target.model.laws, one.kind)], one)
    assert target.clock is not None and target.macs_per_cycle is not None  # or it would not predict
    return 1e3 * one.macs / (target.clock * target.macs_per_cycle)


def layer_ms(target: Target, kind: str, layer: ConvLayer) -> Any:
    """`operation_ms` of a convolution of a kind, for each of its widths and groups, which may be arrays."""
    if target.model is None:
        return operation_ms(target, convolution("", layer, kind=kind))
    law, row = target.model.laws[nearest_kind(target.model.laws, kind)], terms_of_layer(layer)
    return sum(rate * getattr(row, name) for name, rate in law.items())


def nearest_kind(laws: Mapping[str, object], kind: str) -> str:
    """The kind, or the nearest one that was measured; see `NEAREST`."""
    return next(name for name in (kind, *NEAREST[kind], *laws) if name in laws)


# Whose law is taken for a kind that no probe has, such as grouped convolutions in a profile of inverted residuals.
NEAREST = {
    "image": ("thin", "dense", "pointwise"),
    "thin": ("pointwise", "dense"),
    "dense": ("small", "pointwise", "thin"),
    "small": ("dense", "pointwise", "thin"),
    "pointwise": ("dense", "small", "thin"),
    "depthwise": ("narrow", "grouped", "dense"),
    "grouped": ("narrow", "dense", "pointwise"),
    "narrow": ("grouped", "dense", "pointwise"),
    "squeeze": ("pointwise", "linear"),
    "gate": ("add", "pool"),
    "add": ("gate", "pool"),
    "pool": ("gate", "add"),
    "linear": ("pointwise", "dense"),
}
