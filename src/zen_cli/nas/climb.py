"""One climb: an algorithm, its scorer and the loop that drives it, by the settings of a search."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from ..errors import RunError
from ..metrics import Measurement, Metric, find
from ..metrics.metric import OnDraw
from ..metrics.settings import ScoreSettings
from ..net.spec import ArchSpec
from .algorithms.proposer import Proposer, Rating
from .band import Band
from .loop import Loop
from .options import DEFAULT_POPULATION
from .outcome import Callbacks
from .rundir import RunDirectory
from .scorers import BatchScorer, ClosedFormScorer, Evaluator, Scorer
from .settings import SearchSettings
from .space import Space

if TYPE_CHECKING:
    from ..metrics.monte_carlo.executors import Executor

MOST_KEPT = 1024  # Monte-Carlo scores, so that the answer need not measure its networks again
Make = Callable[[Space, tuple[Any, Rating], SearchSettings, Band | None], Proposer]


def climb(
    make: Make,
    settings: SearchSettings,
    evaluator: Evaluator,
    sign: int,
    scorer: Scorer,
    start: Any,
    began: float,
    run: RunDirectory | None,
    callbacks: Callbacks,
    spent: int = 0,
) -> tuple[Proposer, Loop, str]:
    """One search from a member on, after `spent` evaluations: the algorithm at its end, the loop, why it ended."""
    space = evaluator.space
    (rating,), _ = scorer.rate([start], lambda: False)
    if rating is None:
        raise RunError("the first network of the search has no score; use another estimator or proxy")
    proposer = make(space, (start, rating), settings, evaluator.band)
    loop = make_loop(proposer, scorer, settings, callbacks, sign=sign, run=run, spent=spent, began=began)
    stopped = loop.run(lambda snapshot: callbacks.on_generation(snapshot, evaluator), callbacks.should_stop)
    return proposer, loop, stopped


def make_loop(
    proposer: Proposer,
    scorer: Scorer,
    settings: SearchSettings,
    callbacks: Callbacks,
    *,
    sign: int,
    run: RunDirectory | None,
    spent: int,
    began: float,
) -> Loop:
    """The loop that drives an algorithm by the settings of a search; other arguments as for `Loop`."""
    return Loop(
        proposer,
        scorer,
        decode=settings.space.decode,
        budget=settings.budget,
        patience=settings.patience,
        generation=max(settings.lineages, DEFAULT_POPULATION),
        sign=sign,
        run=run,
        warn=callbacks.warn,
        spent=spent,
        began=began,
        devices=_devices(settings, scorer, callbacks.executor),
    )


def _devices(settings: SearchSettings, scorer: Scorer, executor: Executor | None) -> Callable[[], int]:
    """How many devices a search keeps busy now: one where nothing is measured."""
    if not scorer.is_slow:
        return lambda: 1
    from ..metrics.monte_carlo.executors import chosen

    used = chosen(executor, settings.score.device)
    return lambda: used.devices


def make_scorer(settings: SearchSettings, evaluator: Evaluator, executor: Executor | None = None) -> tuple[int, Scorer]:
    """(sign of the metric that is searched for, its scorer); raises UsageError for an unknown metric."""
    limits, score = settings.limits, settings.score
    if settings.proxy is None and score.estimator == "mean-field":
        norm, alpha = score.norm, score.alpha
        return 1, ClosedFormScorer(evaluator, limits, lambda terms: terms.zen(norm, alpha), stages=False)
    if settings.proxy is None:
        _load_torch()
        kept: dict[str, Measurement] = {}
        return 1, BatchScorer(evaluator, limits, partial(_monte_carlo, kept, score, executor), kept)
    metric = find(settings.proxy, "proxy")
    sign, closed_form = metric.sign, metric.closed_form
    if closed_form is not None:
        form = closed_form
        return sign, ClosedFormScorer(evaluator, limits, lambda terms: sign * form(terms, score))
    _load_torch()
    return sign, BatchScorer(evaluator, limits, partial(_measured, metric, score, executor))


def _load_torch() -> None:
    """Loads what measures networks before a search begins: its end need not wait for that, and no fault in it comes
    late.
    """
    from ..metrics.monte_carlo import executors  # noqa: F401


def _monte_carlo(
    kept: dict[str, Measurement],
    settings: ScoreSettings,
    executor: Executor | None,
    specs: Sequence[ArchSpec],
    on_draw: OnDraw,
) -> Iterator[float | RunError]:
    """Scores one by one; those of the best networks are kept."""
    rows = find("zen").evaluate_all(specs, settings, on_draw=on_draw, executor=executor)
    for spec, row in zip(specs, rows, strict=False):
        if isinstance(row, RunError):
            yield row
            continue
        kept[spec.id] = row
        if len(kept) > 2 * MOST_KEPT:
            for name in sorted(kept, key=lambda name: kept[name].value)[:MOST_KEPT]:
                del kept[name]
        yield row.value


def _measured(
    metric: Metric, settings: ScoreSettings, executor: Executor | None, specs: Sequence[ArchSpec], on_draw: OnDraw
) -> Iterator[float | RunError]:
    for row in metric.evaluate_all(specs, settings, on_draw=on_draw, executor=executor):
        yield row if isinstance(row, RunError) else metric.sign * row.value
