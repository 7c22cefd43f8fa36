"""The table of `zen bench`: one row a metric."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .layout import ABSENT, Field, Sheet, lay_out
from .terminal import print_lines, width_of

if TYPE_CHECKING:
    from ..bench.summary import Estimate, Summary

# Titles of the statistics, and when each is left out for lack of width: the highest number first.
COLUMNS = {
    "ratio": ("regret", 0),
    "cells": ("in cells", 4),
    "limit": ("MACs <= B", 3),
    "percentile": ("percentile", 5),
    "ndcg": ("nDCG", 6),
    "inside": ("Spearman in bins", 1),
    "overall": ("Spearman", 2),
}


def print_bench(rows: Sequence[Summary], networks: int, bins: int) -> None:
    """Prints the summaries of a table as a table on stdout."""
    print_lines(lay_out(bench_sheet(rows, networks, bins), width_of(sys.stdout)))


def bench_sheet(rows: Sequence[Summary], networks: int, bins: int) -> Sheet:
    """One row a metric, the statistics that have a value in columns; in parentheses 95% intervals."""
    fields = [Field("picked by", [row.metric for row in rows], right=False)]
    for name, (title, drop) in COLUMNS.items():
        column = [getattr(row, name) for row in rows]
        if not all(math.isnan(row.value) for row in column):
            fields.append(Field(title, [write_estimate(row) for row in column], drop=drop))
    within = "the whole table" if bins == 1 else f"{bins} bins of equal MACs"
    return Sheet(
        fields,
        captions=[
            f"{networks:,} networks, {within}; in parentheses 95% intervals of random halves",
            "regret: of the pick, over that of a random network of the same cost; 0 is the best network, 1 is chance",
        ],
    )


def write_estimate(row: Estimate) -> str:
    """`0.45 (0.25 to 0.50)`, or `0.979` where there is no interval."""
    if math.isnan(row.value):
        return ABSENT
    return f"{row.value:.3f}" if math.isnan(row.low) else f"{row.value:.2f} ({row.low:.2f} to {row.high:.2f})"
