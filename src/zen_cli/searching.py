"""Joins the parts of a search: settings in, the best networks as records out. torch is imported where it computes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, NamedTuple

from .errors import RunError, ZenError
from .meanfield import log_delta
from .records import ScoreRecord, ScoreSettings, SearchRow
from .scoring import score_all
from .search.evolution import Evolution
from .search.loop import Loop, Snapshot
from .search.rundir import RunDirectory
from .search.scorers import BatchScorer, ClosedFormScorer, Ledger, Scorer, find_start
from .search.settings import DEFAULT_POPULATION, SearchSettings
from .spec import ArchSpec
from .terms import NetworkTerms

VERIFY_SEED_STEP = 1_000_000_007


class Candidate(NamedTuple):
    """A network that a search found, and the score that it found it by."""

    spec: ArchSpec
    score: float


class Outcome(NamedTuple):
    """What a search ends with: candidates, best first, and why it ended."""

    candidates: tuple[Candidate, ...]
    stopped: str
    evaluations: int
    elapsed_s: float
    bound: float | None = None


class Watch(NamedTuple):
    """What a search tells and asks whoever watches it."""

    on_generation: Callable[[Snapshot, Ledger], None] = lambda *_: None
    should_stop: Callable[[], bool] = lambda: False
    warn: Callable[[str], None] = lambda _: None


def evolve(settings: SearchSettings, run: RunDirectory | None = None, watch: Watch | None = None) -> Outcome:
    """Searches by evolution.

    Args:
        settings: what defines the search.
        run: where checkpoints and history go; goes on from its checkpoint if it has one.
        watch: sees every generation and may stop the search.

    Raises:
        SpecError: no network of the space keeps the limits.
        UsageError: an unknown proxy or device.
        OutputError: the run directory cannot be written any more.
        RunError: nothing can be scored.
    """
    watch = watch or Watch()
    space, seed = settings.space, settings.seed_network()
    ledger = Ledger(space, seed, settings.score.convention)
    sign, scorer, is_batch = _scorer(settings, ledger)
    walk = Random(settings.score.seed)
    start = find_start(ledger, settings.limits, lambda genome: space.neighbour(genome, walk))
    (rating,) = scorer.rate([start])
    if rating is None:
        raise RunError("the first network of the search has no score; use another --estimator or --proxy")
    evolution = Evolution(
        space.neighbour,
        (start, rating),
        seed=settings.score.seed,
        population=settings.population,
        lineages=settings.lineages,
    )
    loop = Loop(
        evolution,
        scorer,
        decode=space.decode,
        budget=settings.budget,
        patience=settings.patience,
        generation=settings.lineages if is_batch else max(settings.lineages, DEFAULT_POPULATION),
        run=run,
        warn=watch.warn,
    )
    stopped = loop.run(lambda snapshot: watch.on_generation(snapshot, ledger), watch.should_stop)
    candidates: dict[str, Candidate] = {}
    for member in evolution.population:
        spec = ledger.spec(member.genome)
        name = f"{space.name}-{spec.id[:8]}"
        candidates.setdefault(spec.id, Candidate(spec.model_copy(update={"name": name}), sign * member.score))
        if len(candidates) >= max(settings.top, settings.verify):
            break
    return Outcome(tuple(candidates.values()), stopped, evolution.proposals, loop.elapsed_s)


def search_by(settings: SearchSettings, run: RunDirectory | None = None, watch: Watch | None = None) -> Outcome:
    """Searches by the algorithm of the settings; arguments and errors as for `evolve`."""
    return evolve(settings, run, watch)


def finish(
    settings: SearchSettings, outcome: Outcome, *, on_draw: Callable[[int], None] | None = None
) -> list[ScoreRecord | ZenError]:
    """The answer: records of the best, best first.

    The first `verify` candidates get a Monte-Carlo score with draws that the search has not seen, and are ranked by it,
    so that none stands first by luck; those behind them keep their order. A proxy's order stays.
    """
    checked = outcome.candidates[: settings.verify] if settings.verify else ()
    rest = outcome.candidates[len(checked) :]
    fresh = (settings.score.seed + VERIFY_SEED_STEP) % 2**63
    verified = settings.score.model_copy(update={"estimator": "monte-carlo", "seed": fresh})
    rows = _records(settings, outcome, checked, verified, on_draw)
    if settings.proxy is None:
        rows.sort(key=lambda row: row.zen.value if isinstance(row, ScoreRecord) else float("-inf"), reverse=True)
    if len(rows) < settings.top:
        rows += _records(settings, outcome, rest, settings.score, on_draw)
    errors = [row for row in rows if isinstance(row, ZenError)]
    return [row for row in rows if isinstance(row, ScoreRecord)][: settings.top] + errors


def _records(
    settings: SearchSettings,
    outcome: Outcome,
    candidates: Sequence[Candidate],
    score: ScoreSettings,
    on_draw: Callable[[int], None] | None,
) -> list[ScoreRecord | ZenError]:
    if not candidates:
        return []
    rows: list[ScoreRecord | ZenError] = []
    results = score_all([candidate.spec for candidate in candidates], score, on_draw=on_draw)
    for candidate, result in zip(candidates, results, strict=True):
        if isinstance(result, ScoreRecord):
            result = result.model_copy(update={"search": _provenance(settings, outcome, candidate)})
        rows.append(result)
    return rows


def _provenance(settings: SearchSettings, outcome: Outcome, candidate: Candidate) -> SearchRow:
    budgets = {**settings.limits._asdict(), **settings.budget._asdict()}
    bound = outcome.bound
    return SearchRow(
        space=settings.space_document.get("name", ""),
        algorithm=settings.algorithm,
        estimator=settings.score.estimator,
        proxy=settings.proxy,
        budgets={name: value for name, value in budgets.items() if value is not None},
        seed=settings.score.seed,
        evaluations=outcome.evaluations,
        stopped=outcome.stopped,
        score=candidate.score,
        bound=bound,
        gap=None if bound is None else max(0.0, (bound - candidate.score) / abs(bound)),
    )


def _scorer(settings: SearchSettings, ledger: Ledger) -> tuple[int, Scorer, bool]:
    """(sign of the score, the scorer, whether it wants many networks at once)."""
    limits, score = settings.limits, settings.score
    if settings.proxy is None and score.estimator == "mean-field":
        norm, alpha = score.norm, score.alpha

        def zen(terms: NetworkTerms) -> float:
            end = log_delta(norm, alpha, terms.total.layers, terms.width, terms.side**2)
            return terms.total.log_gain + end

        return 1, ClosedFormScorer(ledger, limits, zen), False
    if settings.proxy is None:
        return 1, BatchScorer(ledger, limits, lambda specs: _monte_carlo(specs, score)), True
    from .proxies import find

    proxy = find(settings.proxy, "--proxy")
    sign, closed_form = proxy.sign, proxy.closed_form
    if closed_form is not None:
        form = closed_form
        return sign, ClosedFormScorer(ledger, limits, lambda terms: sign * form(terms, score)), False

    def measured(specs: Sequence[ArchSpec]) -> list[Any]:
        results = proxy.evaluate_all(specs, score)
        return [row if isinstance(row, RunError) else sign * row.measurement.value for row in results]

    return sign, BatchScorer(ledger, limits, measured), True


def _monte_carlo(specs: Sequence[ArchSpec], settings: ScoreSettings) -> list[float | RunError]:
    from .chain import chain
    from .engine import Network, estimate

    networks = [Network(spec.id, chain(spec), spec.id) for spec in specs]
    return [row if isinstance(row, RunError) else row.value for row in estimate(networks, settings)]
