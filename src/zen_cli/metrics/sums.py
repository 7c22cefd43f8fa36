"""Sums of floats in one fixed order, rounded after each addition.

`sum()` of floats is compensated from Python 3.12 on, so its last digit depends on the version of Python. What is
promised to be the same everywhere, such as scores that a search compares, is added up here.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import add


def plain_sum(values: Iterable[float]) -> float:
    """The sum from left to right."""
    return reduce(add, values, 0.0)
