"""Networks measured where they are to run: of the best of a search, those that break the limit are rejected.

All are visited by turns in several rounds, among the references of their size, and the fastest time of each that
another round confirms counts, as in a profile. How much the rounds differ is said beside it, and by how much the
machine is slower than it was in its profile.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from statistics import median
from typing import NamedTuple, TypeAlias

from ..errors import SpecError
from ..metrics.records import MeasuredTime
from ..nas.outcome import Candidate, Outcome
from ..nas.settings import SearchSettings
from ..net.spec import ArchSpec
from ..target.latency import latency_ms
from ..target.model import Target
from .backends import WrittenFile, conditions_of, find_backend
from .machine import is_here
from .references import drift, references_for
from .sampling import confirmed_ms, is_confirmed, time_runs

OnProgress: TypeAlias = Callable[[int, int | None], None]
ROUNDS, MORE_ROUNDS = 3, 2  # as in a profile: of all, and of those whose fastest time no other round confirms
ROOM = 1.03  # under the limit, where possible: minutes later a machine is some percent slower or faster
SEARCHES = 2  # more, where no network keeps the limit
LEAST_STEP = 1.03  # by which the limit is lowered at least
BATCHES = 3  # of so many networks as are verified, until enough for the answer keep the limit


def can_measure(settings: SearchSettings) -> bool:
    """Whether a search has a limit on the latency of this machine."""
    target = settings.score.target
    return "latency" in settings.limits and target is not None and is_here(target)


class Finalists(NamedTuple):
    """The outcome with the candidates that keep the limit when measured, how many did not, and how many times the
    prediction these took, at the median.
    """

    outcome: Outcome
    rejected: int
    factor: float


def measure_until_kept(
    settings: SearchSettings,
    outcome: Outcome,
    search_again: Callable[[SearchSettings, float], Outcome],
    on_progress: OnProgress = lambda *_: None,
) -> Finalists:
    """As `measure_finalists`; where no candidate keeps the limit, searches again with predictions that are corrected.

    Args:
        settings: of a search that `can_measure`.
        outcome: of the search.
        search_again: searches with changed settings; told also how many times the prediction the candidates took.
        on_progress: called with the visits that were made, and how many there are.

    Raises:
        UsageError: the backend of the target cannot be used here.
    """
    found, rejected = measure_finalists(settings, outcome, on_progress), 0
    limit = lower = settings.limits["latency"]
    for _ in range(SEARCHES):
        if found.outcome.candidates or not found.rejected:
            break
        rejected += found.rejected
        lower = min(limit * (1 + margin_of(settings)) / found.factor, lower) / LEAST_STEP
        limited = settings.model_copy(update={"limits": settings.limits.replace(latency=lower)})
        try:
            outcome = search_again(limited, found.factor)
        except SpecError:  # no network is as fast
            return found._replace(rejected=rejected)
        found = measure_finalists(settings, outcome, on_progress)
    return found._replace(rejected=rejected + found.rejected)


def margin_of(settings: SearchSettings) -> float:
    """The share by which the search lowered the limit."""
    return 0.0 if settings.score.target is None else settings.score.target.margin


def measure_finalists(
    settings: SearchSettings, outcome: Outcome, on_progress: OnProgress = lambda *_: None
) -> Finalists:
    """The candidates that keep the limit on latency when measured, with room for drift where any do.

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
    tight: list[Candidate] = []
    measured: dict[str, MeasuredTime] = {}
    factors: list[float] = []
    for begin in range(0, min(len(outcome.candidates), BATCHES * wanted), wanted):
        batch = outcome.candidates[begin : begin + wanted]
        specs = [candidate.spec for candidate in batch]
        rows = measure(specs, target, settings.score.seed, on_progress, has_drift=not begin)
        for candidate, row in zip(batch, rows, strict=True):
            if row.ms <= limit:
                (kept if row.ms * ROOM <= limit else tight).append(candidate)
                measured[candidate.spec.id] = row
            else:
                factors.append(row.ms / latency_ms(target, candidate.spec))
        if len(kept) >= settings.top:
            break
    kept_outcome = outcome._replace(candidates=tuple(kept or tight), measured=measured)
    return Finalists(kept_outcome, len(factors), median(factors) if factors else 1.0)


def measure(
    specs: Sequence[ArchSpec | WrittenFile],
    target: Target,
    seed: int,
    on_progress: OnProgress = lambda *_: None,
    *,
    has_drift: bool = True,
) -> list[MeasuredTime]:
    """The times of networks under the conditions of a target of this machine, and its drift if it has references.

    Args:
        specs: networks, or exported files that the backend of the target runs, see `Backend.files`.
        target: of this machine.
        seed: of the order.
        on_progress: called with the visits that were made, and how many there are.
        has_drift: whether the references are measured among them.

    Raises:
        UsageError: the backend cannot be used here.
    """
    near = references_for(map(spec_of, specs)) if has_drift else {}
    known = {name: spec for name, spec in near.items() if name in target.references}
    looks = _looks([*specs, *known.values()], target, seed, on_progress)
    now = dict(zip(known, map(confirmed_ms, looks[len(specs) :]), strict=True))
    machine = drift(target.references, now)
    return [
        MeasuredTime(
            confirmed_ms(times),
            (max(times) - min(times)) / 2 / median(times),
            None if machine is None else machine.of(spec_of(spec)),
        )
        for spec, times in zip(specs, looks, strict=False)
    ]


def spec_of(network: ArchSpec | WrittenFile) -> ArchSpec:
    """The network that is measured."""
    return network.spec if isinstance(network, WrittenFile) else network


def _looks(
    networks: Sequence[ArchSpec | WrittenFile], target: Target, seed: int, on_progress: OnProgress
) -> list[list[float]]:
    """Milliseconds of each network in each round."""
    backend = find_backend(target.backend or "", target.dtype or "float32")
    conditions = conditions_of(target.backend, target.threads or 1, target.batch_size, target.dtype or "float32")
    random = Random(seed)
    looks: list[list[float]] = [[] for _ in networks]
    done = 0
    for number in range(ROUNDS + MORE_ROUNDS):
        order = [index for index, times in enumerate(looks) if number < ROUNDS or not is_confirmed(times)]
        random.shuffle(order)
        for place, index in enumerate(order):
            on_progress(done, max(ROUNDS * len(networks), done + len(order) - place))
            done += 1
            network = networks[index]
            opens = backend.open_file if isinstance(network, WrittenFile) else backend.open
            session = opens(network, conditions)  # type: ignore[arg-type]  # each takes its own kind
            try:
                looks[index].append(time_runs(session.run, conditions).ms)
            finally:
                session.close()
    return looks
