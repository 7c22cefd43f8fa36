"""How long a network takes on a target: a sum over its blocks, each given its input, so that a search can use it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ..net.layers import shrink
from ..net.ops import Gene
from .graph import Operation, block_operations, head_operations
from .model import Law, Target

MAX_CACHED_BLOCKS = 65_536


class Features(NamedTuple):
    """What the time of an operation is linear in; the fields of a `Law`."""

    overhead: float
    padded: float
    moved: float
    weights: float


def features(one: Operation) -> Features:
    """Those of an operation."""
    return Features(1.0, one.padded, one.reads + one.writes, one.weights)


def predict_ms(target: Target, genes: Iterable[Gene], in_width: int, side: int, classifier: tuple[int, ...]) -> float:
    """Milliseconds for one batch; blocks are looked up in a cache that the target holds.

    Args:
        target: one that predicts.
        genes: the blocks of a network.
        in_width: channels of the image.
        side: of the image.
        classifier: of the classifier.
    """
    known, total, first = target._blocks, 0.0, True
    for gene in genes:
        key = (gene, in_width, side, first)
        value = known.get(key)
        if value is None:
            if len(known) >= MAX_CACHED_BLOCKS:
                known.clear()
            rows = block_operations(gene, in_width, side, first=first)
            value = known[key] = sum(times * _operation_ms(target, one) for one, times in rows)
        total += value
        in_width, side, first = gene.width, shrink(side, gene.stride), False
    head = (in_width, side, classifier)
    value = known.get(head)
    if value is None:
        value = known[head] = sum(_operation_ms(target, one) for one in head_operations(*head))
    total += value
    return total


def law_ms(law: Law, one: Operation) -> float:
    """Milliseconds of an operation by a law."""
    return law.overhead + law.padded * one.padded + law.moved * (one.reads + one.writes) + law.weights * one.weights


def _operation_ms(target: Target, one: Operation) -> float:
    if target.model is not None:
        return law_ms(target.model.laws[nearest_kind(target.model.laws, one.kind)], one)
    assert target.clock is not None and target.macs_per_cycle is not None  # or it would not predict
    return 1e3 * one.macs / (target.clock * target.macs_per_cycle)


def nearest_kind(laws: Mapping[str, Law], kind: str) -> str:
    """The kind, or the nearest one that was measured; see `NEAREST`."""
    return next(name for name in (kind, *NEAREST[kind], *laws) if name in laws)


# Whose law is taken for a kind that no probe has, such as grouped convolutions in a profile of inverted residuals.
NEAREST = {
    "image": ("dense", "pointwise"),
    "dense": ("pointwise", "image"),
    "pointwise": ("dense",),
    "depthwise": ("narrow", "grouped", "dense"),
    "grouped": ("narrow", "dense", "pointwise"),
    "narrow": ("grouped", "dense", "pointwise"),
    "squeeze": ("pointwise", "linear"),
    "gate": ("add", "pool"),
    "add": ("gate", "pool"),
    "pool": ("gate", "add"),
    "linear": ("pointwise", "dense"),
}
