"""The answer of several searches together: the best of what each of them found."""

from __future__ import annotations

from collections.abc import Iterable

from ..net.counting import Cost
from ..net.layers import Chain
from .outcome import Candidate
from .settings import SearchSettings
from .shapes import different_first, shape_of


def choose(candidates: Iterable[Candidate], settings: SearchSettings, sign: int = 1) -> tuple[Candidate, ...]:
    """The best distinct candidates, as many as an answer needs, best first.

    Args:
        candidates: of searches of one problem; of equal ones the first stays.
        settings: of the problem; unless they say `similar`, networks of different shapes come before others.
        sign: -1 where a lower score is better.
    """
    found: dict[tuple[Chain, Cost], Candidate] = {}
    for row in sorted(candidates, key=lambda row: -sign * row.score):
        found.setdefault((row.spec.chain, row.spec.cost), row)
    rows, count = list(found.values()), max(settings.top, settings.verify)
    if settings.similar:
        return tuple(rows[:count])
    shapes = [shape_of(row.spec.genes) for row in rows]
    places = different_first([sign * row.score for row in rows], shapes, count)[:count]
    return tuple(sorted((rows[place] for place in places), key=lambda row: -sign * row.score))
