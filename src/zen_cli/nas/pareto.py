"""Fronts as pure functions on arrays: what nothing beats in all objectives, and how much of the range it covers.

Points are rows of values that are all better where lower, [N, D]; a score enters with its sign changed.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

_BLOCK = 256


def non_dominated(points: ArrayLike) -> Bools:
    """Which points no other one beats: at most as high in every column and lower in one; [N].

    Of equal points the first one counts. With two columns it takes N log N comparisons, with more N^2.
    """
    rows = _rows(points)
    count, width = rows.shape
    order = np.lexsort(rows.T[::-1])  # by the first column, then the next; stable, so that of equal ones the first
    ordered = rows[order]
    keep = np.ones(count, dtype=bool)
    if width == 2:
        keep[1:] = ordered[1:, 1] < np.minimum.accumulate(ordered[:, 1])[:-1]
    else:
        for start in range(0, count, _BLOCK):
            block = ordered[start : start + _BLOCK]
            before = ordered[: start + len(block)]  # what comes later in this order beats none of these
            beats = (before[None] <= block[:, None]).all(axis=2)  # [B, N]
            beats &= np.arange(len(before)) < np.arange(start, start + len(block))[:, None]
            keep[start : start + len(block)] = ~beats.any(axis=1)
    found = np.zeros(count, dtype=bool)
    found[order] = keep
    return found


def hypervolume(points: ArrayLike, reference: ArrayLike) -> float:
    """The volume of what is beaten by a point and is below the reference in every column.

    Source: Zitzler and Thiele, *Multiobjective optimization using evolutionary algorithms* (1998); computed by slices
    along the last column.
    """
    corner = np.asarray(reference, dtype=float)
    rows = _rows(points, len(corner))
    return _volume(rows[(rows < corner).all(axis=1)], corner)


def _volume(rows: Floats, corner: Floats) -> float:
    if not len(rows):
        return 0.0
    if rows.shape[1] == 1:
        return float(corner[0] - rows.min())
    rows = rows[non_dominated(rows)]
    rows = rows[np.argsort(rows[:, -1], kind="stable")]
    heights = np.diff(rows[:, -1], append=corner[-1])
    slices = [_volume(rows[: index + 1, :-1], corner[:-1]) * height for index, height in enumerate(heights) if height]
    return math.fsum(slices)


def spread(costs: ArrayLike, scores: ArrayLike, limits: ArrayLike) -> list[tuple[int, int]]:
    """The best under each of several limits: (point, limit), each point once, with the last limit it is best under.

    Args:
        costs: of the points, [N, C].
        scores: higher is better, [N]; of equal ones the first point counts.
        limits: [L, C], in any order; one that no point keeps is left out.
    """
    rows, values = _rows(costs), np.asarray(scores, dtype=float)
    found: dict[int, int] = {}
    for index, limit in enumerate(_rows(limits)):
        inside = np.flatnonzero((rows <= limit).all(axis=1))
        if len(inside):
            found[int(inside[values[inside].argmax()])] = index
    return list(found.items())


def ladder(low: ArrayLike, high: ArrayLike, count: int) -> Floats:
    """Limits spread over a range in equal ratios, [count, C], the lowest first; the last one is `high`.

    With several columns they fill the box evenly: Roberts' R sequence, whose first points are the corner `high`, and
    each column's low end with the others high.
    """
    least, most = np.log(np.asarray(low, dtype=float)), np.log(np.asarray(high, dtype=float))
    width = len(least)
    if width == 1:
        shares = np.linspace(0.0, 1.0, count)[:, None] if count > 1 else np.ones((1, 1))
    else:
        corners = np.concatenate([np.ones((1, width)), 1.0 - np.eye(width)])[:count]
        root = 2.0  # of x^(width + 1) = x + 1
        for _ in range(64):
            root = (1.0 + root) ** (1.0 / (width + 1))
        steps = root ** -np.arange(1.0, width + 1)
        inner = (0.5 + np.arange(1, count - len(corners) + 1)[:, None] * steps) % 1.0
        shares = np.concatenate([corners, inner])
        shares = shares[np.argsort(shares.sum(axis=1), kind="stable")]
    rows: Floats = np.where(shares == 0.0, low, np.minimum(np.exp(least + shares * (most - least)), high))
    return np.where(shares == 1.0, high, rows)


def _rows(points: ArrayLike, width: int = 1) -> Floats:
    """Points as an array of two dimensions, also where there are none."""
    rows = np.asarray(points, dtype=float)
    return rows if rows.ndim == 2 else rows.reshape(-1, width)
