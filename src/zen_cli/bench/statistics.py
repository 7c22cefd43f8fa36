"""Statistics of a metric on trained networks: what its pick loses, and how well it ranks. Pure functions on arrays.

    regret      best accuracy of a bin minus the accuracy of the metric's pick, its argmax
    ratio       sum of the regrets over bins / sum of the regrets of a random network of the same cost
    percentile  share of the bin that the pick is at least as good as
    nDCG        discounted gain of the metric's order over that of the best order
    Spearman    rank correlation, ties sharing their mean rank

A statistic without a value, such as a correlation with a constant, is NaN. Shapes: N networks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Places = NDArray[np.intp]
"""Places of networks in a table."""
Pick = Callable[[Places], int]
"""The place of the pick among the places of a bin."""
INTERVAL = (2.5, 97.5)


def argmax(values: Floats) -> Pick:
    """Picks the highest value, the first of equals."""
    return lambda places: int(places[np.argmax(values[places])])


def in_band(score: Floats, even: Floats, width: float) -> Pick:
    """The rule of the default search: the highest score among those at most `width` below the most even."""

    def pick(places: Places) -> int:
        inside = places[even[places] >= even[places].max() - width]
        return int(inside[np.argmax(score[inside])])

    return pick


def bins(places: Places, values: Floats, count: int) -> list[Places]:
    """Equally many places a bin, by rank of the values [N]."""
    order = np.argsort(np.argsort(values[places], kind="stable"), kind="stable")
    of = order * count // len(places)
    return [places[of == index] for index in range(count)]


def cells(places: Places, outer: Floats, inner: Floats, counts: tuple[int, int]) -> list[Places]:
    """Bins by the outer values and, within each, by the inner ones."""
    return [cell for one in bins(places, outer, counts[0]) for cell in bins(one, inner, counts[1])]


def ratio(accuracy: Floats, groups: Iterable[Places], pick: Pick) -> float:
    """Regret over the regret of a random network of the same bin; 0 picks the best, 1 is chance."""
    regret = chance = 0.0
    for places in groups:
        best = accuracy[places].max()
        regret += best - accuracy[pick(places)]
        chance += best - accuracy[places].mean()
    return float(regret / chance) if chance > 0 else math.nan


def limit_ratio(accuracy: Floats, groups: Iterable[Places], pick: Pick) -> float:
    """The same as a search works: all networks up to the upper end of each bin, against a random one of that bin."""
    regret, chance, below = 0.0, 0.0, np.array([], dtype=np.intp)
    for places in groups:
        below = np.concatenate([below, places])
        best = accuracy[below].max()
        regret += best - accuracy[pick(below)]
        chance += best - accuracy[places].mean()
    return float(regret / chance) if chance > 0 else math.nan


def percentile(accuracy: Floats, groups: Sequence[Places], pick: Pick) -> float:
    """Share of a bin that the pick is at least as good as, mean over bins."""
    return float(np.mean([np.mean(accuracy[places] <= accuracy[pick(places)]) for places in groups]))


def ndcg(values: Floats, accuracy: Floats) -> float:
    """Discounted gain of an order over that of the best one; the gain is the accuracy from worst (0) to best (1)."""
    if np.ptp(accuracy) == 0:
        return math.nan
    gains = (accuracy - accuracy.min()) / np.ptp(accuracy)
    discounts = 1 / np.log2(np.arange(2, len(gains) + 2))
    order = np.argsort(-values, kind="stable")
    return float((gains[order] * discounts).sum() / (np.sort(gains)[::-1] * discounts).sum())


def spearman(left: ArrayLike, right: ArrayLike) -> float:
    """Spearman's rank correlation; NaN where one side is constant."""
    a, b = _ranks(np.asarray(left)), _ranks(np.asarray(right))
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return math.nan
    return float(np.corrcoef(a, b)[0, 1])


def mean_of(values: Iterable[float]) -> float:
    """The mean of those that have a value; NaN where none has."""
    known = [value for value in values if not math.isnan(value)]
    return math.fsum(known) / len(known) if known else math.nan


def half_samples(count: int, halves: int) -> list[Places]:
    """Random halves of N places, drawn without replacement and always the same ones.

    A statistic of halves scatters as that of the whole table would over other tables of its size: half of N drawn from
    N has the variance of a mean that N independent networks have.
    """
    random = np.random.default_rng(0)
    return [np.sort(random.choice(count, count // 2, replace=False)) for _ in range(halves)]


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The 2.5 and 97.5 percentiles of those that have a value; NaN where none has."""
    known: Any = [value for value in values if not math.isnan(value)]
    if not known:
        return math.nan, math.nan
    low, high = np.percentile(known, INTERVAL)
    return float(low), float(high)


def _ranks(values: NDArray[Any]) -> Floats:
    """Ranks [N] from 1, ties sharing their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    means: Floats = np.cumsum(counts) - (counts - 1) / 2
    return means[inverse]
