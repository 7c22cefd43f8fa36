"""Every statistic of every metric on a table of trained networks, with intervals from random halves of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..nas.band import DEFAULT_WIDTH
from ..units import parse_count
from .figures import RULE as RULE
from .statistics import (
    Floats,
    Pick,
    Places,
    argmax,
    bins,
    cells,
    half_samples,
    in_band,
    interval,
    limit_ratio,
    mean_of,
    ndcg,
    percentile,
    ratio,
    spearman,
)

MOST_BINS = 10
CELLS = (5, 3)
LEAST_IN_BIN = 10
HALVES = 200


class Estimate(NamedTuple):
    """A statistic and its 95% interval; NaN where it has no value, or none that halves of a table can give."""

    value: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float | None]:
        """JSON, with null for NaN."""
        return {key: None if math.isnan(value) else value for key, value in self._asdict().items()}


@dataclass(frozen=True)
class Table:
    """Trained networks.

    Attributes:
        accuracy: [N], higher is better.
        values: [N] of each metric, higher is better.
        macs, params: [N], what bins are made of.
    """

    accuracy: Floats
    values: Mapping[str, Floats]
    macs: Floats
    params: Floats

    @property
    def everything(self) -> Places:
        """The places of all networks."""
        return np.arange(len(self.accuracy))

    def picks(self) -> dict[str, Pick]:
        """The rule of the default search where its two metrics are known, then each metric's argmax."""
        found: dict[str, Pick] = {name: argmax(values) for name, values in self.values.items()}
        if {"zen", "even"} <= self.values.keys():
            found = {RULE: in_band(self.values["zen"], self.values["even"], DEFAULT_WIDTH), **found}
        return found

    def deciles(self, places: Places, count: int = MOST_BINS) -> list[Places]:
        """Bins by MACs."""
        return bins(places, self.macs, count)

    def cells(self, places: Places) -> list[Places]:
        """Bins by MACs and, within them, parameters."""
        return cells(places, self.macs, self.params, CELLS)

    @property
    def has_cells(self) -> bool:
        """Whether half of the table fills the cells."""
        return len(self.accuracy) // 2 >= math.prod(CELLS) * LEAST_IN_BIN


class Summary(NamedTuple):
    """What picking by one metric, or by the default rule, is worth on a table.

    Attributes:
        metric: its name.
        ratio: regret over chance within bins of MACs.
        cells: the same within bins of MACs and parameters; NaN where the table is too small for them.
        limit: the same for the best of all networks up to a limit of MACs.
        percentile: of the pick within bins, from 0 to 1.
        ndcg, inside: nDCG and Spearman within bins, mean over bins; NaN for a rule, which has no order.
        overall: Spearman over the whole table, which the range of costs dominates; NaN for a rule.
    """

    metric: str
    ratio: Estimate
    cells: Estimate
    limit: Estimate
    percentile: Estimate
    ndcg: Estimate
    inside: Estimate
    overall: Estimate

    def to_dict(self) -> dict[str, Any]:
        """JSON."""
        return {"metric": self.metric, **{name: row.to_dict() for name, row in zip(STATISTICS, self[1:], strict=True)}}


STATISTICS = Summary._fields[1:]


def check_bins(text: str | None, networks: int) -> int:
    """The bins by MACs that were asked for; by default as many as half of the table fills with ten networks each.

    Raises:
        UsageError: not a number, or a half of the table has less than two networks a bin.
    """
    if text is None:
        return max(1, min(MOST_BINS, networks // 2 // LEAST_IN_BIN))
    return parse_count(text, "bins", most=max(1, networks // 4))


def summarize(table: Table, *, count: int, halves: int = HALVES) -> list[Summary]:
    """One summary a metric, the default rule first.

    Args:
        table: of at least two networks a bin.
        count: bins by MACs.
        halves: random halves of the table for the intervals, each binned anew.
    """
    parts = half_samples(len(table.accuracy), halves)
    rows = []
    for name, pick in table.picks().items():
        values = table.values.get(name)
        whole = _measure(table, pick, values, table.everything, count)
        columns = zip(*(_measure(table, pick, values, part, count) for part in parts), strict=True)
        found = Summary(name, *(Estimate(value, *interval(part)) for value, part in zip(whole, columns, strict=True)))
        # nDCG falls with the size of a bin, so that of halves says nothing about the whole
        rows.append(found._replace(ndcg=Estimate(found.ndcg.value, math.nan, math.nan)))
    return rows


def _measure(table: Table, pick: Pick, values: Floats | None, places: Places, count: int) -> tuple[float, ...]:
    """The statistics of a pick and of the order of `values` on some networks, as in `STATISTICS`."""
    accuracy, groups = table.accuracy, table.deciles(places, count)
    picked = (
        ratio(accuracy, groups, pick),
        ratio(accuracy, table.cells(places), pick) if table.has_cells else math.nan,
        limit_ratio(accuracy, groups, pick),
        percentile(accuracy, groups, pick),
    )
    if values is None:
        return (*picked, math.nan, math.nan, math.nan)
    return (
        *picked,
        mean_of(ndcg(values[one], accuracy[one]) for one in groups),
        mean_of(spearman(values[one], accuracy[one]) for one in groups),
        spearman(values[places], accuracy[places]),
    )
