"""What goes into the engine and what comes out, and when a network has enough draws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, Protocol, TypeAlias, TypeVar

from ...net.layers import Chain
from ..settings import ScoreSettings
from ..sums import mean_and_error

MIN_PRECISION_DRAWS = 8
MAX_PRECISION_DRAWS = 4096


class Task(Protocol):
    """A network to make draws of: something with a key that seeds its draws and a name for messages."""

    @property
    def key(self) -> str:
        """What seeds its draws, together with the seed and the number of the draw."""

    @property
    def name(self) -> str:
        """What messages call it."""


class KeyedChain(NamedTuple):
    """The task of a Zen-score: a chain of layers."""

    key: str
    chain: Chain
    name: str


T = TypeVar("T", bound=Task)


@dataclass(frozen=True)
class Draw(Generic[T]):
    """One draw of one network; `number` counts from 0, and `job` says whose it is where one network comes twice."""

    task: T
    number: int
    job: int = 0


ChainDraw: TypeAlias = Draw[KeyedChain]


class Estimate(NamedTuple):
    """Mean over draws, its standard error (None for a single draw), and the draws themselves; the Zen-score in nats."""

    value: float
    std_error: float | None
    draws: tuple[float, ...]


def summarise(values: Sequence[float]) -> Estimate:
    """The estimate from independent draws."""
    return Estimate(*mean_and_error(values), tuple(values))


def draws_wanted(values: Sequence[float], settings: ScoreSettings) -> int:
    """How many more draws to make before looking again; 0 when the estimate is done.

    With a precision, at least `MIN_PRECISION_DRAWS` are made, because a standard error from fewer is itself too
    uncertain to stop on. Then as many as the error so far suggests, at most doubling, because that error is uncertain
    too. The answer depends on the draws so far alone, so it is the same however they were computed.
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
