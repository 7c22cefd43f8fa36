"""From times of operations and of whole networks to a model: one law for each kind of operation, and what comes on top.

An operation's time is the sum of its terms, each times a rate, by least squares with rates that are not negative.
Errors of operations are weighed by the square root of the time, so that neither the many small ones nor the few large
ones decide alone. A profiler slows down what it times: whole networks say by how much, and by what factors rates are
wrong.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from ..target.graph import Operation
from ..target.latency import nearest_kind
from ..target.model import Cold, LatencyModel, Law
from ..target.terms import Terms, terms
from .least_squares import solve_nonnegative

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TRUST = 0.3
LEAST_OPERATIONS = 8  # of one kind, for a law
SHORTEST = 1e-3  # milliseconds below which a clock of microseconds says nothing
COLD = tuple(2.5e5 * 1.5**step for step in range(14))  # weights of a network: between them it may leave a cache
BEYOND = 3  # networks that are at least as small and as large as those of COLD that are used
RIDGE = 1e-6  # of laws; some kinds have fewer different operations than terms
COUNT = len(Terms._fields)
OVERHEAD, WEIGHTS = "overhead", ("weights", "large")


class Timed(NamedTuple):
    """A network whose operations were timed: milliseconds of each, 0 where it runs within another one."""

    operations: Sequence[Operation]
    times: Sequence[float]


def fit_laws(networks: Sequence[Timed]) -> dict[str, Law]:
    """The law of each kind of operation that was measured often enough, without what cold weights cost.

    That depends on the network around an operation and is alike for all kinds, so it has rates of its own here, which
    all kinds share; `calibrate` finds it again in whole networks, where it shows with less noise.
    """
    import numpy as np

    counts = Counter(one.kind for network in networks for one in network.operations)
    kinds = [kind for kind, count in counts.items() if count >= LEAST_OPERATIONS]
    sizes = [weights_of(network.operations) for network in networks]
    ramps = cold_ramps(sizes)
    rows: list[NDArray[np.float64]] = []
    times: list[float] = []
    for network, size in zip(networks, sizes, strict=True):
        shares = [ramp.share(size) for ramp in ramps]
        for one, time in zip(network.operations, network.times, strict=True):
            if one.kind in kinds:
                row, values = np.zeros(len(kinds) * COUNT + len(ramps)), terms(one)
                begin = COUNT * kinds.index(one.kind)
                row[begin : begin + COUNT] = values
                row[len(kinds) * COUNT :] = [values.weights * share for share in shares]
                rows.append(row)
                times.append(time)
    weight = 1 / np.sqrt(np.maximum(times, SHORTEST))
    rates = solve_nonnegative(np.array(rows) * weight[:, None], np.array(times) * weight, RIDGE).tolist()
    laws = {kind: rates[COUNT * place : COUNT * (place + 1)] for place, kind in enumerate(kinds)}
    return {
        kind: {name: rate for name, rate in zip(Terms._fields, law, strict=True) if rate > 0}
        for kind, law in laws.items()
    }


def weights_of(operations: Sequence[Operation]) -> float:
    """Weights of a network, with channels rounded up."""
    return sum(terms(one).weights for one in operations)


def cold_ramps(sizes: Sequence[float]) -> list[Cold]:
    """Ranges of sizes in which networks may leave a cache, where at least `BEYOND` of these are smaller and larger.

    A cache that many share does not end at one size, so that the share of cold weights is any function that grows: a
    sum of these.
    """
    rows, count = sorted(sizes), min(BEYOND, len(sizes))
    edges = [edge for edge in COLD if rows[count - 1] <= edge <= rows[-count]]
    return [Cold(least=least, most=most) for least, most in pairwise(edges)]


def without_profiler(timed: Sequence[Sequence[float]], whole: Sequence[float]) -> list[list[float]]:
    """The times of operations without what the profiler takes: a factor, and a part that all operations have alike.

    Both are those that make the sums agree best with the networks as a whole, in relative errors.

    Args:
        timed: milliseconds of the operations of each network; 0 for those that run within another one.
        whole: milliseconds of each network.
    """
    import numpy as np

    sums = np.array([[sum(row), -sum(time > 0 for time in row)] for row in timed])  # [N, 2]
    shares = sums / np.array(whole)[:, None]
    factor, part = solve_nonnegative(shares, np.ones(len(whole))).tolist()
    return [[max(factor * time - part, 0.1 * time) if time > 0 else 0.0 for time in row] for row in timed]


class Whole(NamedTuple):
    """A network as a whole: its operations and its milliseconds."""

    operations: Sequence[Operation]
    ms: float


def calibrate(laws: Mapping[str, Law], networks: Sequence[Whole], trust: float = TRUST) -> LatencyModel:
    """The model that is right for whole networks, from laws that a profiler made too slow or too fast.

    One factor for the rates of each kind, one for all overheads, one for all weights, the time of a run, and what cold
    weights cost, by least squares of the relative errors of networks. `trust` in the laws pulls each factor to the one
    that fits all kinds alike (ridge regression).

    Args:
        laws: by kind.
        networks: that were measured.
        trust: the weight of the laws, in networks of a relative error of one.
    """
    import numpy as np

    groups = (*laws, OVERHEAD, WEIGHTS[0])
    times = np.array([one.ms for one in networks])
    rows = np.array([_contributions(laws, groups, one.operations) for one in networks])  # [N, groups]
    sizes = [weights_of(network.operations) for network in networks]
    ramps = cold_ramps(sizes)
    common = median((times / np.maximum(rows.sum(axis=1), 1e-9)).tolist())
    extras = np.array([[1.0, *(size * ramp.share(size) for ramp in ramps)] for size in sizes])  # [N, 1 + ramps]
    scales = np.maximum(extras.max(axis=0), 1.0)
    shares = np.concatenate([rows * common, extras / scales], axis=1) / times[:, None]
    pull = math.sqrt(trust) * np.eye(len(groups), shares.shape[1])
    wanted = np.concatenate([np.ones(len(times)), np.full(len(groups), math.sqrt(trust))])
    solution = solve_nonnegative(np.concatenate([shares, pull]), wanted, RIDGE)
    factors = dict(zip(groups, (common * solution[: len(groups)]).tolist(), strict=True))
    start, *cold = (solution[len(groups) :] / scales).tolist()
    return LatencyModel(
        laws={
            kind: {name: rate * factors[_group(kind, name)] for name, rate in law.items()} for kind, law in laws.items()
        },
        start=start,
        cold=tuple(ramp.model_copy(update={"rate": rate}) for ramp, rate in zip(ramps, cold, strict=True) if rate > 0),
    )


def _contributions(
    laws: Mapping[str, Law], groups: tuple[str, ...], operations: Sequence[Operation]
) -> NDArray[np.float64]:
    """Milliseconds of the rates of each group."""
    import numpy as np

    row = np.zeros(len(groups))
    for one in operations:
        kind, values = nearest_kind(laws, one.kind), terms(one)
        for name, rate in laws[kind].items():
            row[groups.index(_group(kind, name))] += rate * getattr(values, name)
    return row


def _group(kind: str, name: str) -> str:
    """Whose factor a rate takes part in."""
    return OVERHEAD if name == OVERHEAD else WEIGHTS[0] if name in WEIGHTS else kind


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
