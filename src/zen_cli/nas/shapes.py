"""The shape of a network: how many sub-layers it has at each resolution; and choosing networks whose shapes differ.

The best networks that a search meets are copies of one, a few channels apart. An answer of several is worth more where
they are different proposals: of each shape the best one.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..net.ops import Gene

Shape = tuple[int, ...]

WORTH = 0.1  # of the best score: what another shape may lose


def shape_of(genes: Sequence[Gene]) -> Shape:
    """The sub-layers before the first stride, between it and the next, and so on."""
    counts = [0]
    for gene in genes:
        if gene.stride > 1:
            counts.append(0)
        counts[-1] += gene.sublayers
    return tuple(counts)


def different_first(scores: Sequence[float], shapes: Sequence[Shape], count: int) -> list[int]:
    """The places of networks in the order in which an answer of `count` takes them.

    The best of each shape come first, at most `count` and none more than a tenth below the best score; then all others.

    Args:
        scores: higher is better, sorted, the best first.
        shapes: of the same networks.
        count: how many the answer has.
    """
    least = scores[0] - WORTH * abs(scores[0]) if scores else 0.0
    first: dict[Shape, int] = {}
    for index, (score, shape) in enumerate(zip(scores, shapes, strict=True)):
        if score >= least:
            first.setdefault(shape, index)
    chosen = list(first.values())[:count]
    taken = set(chosen)
    return [*chosen, *(index for index in range(len(shapes)) if index not in taken)]
