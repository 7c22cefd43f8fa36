"""From settings to an outcome, and from an outcome to records: the best networks, best first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib.util import find_spec
from typing import NamedTuple

from ..errors import UsageError, ZenError
from ..metrics.evenness import network_evenness
from ..metrics.records import CostRow, EvennessRow, LatencyRow, RaceRow, ScoreRecord, SearchRow
from ..metrics.scoring import score_all, zen_of
from ..metrics.settings import ScoreSettings
from ..net.layers import side_key
from ..net.spec import ArchSpec
from ..target.latency import latency_ms
from .algorithms import find_algorithm
from .budget import Budget
from .options import DEFAULT_EVALUATIONS
from .outcome import Callbacks, Candidate, Outcome
from .rundir import RunDirectory
from .settings import SearchSettings

VERIFY_SEED_STEP = 1_000_000_007
FRONT_WORK = 4e8  # of each limit of a front by the default algorithm, in numbers computed


class Answer(NamedTuple):
    """What a search hands over.

    Attributes:
        records: best first, verified ones before the others.
        errors: of networks whose verification failed; their records are among the others.
        verified: how many networks were verified, before the best were chosen.
        close: how many of these are within two standard errors of the first.
        race: how sure it is that the first is the best of the verified ones, where there was a race for it.
    """

    records: list[ScoreRecord]
    errors: list[ZenError]
    verified: int = 0
    close: int = 0
    race: RaceRow | None = None

    def to_bytes(self) -> bytes:
        """The records as JSON lines."""
        return b"".join(record.to_bytes() + b"\n" for record in self.records)


def search(settings: SearchSettings, run: RunDirectory | None = None, callbacks: Callbacks | None = None) -> Outcome:
    """Searches by the algorithm of the settings; arguments and errors as for `Algorithm.search`.

    Raises:
        UsageError: the algorithm cannot take the problem; says why.
    """
    algorithm = find_algorithm(settings.algorithm)
    if reason := algorithm.supports(settings):
        raise UsageError(reason)
    callbacks = callbacks or Callbacks()
    if settings.front:
        return _search_front(settings, run, callbacks)
    return algorithm.search(settings, run, callbacks)


def _search_front(settings: SearchSettings, run: RunDirectory | None, callbacks: Callbacks) -> Outcome:
    """A front: solved limit by limit where the algorithm proves what it finds, and evolved elsewhere."""
    from .front import evolve_front

    if solves_front(settings):
        from .front_series import solve_front

        if settings.algorithm == "exact":
            return solve_front(settings, run, callbacks)
        work = FRONT_WORK if settings.budget == Budget() else None
        try:
            return solve_front(settings, run, callbacks, work)
        except UsageError:  # no network was found within the limits; the evolution says what they should be
            budget = settings.budget._replace(evaluations=DEFAULT_EVALUATIONS)
            settings = settings.model_copy(update={"budget": budget})
    return evolve_front(settings, run, callbacks)


def solves_front(settings: SearchSettings) -> bool:
    """Whether a front is solved: by the exact algorithm, and by the default one without a band or evaluations.

    Not below a latency: each network takes seconds there, so that most would be missing at the end of a short time.
    """
    can = settings.algorithm == "auto" and settings.evenness is None and "latency" not in settings.limits
    return settings.algorithm == "exact" or (can and not find_algorithm("exact").supports(settings))


def unit_of(settings: SearchSettings) -> str:
    """What a search counts as evaluations."""
    return find_algorithm("exact" if settings.front and solves_front(settings) else settings.algorithm).unit


def check_bound(settings: SearchSettings) -> None:
    """Fails where `add_bound` would, before time is spent.

    Raises:
        UsageError: there is no bound for the space, a limit or the score; says why.
    """
    from .front_opening import can_open_front

    if settings.front and not solves_front(settings) and not can_open_front(settings):
        raise UsageError("bound: there is none for an evolution's front; use the exact algorithm")
    from .algorithms.exact.support import unsupported_settings

    if reason := unsupported_settings(settings):
        raise UsageError(f"bound: there is none for this search; {reason}")


def add_bound(settings: SearchSettings, outcome: Outcome) -> Outcome:
    """The outcome with what no network of the space exceeds within the limits.

    Raises:
        UsageError: there is no such bound for the space, a limit or the score; says why.
    """
    if outcome.bound is not None or not outcome.candidates:
        return outcome
    check_bound(settings)
    if settings.front:  # each of its networks has its own, where one is known
        return outcome
    from .algorithms.exact.algorithm import bound_of

    return outcome._replace(bound=bound_of(settings, outcome))


def cannot_verify() -> str:
    """Why networks cannot be verified here; empty if they can."""
    return "" if find_spec("torch") is not None else "torch is not installed"


def finish(settings: SearchSettings, outcome: Outcome, callbacks: Callbacks | None = None) -> Answer:
    """The answer.

    The first `verify` candidates get a Monte-Carlo score with draws that the search has not seen, and are ranked by it,
    so that none comes first by luck; those after them keep their order. They race: draws go to those that may still be
    the best, see `race`. With a precision each is drawn until that instead. The order of a proxy stays. A candidate
    whose verification fails is handed over as the search found it.
    """
    from .verify import verify

    checked = outcome.candidates[: settings.verify]
    score = settings.score.model_copy(update={"estimator": "monte-carlo", "seed": _fresh_seed(settings)})
    specs = [candidate.spec for candidate in checked]
    rows, row_of_race, first = verify(specs, settings, score, outcome.elapsed_s, callbacks or Callbacks())
    verified: list[ScoreRecord] = []
    rest: list[Candidate] = []
    errors: list[ZenError] = []
    winner = None
    for index, (candidate, row) in enumerate(zip(checked, rows, strict=True)):
        if isinstance(row, ScoreRecord):
            verified.append(_with_search(settings, outcome, candidate, row, row_of_race))
            winner = verified[-1] if index == first else winner
        else:
            rest.append(candidate)
            errors.append(row)
    if settings.proxy is None and not settings.front:
        verified.sort(key=lambda row: (row is winner, row.zen.value), reverse=True)
    rest += outcome.candidates[len(checked) :]
    answer = _records(settings, outcome, rest[: max(0, settings.top - len(verified))], settings.score)
    records = [*verified, *answer.records][: settings.top]
    answer = Answer(records, errors + answer.errors, len(verified), _close(verified), row_of_race)
    return _with_original(settings, outcome, answer, score if verified else settings.score)


def hand_over(
    settings: SearchSettings, outcome: Outcome, candidates: Sequence[Candidate], score: ScoreSettings | None = None
) -> Answer:
    """Records of candidates as the search found them; by default with the closed form, which cannot fail for torch."""
    score = score or settings.score.model_copy(update={"estimator": "mean-field"})
    return _with_original(settings, outcome, _records(settings, outcome, candidates, score), score)


def _fresh_seed(settings: SearchSettings) -> int:
    """The seed of draws that the search has not seen."""
    return (settings.score.seed + VERIFY_SEED_STEP) % 2**63


def _with_original(settings: SearchSettings, outcome: Outcome, answer: Answer, score: ScoreSettings) -> Answer:
    """The answer with the network that the search began from as its last record, if there is one."""
    if settings.origin is None or not answer.records:
        return answer
    from .original import ROLE, original_of

    try:
        candidate = original_of(settings)
    except ZenError as error:
        return answer._replace(errors=[*answer.errors, error])
    if candidate is None:
        return answer
    last = _records(settings, outcome._replace(bound=None), [candidate], score)
    marked = [
        record.model_copy(update={"search": record.search and record.search.model_copy(update={"role": ROLE})})
        for record in last.records
    ]
    found = [record for record in answer.records if record.id != candidate.spec.id or not marked]
    return answer._replace(records=found + marked, errors=answer.errors + last.errors)


def _records(
    settings: SearchSettings, outcome: Outcome, candidates: Sequence[Candidate], score: ScoreSettings
) -> Answer:
    """Records of candidates as the search found them."""
    records, errors = [], []
    for candidate, row in zip(candidates, _scored(candidates, score), strict=True):
        if isinstance(row, ScoreRecord):
            records.append(_with_search(settings, outcome, candidate, row))
        else:
            errors.append(row)
    return Answer(records, errors)


def _scored(candidates: Sequence[Candidate], score: ScoreSettings) -> list[ScoreRecord | ZenError]:
    """Records of candidates by these scores; what the search measured in the same way is not measured again."""
    known = {
        row.spec.id: ScoreRecord.of(
            row.spec, zen=zen_of(row.measured), cost=CostRow.of(row.spec, row.spec.cost, score.dtype)
        )
        for row in candidates
        if row.measured is not None
        and (score.estimator, score.seed) == ("monte-carlo", row.measured.settings.get("seed"))
    }
    fresh = [row.spec for row in candidates if row.spec.id not in known]
    rows = score_all(fresh, score) if fresh else iter(())
    return [known[row.spec.id] if row.spec.id in known else next(rows) for row in candidates]


def _close(verified: Sequence[ScoreRecord]) -> int:
    """How many of these, the first included, are within two standard errors of the first."""
    scores = [row.zen for row in verified if row.zen.std_error is not None]
    return sum(
        scores[0].value - score.value <= 2 * math.hypot(scores[0].std_error or 0.0, score.std_error or 0.0)
        for score in scores
    )


def _evenness(outcome: Outcome, candidate: Candidate) -> EvennessRow | None:
    """Where a network is in the band of evenness; None where the search had none."""
    band, spec = candidate.band or outcome.band, candidate.spec
    if band is None:
        return None
    found = network_evenness(spec.genes, spec.in_channels, spec.resolution)
    return EvennessRow(
        value=found.value,
        best=band.best,
        best_is="proven" if band.is_proven else "found",
        width=band.width,
        units=found.units,
        residual_units=found.residual_units,
        best_units=found.best_units,
        most_units=band.most_units,
        shares={side_key(side): share for side, share in found.shares},
        effective_side=found.effective_side,
        map_ratio=found.map_ratio,
    )


def _latency(settings: SearchSettings, outcome: Outcome, spec: ArchSpec) -> LatencyRow | None:
    """What a network takes on the target; None without one that predicts times."""
    target = settings.score.target
    if target is None or not target.predicts:
        return None
    measured = outcome.measured.get(spec.id)
    return LatencyRow(
        target=target.name,
        predicted_ms=latency_ms(target, spec),
        margin=target.margin,
        measured_ms=None if measured is None else measured.ms,
        spread=None if measured is None else measured.spread,
        drift=None if measured is None else measured.drift,
    )


def _with_search(
    settings: SearchSettings, outcome: Outcome, candidate: Candidate, record: ScoreRecord, race: RaceRow | None = None
) -> ScoreRecord:
    bound = candidate.bound if settings.front else outcome.bound
    row = SearchRow(
        evenness=_evenness(outcome, candidate),
        race=race,
        latency=_latency(settings, outcome, candidate.spec),
        space=settings.space_document.get("name", ""),
        algorithm=settings.algorithm,
        estimator=settings.score.estimator,
        proxy=settings.proxy,
        front=settings.front or None,
        limits=dict(settings.limits if candidate.limits is None else candidate.limits),
        budget={name: value for name, value in settings.budget._asdict().items() if value is not None},
        seed=settings.score.seed,
        evaluations=outcome.evaluations,
        stopped=outcome.stopped,
        score=candidate.score,
        bound=bound,
        gap=None if bound is None else max(0.0, (bound - candidate.score) / abs(candidate.score)),
    )
    return record.model_copy(update={"search": row})
