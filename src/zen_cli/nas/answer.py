"""Joins the parts of a search: settings in, the best networks as records out. torch is imported where it computes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple

from ..errors import RunError, UsageError, ZenError
from ..metrics import Metric, find
from ..metrics.records import ScoreRecord, SearchRow
from ..metrics.scoring import OnProgress, score_all
from ..metrics.settings import ScoreSettings
from ..net.counting import Cost
from ..net.layers import Chain
from ..net.spec import ArchSpec
from .algorithms.evolution import Evolution
from .loop import Loop, Snapshot
from .rundir import RunDirectory
from .scorers import BatchScorer, ClosedFormScorer, Ledger, Scorer, find_start
from .settings import DEFAULT_POPULATION, SearchSettings
from .space import BlockSpace

VERIFY_SEED_STEP = 1_000_000_007
DEFAULT_GAP = 0.005


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
    """What a search tells and asks whoever watches it: generations of an evolution, a line of an exact search."""

    on_generation: Callable[[Snapshot, Ledger], None] = lambda *_: None
    on_progress: Callable[[str], None] = lambda _: None
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
    ledger.spec(start)  # a map too small for the strides of the space is an error now, not after the search
    (rating,) = scorer.rate([start])
    if rating is None:
        raise RunError("the first network of the search has no score; use another --estimator or --proxy")
    evolution = Evolution(
        space.neighbour,
        (start, rating),
        seed=settings.score.seed,
        population=settings.population,
        lineages=settings.lineages,
        identity=space.identity,
    )
    loop = Loop(
        evolution,
        scorer,
        decode=space.decode,
        budget=settings.budget,
        patience=settings.patience,
        generation=settings.lineages if is_batch else max(settings.lineages, DEFAULT_POPULATION),
        leaves_garbage=is_batch,
        sign=sign,
        run=run,
        warn=watch.warn,
    )
    stopped = loop.run(lambda snapshot: watch.on_generation(snapshot, ledger), watch.should_stop)
    candidates: dict[tuple[Chain, Cost], Candidate] = {}
    for member in evolution.population:
        spec = ledger.spec(member.genome)
        # the same layers in other blocks, such as 2 + 4 sub-layers for 4 + 2, are no second network
        candidates.setdefault((spec.chain, spec.cost), Candidate(_named(spec, space.name), sign * member.score))
        if len(candidates) >= max(settings.top, settings.verify):
            break
    return Outcome(tuple(candidates.values()), stopped, evolution.proposals, loop.elapsed_s)


def search_by(settings: SearchSettings, run: RunDirectory | None = None, watch: Watch | None = None) -> Outcome:
    """Searches by the algorithm of the settings; arguments and errors as for `evolve`.

    Raises:
        UsageError: the exact search cannot take the space, a limit or the score; says why.
    """
    if settings.algorithm == "exact":
        return solve_exactly(settings, watch or Watch())
    return evolve(settings, run, watch)


def solve_exactly(settings: SearchSettings, watch: Watch) -> Outcome:
    """Searches for the proven optimum of the closed form; see `exact`.

    Raises:
        UsageError: it cannot take the space, a limit or the score; says why.
    """
    from .algorithms.exact import Progress, check_exact, solve

    score, space, seed = settings.score, settings.space, settings.seed_network()
    if settings.proxy is not None or score.estimator != "mean-field":
        what = "--proxy" if settings.proxy is not None else "--estimator"
        raise UsageError(f"{what}: the exact search knows the Zen-score's closed form only; use --algorithm evolution")
    if settings.budget.evaluations is not None:
        raise UsageError("--budget: the exact search counts no evaluations; give it a time, such as 60s, or a --gap")
    check_exact(space, settings.limits, seed)
    began = time.monotonic()
    stopped: list[str] = []

    def is_over() -> bool:
        elapsed, budget = time.monotonic() - began, settings.budget
        if watch.should_stop():
            stopped.append("interrupted")
        elif any(most is not None and elapsed >= most for most in (budget.seconds, budget.device_seconds)):
            stopped.append("time")
        return bool(stopped)

    def tell(progress: Progress) -> None:
        best = "none yet" if progress.value is None else f"{progress.value:.2f}"
        watch.on_progress(f"{progress.iterations} programs, best {best}, bound {progress.bound:.2f} nats")

    assert isinstance(space, BlockSpace)  # or check_exact would have refused it
    result = solve(
        space,
        seed,
        settings.limits,
        convention=score.convention,
        norm=score.norm,
        alpha=score.alpha,
        top=max(settings.top, settings.verify),
        gap=DEFAULT_GAP if settings.gap is None else settings.gap,
        deadline=is_over,
        on_progress=tell,
    )
    candidates = tuple(
        Candidate(_named(spec, space.name), value) for spec, value in zip(result.networks, result.values, strict=True)
    )
    reason = stopped[-1] if stopped and result.stopped == "deadline" else result.stopped
    return Outcome(candidates, reason, result.iterations, time.monotonic() - began, result.bound)


def add_bound(settings: SearchSettings, outcome: Outcome) -> Outcome:
    """The outcome with what no network of the space exceeds within the limits.

    Raises:
        UsageError: there is no such bound for the space, a limit or the score; says why.
    """
    if outcome.bound is not None or not outcome.candidates:
        return outcome
    check_bound(settings)
    from .algorithms.exact import upper_bound

    score, space = settings.score, settings.space
    assert isinstance(space, BlockSpace)  # or check_bound would have refused it
    bound = upper_bound(
        space,
        settings.seed_network(),
        settings.limits,
        convention=score.convention,
        norm=score.norm,
        alpha=score.alpha,
        known=[outcome.candidates[0].spec],
    )
    return outcome._replace(bound=bound)


def check_bound(settings: SearchSettings) -> None:
    """Asks whether `add_bound` can be had, before time is spent.

    Raises:
        UsageError: there is no bound for the space, a limit or the score; says why.
    """
    if settings.proxy is not None or settings.score.estimator != "mean-field":
        raise UsageError("--bound: is known for the Zen-score's closed form only; leave it out")
    from .algorithms.exact import check_exact

    check_exact(settings.space, settings.limits, settings.seed_network())


def _named(spec: ArchSpec, space: str) -> ArchSpec:
    return spec.model_copy(update={"name": f"{space}-{spec.id[:8]}"})


def finish(
    settings: SearchSettings, outcome: Outcome, *, on_progress: OnProgress | None = None
) -> list[ScoreRecord | ZenError]:
    """The answer: records of the best, best first.

    The first `verify` candidates get a Monte-Carlo score with draws that the search has not seen, and are ranked by it,
    so that none stands first by luck; those behind them keep their order. A proxy's order stays.
    """
    checked = outcome.candidates[: settings.verify] if settings.verify else ()
    rest = outcome.candidates[len(checked) :]
    fresh = (settings.score.seed + VERIFY_SEED_STEP) % 2**63
    verified = settings.score.model_copy(update={"estimator": "monte-carlo", "seed": fresh})
    rows = _records(settings, outcome, checked, verified, on_progress)
    if settings.proxy is None:
        rows.sort(key=lambda row: row.zen.value if isinstance(row, ScoreRecord) else float("-inf"), reverse=True)
    if len(rows) < settings.top:
        rows += _records(settings, outcome, rest, settings.score, None)
    errors = [row for row in rows if isinstance(row, ZenError)]
    return [row for row in rows if isinstance(row, ScoreRecord)][: settings.top] + errors


def _records(
    settings: SearchSettings,
    outcome: Outcome,
    candidates: Sequence[Candidate],
    score: ScoreSettings,
    on_progress: OnProgress | None,
) -> list[ScoreRecord | ZenError]:
    if not candidates:
        return []
    rows: list[ScoreRecord | ZenError] = []
    results = score_all([candidate.spec for candidate in candidates], score, on_progress=on_progress)
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
        gap=None if bound is None else max(0.0, (bound - candidate.score) / abs(candidate.score)),
    )


def _scorer(settings: SearchSettings, ledger: Ledger) -> tuple[int, Scorer, bool]:
    """(sign of the score, the scorer, whether it wants many networks at once)."""
    limits, score = settings.limits, settings.score
    if settings.proxy is None and score.estimator == "mean-field":
        norm, alpha = score.norm, score.alpha
        return 1, ClosedFormScorer(ledger, limits, lambda terms: terms.zen(norm, alpha), stages=False), False
    if settings.proxy is None:
        return 1, BatchScorer(ledger, limits, lambda specs: _measured(find("zen"), specs, score)), True
    metric = find(settings.proxy, "proxy")
    sign, closed_form = metric.sign, metric.closed_form
    if closed_form is not None:
        form = closed_form
        return sign, ClosedFormScorer(ledger, limits, lambda terms: sign * form(terms, score)), False
    return sign, BatchScorer(ledger, limits, lambda specs: _measured(metric, specs, score)), True


def _measured(metric: Metric, specs: Sequence[ArchSpec], settings: ScoreSettings) -> list[float | RunError]:
    results = metric.evaluate_all(specs, settings)
    return [row if isinstance(row, RunError) else metric.sign * row.value for row in results]
