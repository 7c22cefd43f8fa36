"""What goes into the engine and what comes out, and when a network has draws enough."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from ...net.layers import Chain
from ..settings import ScoreSettings

MIN_PRECISION_DRAWS = 8
MAX_PRECISION_DRAWS = 4096


class KeyedChain(NamedTuple):
    """What the engine scores: a chain, the key that seeds its draws, and a name for messages."""

    key: str
    chain: Chain
    name: str


class Draw(NamedTuple):
    """One draw of one network; `number` counts from 0."""

    network: KeyedChain
    number: int


class Estimate(NamedTuple):
    """Mean over draws in nats, its standard error (None for a single draw), and the draws themselves."""

    value: float
    std_error: float | None
    draws: tuple[float, ...]


def summarise(values: Sequence[float]) -> Estimate:
    """The mean of independent draws with its standard error."""
    mean = math.fsum(values) / len(values)
    if len(values) == 1:
        return Estimate(mean, None, tuple(values))
    variance = math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return Estimate(mean, math.sqrt(variance / len(values)), tuple(values))


def draws_wanted(values: Sequence[float], settings: ScoreSettings) -> int:
    """How many more draws to make before looking again; 0 when the estimate is done.

    With a precision, at least `MIN_PRECISION_DRAWS` are made, for a standard error from fewer is itself too uncertain
    to stop on. Then as many as the error so far asks for, at most doubling, because that error is uncertain too. The
    answer depends on the draws so far alone, so it is the same however they were computed.
    """
    done = len(values)
    if settings.precision is None:
        return settings.draws - done
    if done < MIN_PRECISION_DRAWS:
        return MIN_PRECISION_DRAWS - done
    error = summarise(values).std_error or 0.0
    if error <= settings.precision or done >= MAX_PRECISION_DRAWS:
        return 0
    needed = math.ceil(done * (error / settings.precision) ** 2) - done
    return max(1, min(needed, done, MAX_PRECISION_DRAWS - done))
