"""What an exact search found and proved."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from ....net.spec import ArchSpec
from ...shapes import Shape, different_first


class ExactResult(NamedTuple):
    """What the search found and proved.

    Attributes:
        networks: the best, distinct, best first; none where a deadline came before the first network within the limits.
        values: their closed-form scores in nats, or their evenness where that is the objective.
        genomes: of the networks, for moves of the space.
        bound: no network of the space within the limits exceeds it; infinite where a search with evenness or
            a listing was ended before there was one.
        gap: bound over the best value, less one; infinite where no network was found.
        iterations: dynamic programs solved.
        stopped: why it ended: `optimal`, `gap`, `deadline`, `work`, or `branches` where nothing was left to divide.
    """

    networks: tuple[ArchSpec, ...]
    values: tuple[float, ...]
    genomes: tuple[Any, ...]
    bound: float
    gap: float
    iterations: int
    stopped: str


class Row(NamedTuple):
    """A network that was found: its value, shape, genome and spec."""

    value: float
    shape: Shape
    genome: Any
    spec: ArchSpec


def result_of(rows: Sequence[Row], top: int, similar: bool, bound: float, iterations: int, stopped: str) -> ExactResult:
    """The result with the best `top` networks, of different shapes if not `similar`; other arguments as its fields."""
    known: dict[str, Row] = {}
    for row in sorted(rows, key=lambda row: (-row.value, row.spec.id)):
        known.setdefault(row.spec.id, row)
    rows = list(known.values())
    if not similar:
        places = different_first([row.value for row in rows], [row.shape for row in rows], top)
        rows = [rows[place] for place in places]
    kept = sorted(rows[:top], key=lambda row: (-row.value, row.spec.id))
    best = kept[0].value if kept else -math.inf
    gap = max(0.0, bound - best) / abs(best) if kept else math.inf
    values, _, genomes, networks = zip(*kept, strict=True) if kept else ((), (), (), ())
    return ExactResult(networks, values, genomes, bound, gap, iterations, stopped)
