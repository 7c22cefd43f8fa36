"""What a search ends with, and what it tells its caller on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from ..errors import ZenError
from ..metrics.metric import Measurement
from ..metrics.records import MeasuredTime
from ..metrics.scoring import OnProgress
from ..net.spec import ArchSpec
from .band import Band
from .limits import Limits
from .loop import Snapshot
from .race import Standing
from .scorers import Evaluator

if TYPE_CHECKING:
    from ..metrics.monte_carlo.executors import Executor

ENDINGS = {
    "interrupted": "interrupted",
    "time": "time is up",
    "patience": "no better network within the patience",
    "optimal": "proven optimal",
    "gap": "gap reached",
    "failed": "failed",
}  # why a search ended, in words; others are just done


class Candidate(NamedTuple):
    """A network that a search found.

    Attributes:
        spec: the network.
        score: what the search found it by.
        bound: of a front: what no network within its own limits exceeds, if that is known.
        limits: of a front: its own limits, where they are not those of the search.
        band: of a front: of evenness, of its own limits.
        measured: its Monte-Carlo score, where the search was for that.
    """

    spec: ArchSpec
    score: float
    bound: float | None = None
    limits: Limits | None = None
    band: Band | None = None
    measured: Measurement | None = None


class Outcome(NamedTuple):
    """What a search ends with.

    Attributes:
        candidates: best first; empty only where no network was found.
        stopped: why it ended: `evaluations`, `time`, `patience`, `interrupted`, `failed`, or what the algorithm says.
        evaluations: of networks, or of what the algorithm counts.
        elapsed_s: seconds of search, those before a checkpoint included.
        bound: what no network of the space exceeds, if that is known.
        band: of evenness, which the candidates are in, if there was one.
        measured: the times of candidates on this machine by their ids, where there is a limit on that.
        error: what ended it, where that was an error after the first network.
    """

    candidates: tuple[Candidate, ...]
    stopped: str
    evaluations: int
    elapsed_s: float
    bound: float | None = None
    error: ZenError | None = None
    band: Band | None = None
    measured: Mapping[str, MeasuredTime] = {}


class Callbacks(NamedTuple):
    """What a search calls: after a generation, with a line of text, to know whether to stop, to warn.

    `executor` is where scores are measured; None for the devices of this machine that the settings name. A verification
    calls `on_draws` with the draws made and how many there may be, None where the clock decides, and `on_look` after
    each look at the race.
    """

    on_generation: Callable[[Snapshot, Evaluator], None] = lambda *_: None
    on_progress: Callable[[str], None] = lambda _: None
    should_stop: Callable[[], bool] = lambda: False
    warn: Callable[[str], None] = lambda _: None
    executor: Executor | None = None
    on_draws: OnProgress = lambda *_: None
    on_look: Callable[[Standing], None] = lambda _: None
