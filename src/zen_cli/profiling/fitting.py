"""From times of operations to one law for each kind: least squares with rates that are not negative. No torch.

An operation's time is overhead + padded MACs + moved elements + weights, each times a rate. With four rates, the best
that are not negative are found by trying all sets of rates that are not zero. Errors are weighed by the square root of
the time, so that neither the many small operations nor the few large ones decide alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import median

from ..target.graph import Operation
from ..target.latency import features, law_ms, nearest_kind
from ..target.model import Law

TRUST = 0.05
LEAST_OPERATIONS = 8  # of one kind, for a law of four rates


def fit_laws(samples: Sequence[tuple[Operation, float]]) -> dict[str, Law]:
    """The law of each kind of operation that was measured often enough.

    Args:
        samples: (operation, milliseconds).
    """
    kinds: dict[str, list[tuple[Operation, float]]] = {}
    for one, time in samples:
        kinds.setdefault(one.kind, []).append((one, time))
    return {kind: _fit(rows) for kind, rows in kinds.items() if len(rows) >= LEAST_OPERATIONS}


def _fit(rows: Sequence[tuple[Operation, float]]) -> Law:
    import numpy as np

    x = np.array([features(one) for one, _ in rows])  # [N, 4]
    y = np.array([time for _, time in rows])  # [N]
    weight = 1 / np.sqrt(np.maximum(y, 1e-4))
    sizes = np.maximum(np.abs(x).max(axis=0), 1e-30)  # so that rates are of one size
    x, y = x / sizes * weight[:, None], y * weight
    best, best_error = np.zeros(4), math.inf
    for count in range(1, 5):
        for chosen in combinations(range(4), count):
            rates, *_ = np.linalg.lstsq(x[:, chosen], y, rcond=None)
            if (rates < 0).any():
                continue
            error = float(((x[:, chosen] @ rates - y) ** 2).sum())
            if error < best_error:
                best, best_error = np.zeros(4), error
                best[list(chosen)] = rates
    overhead, padded, moved, weights = (best / sizes).tolist()
    return Law(overhead=overhead, padded=padded, moved=moved, weights=weights)


def calibrate(
    laws: Mapping[str, Law], networks: Sequence[tuple[Sequence[Operation], float]], trust: float = TRUST
) -> dict[str, Law]:
    """The laws with factors that make them right for whole networks, which no profiler slows down.

    One factor a kind for its rates, and one for all overheads, by least squares of the relative errors of networks;
    `trust` in the laws pulls each factor to the one that fits all kinds alike (ridge regression).

    Args:
        laws: by kind.
        networks: (operations, milliseconds) of each.
        trust: the weight of the laws, in networks of a relative error of one.
    """
    import numpy as np

    kinds = tuple(laws)
    rows = np.zeros((len(networks), len(kinds) + 1))
    for row, (operations, _) in zip(rows, networks, strict=True):
        for one in operations:
            law = laws[nearest_kind(laws, one.kind)]
            row[kinds.index(nearest_kind(laws, one.kind))] += law_ms(law, one) - law.overhead
            row[-1] += law.overhead
    times = np.array([time for _, time in networks])
    common = fit_scale(rows.sum(axis=1).tolist(), times.tolist())
    shares = rows * common / times[:, None]
    weight = math.sqrt(trust)
    pulled = np.concatenate([shares, weight * np.eye(len(kinds) + 1)])
    wanted = np.concatenate([np.ones(len(networks)), np.full(len(kinds) + 1, weight)])
    factors, *_ = np.linalg.lstsq(pulled, wanted, rcond=None)
    factors = (common * np.clip(factors, 0.1, 10)).tolist()
    return {
        kind: Law(
            overhead=law.overhead * factors[-1],
            padded=law.padded * factor,
            moved=law.moved * factor,
            weights=law.weights * factor,
        )
        for (kind, law), factor in zip(laws.items(), factors, strict=False)
    }


def fit_scale(predicted: Sequence[float], measured: Sequence[float]) -> float:
    """From sums over operations to whole networks: the median ratio."""
    return median(time / guess for guess, time in zip(predicted, measured, strict=True))


def relative_errors(predicted: Sequence[float], measured: Sequence[float]) -> list[float]:
    """|prediction / measurement - 1| of each network."""
    return [abs(guess / time - 1) for guess, time in zip(predicted, measured, strict=True)]


def quantile(values: Sequence[float], share: float) -> float:
    """The value that this share of the values does not exceed."""
    rows = sorted(values)
    return rows[min(len(rows) - 1, max(0, math.ceil(share * len(rows)) - 1))]


def rank_correlation(one: Sequence[float], other: Sequence[float]) -> float:
    """Spearman's rank correlation of values without ties; 0 for fewer than two."""
    count = len(one)
    if count < 2:
        return 0.0
    first, second = _ranks(one), _ranks(other)
    gaps = sum((a - b) ** 2 for a, b in zip(first, second, strict=True))
    return 1 - 6 * gaps / (count * (count**2 - 1))


def _ranks(values: Sequence[float]) -> list[int]:
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0] * len(values)
    for rank, index in enumerate(order):
        ranks[index] = rank
    return ranks


def assign(times: Mapping[str, Sequence[float]], names: Sequence[str]) -> dict[str, list[Sequence[float]]]:
    """Which times belong to which operations.

    A runtime may fuse operations and name the result after one of them; then `a.b.conv1.relu` belongs to `a.b.conv1`,
    and what a unit does by itself to its addition. What belongs to none, such as a change of layout, is left out.

    Args:
        times: of nodes or modules, by name.
        names: of operations.
    """
    known, found = set(names), dict[str, list[Sequence[float]]]()
    for name, row in times.items():
        place = name
        while place:
            owner = next((one for one in (place, f"{place}.mul", f"{place}.add") if one in known), None)
            if owner is not None:
                found.setdefault(owner, []).append(row)
                break
            place = place.rpartition(".")[0]
    return found
