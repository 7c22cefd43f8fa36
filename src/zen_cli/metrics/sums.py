"""Sums of floats that are the same on every version of Python.

`sum()` of floats is compensated from Python 3.12 on, so its last digit depends on the version of Python. What is
promised to be the same everywhere, such as scores that a search compares, is added up here or by `math.fsum`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import reduce
from operator import add


def plain_sum(values: Iterable[float]) -> float:
    """The sum from left to right."""
    return reduce(add, values, 0.0)


def mean_and_error(values: Sequence[float]) -> tuple[float, float | None]:
    """The mean of independent draws, exactly rounded sums, with its standard error, None for a single draw."""
    mean = math.fsum(values) / len(values)
    if len(values) == 1:
        return mean, None
    variance = math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return mean, math.sqrt(variance / len(values))
