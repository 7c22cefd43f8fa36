"""The best networks of a search, measured where they are to run: those that break the limit are rejected.

All are visited by turns, a reference network among them, in several rounds. Each round is corrected by how much slower
or faster the reference ran in it than in the median round, so that a machine that drifts is not seen as a difference
between networks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from statistics import median

from ..metrics.records import MeasuredTime
from ..nas.outcome import Candidate, Outcome
from ..nas.settings import SearchSettings
from ..net.spec import ArchSpec
from ..target.model import Target
from .backends import Conditions, find_backend
from .machine import is_here
from .probes import draw_probes
from .sampling import time_runs

ROUNDS = 3
BATCHES = 3  # of so many networks as are wanted, until enough keep the limit


def can_measure(settings: SearchSettings) -> bool:
    """Whether a search has a limit on the latency of this machine."""
    target = settings.score.target
    return "latency" in settings.limits and target is not None and is_here(target)


def measure_finalists(
    settings: SearchSettings, outcome: Outcome, on_progress: Callable[[int, int | None], None] = lambda *_: None
) -> tuple[Outcome, int]:
    """The outcome with the candidates that keep the limit on latency when measured, and how many were rejected.

    Args:
        settings: of a search that `can_measure`.
        outcome: of the search; its best candidates are measured, those that were not are left out.
        on_progress: called with the visits that were made, and how many there are.

    Raises:
        UsageError: the backend of the target cannot be used here.
    """
    target, limit = settings.score.target, settings.limits["latency"]
    assert target is not None  # or it could not be measured
    wanted = max(settings.verify, settings.top)
    kept: list[Candidate] = []
    measured: dict[str, MeasuredTime] = {}
    rejected = 0
    for begin in range(0, min(len(outcome.candidates), BATCHES * wanted), wanted):
        batch = outcome.candidates[begin : begin + wanted]
        rows = measure([candidate.spec for candidate in batch], target, settings.score.seed, on_progress)
        for candidate, row in zip(batch, rows, strict=True):
            if row.ms <= limit:
                kept.append(candidate)
                measured[candidate.spec.id] = row
            else:
                rejected += 1
        if len(kept) >= wanted:
            break
    return outcome._replace(candidates=tuple(kept), measured=measured), rejected


def measure(
    specs: Sequence[ArchSpec],
    target: Target,
    seed: int,
    on_progress: Callable[[int, int | None], None] = lambda *_: None,
) -> list[MeasuredTime]:
    """The times of networks under the conditions of a target of this machine.

    Raises:
        UsageError: the backend cannot be used here.
    """
    backend = find_backend(target.backend or "", target.dtype or "float32")
    one_core = target.threads == 1 and target.backend != "cuda"
    conditions = Conditions(target.threads or 1, target.batch_size, target.dtype or "float32", one_core)
    (reference,) = draw_probes(1, 0)
    random, rounds = Random(seed), []
    networks = [reference, *specs]
    for number in range(ROUNDS):
        order = list(range(len(networks)))
        random.shuffle(order)
        times = [0.0] * len(networks)
        for done, index in enumerate(order):
            on_progress(number * len(networks) + done, ROUNDS * len(networks))
            session = backend.open(networks[index], conditions)
            try:
                times[index] = time_runs(session.run, conditions).ms
            finally:
                session.close()
        rounds.append(times)
    usual = median(times[0] for times in rounds)
    rows = []
    for index in range(1, len(networks)):
        looks = [times[index] * usual / times[0] for times in rounds]
        rows.append(MeasuredTime(median(looks), (max(looks) - min(looks)) / 2 / median(looks)))
    return rows
