"""From networks with accuracies to a table with the value of every metric."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..errors import RunError
from ..metrics import Metric, find, names
from ..metrics.settings import ScoreSettings
from .reading import Trained
from .summary import Table


def closed_forms() -> tuple[Metric, ...]:
    """The built-in metrics that need no random networks, and no target either."""
    found = (metric for metric in map(find, names()) if metric.closed_form is not None)
    return tuple(metric for metric in found if "target" not in metric.settings)


def measure(
    rows: Sequence[Trained],
    metrics: Sequence[Metric],
    *,
    note: Callable[[str], None] = lambda _: None,
    on_progress: Callable[[int, int], None] = lambda *_: None,
) -> Table:
    """The table of networks with every metric, by its closed form where it has one.

    Args:
        rows: the networks.
        metrics: what to compute; one that a network does not have, or all share, is left out.
        note: told of each metric that was left out, and why.
        on_progress: called with the number of values that are computed, and of how many.
    """
    specs = [row.spec for row in rows]
    settings = ScoreSettings(estimator="mean-field")
    values = {}
    for index, metric in enumerate(metrics):
        column: list[float] = []
        faults: list[RunError] = []
        for row in metric.evaluate_all(specs, settings):
            if isinstance(row, RunError):
                faults.append(row)
            else:
                column.append(metric.sign * row.value)
            on_progress(index * len(rows) + len(column) + len(faults), len(rows) * len(metrics))
        if faults:
            note(f"{metric.name}: left out, {len(faults)} of {len(rows)} networks have none; {faults[0]}")
        elif min(column) == max(column):
            note(f"{metric.name}: left out, it is the same for all networks")
        else:
            values[metric.name] = np.array(column, dtype=float)
    costs = [spec.cost for spec in specs]
    return Table(
        np.array([row.accuracy for row in rows]),
        values,
        np.array([cost.macs for cost in costs], dtype=float),
        np.array([cost.params for cost in costs], dtype=float),
    )
