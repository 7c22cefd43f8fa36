"""The exact search as others call it: as functions, and as an entry of the table of algorithms."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

from ....errors import UsageError
from ....metrics.terms import score_spec, spec_terms
from ....net.spec import ArchSpec
from ...drive import named
from ...limits import Limits
from ...outcome import Callbacks, Candidate, Outcome
from ...rundir import RunDirectory
from ...settings import SearchSettings
from ...space import BlockSpace, to_spec
from .polish import Polisher
from .problem import Problem, read_problem, unsupported
from .search import Progress, Search, Stop
from .tables import check_tables

DEFAULT_GAP = 0.005


class ExactResult(NamedTuple):
    """What the search found and proved.

    Attributes:
        networks: the best, distinct, best first; none where a deadline came before the first network within the limits.
        values: their closed-form scores in nats.
        bound: no network of the space within the limits exceeds it; always finite.
        gap: bound over the best value, less one; infinite where no network was found.
        iterations: dynamic programs solved.
        stopped: why it ended: `optimal`, `gap`, `deadline`, or `branches` where nothing was left to divide.
    """

    networks: tuple[ArchSpec, ...]
    values: tuple[float, ...]
    bound: float
    gap: float
    iterations: int
    stopped: str


def solve(
    space: BlockSpace,
    seed: ArchSpec,
    limits: Limits,
    *,
    convention: str = "paper",
    norm: str = "frobenius",
    alpha: float = 0.01,
    top: int = 1,
    gap: float = 0.005,
    known: Sequence[ArchSpec] = (),
    deadline: Callable[[], bool] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> ExactResult:
    """The best networks of a space within limits, with a bound that none exceeds.

    Args:
        space: a space of free blocks.
        seed: its seed network: resolution, channels in, classes and strides.
        limits: params and MACs as wanted, and a depth.
        convention: of the score, `paper` or `zennas`.
        norm: of the score, `frobenius` or `l1`.
        alpha: size of the perturbation.
        top: number of networks.
        gap: relative gap at which to stop; 0 goes on until nothing is left to prove.
        known: networks within the limits that are known already.
        deadline: called between steps; the search stops when it returns True.
        on_progress: called after every step.

    Raises:
        UsageError: the exact search cannot take the space or the limits, or no network keeps them.
    """
    problem = _read(space, seed, limits, convention, norm, alpha)
    search = Search([problem], Polisher(problem), gap, known, deadline, on_progress)
    stopped = search.run()
    rows: dict[str, tuple[float, ArchSpec]] = {}
    for genome in search.polisher.ranking():
        if len(rows) >= top:
            break
        spec = to_spec(genome, seed)
        if not space.excludes(genome, seed) and limits.admits(spec_terms(spec)):
            rows.setdefault(spec.id, (score_spec(spec, convention=convention, norm=norm, alpha=alpha), spec))
    ranking = sorted(rows.values(), key=lambda row: (-row[0], row[1].id))
    networks, values = tuple(spec for _, spec in ranking), tuple(score for score, _ in ranking)
    return ExactResult(networks, values, search.bound, search.gap, search.iterations, stopped)


def upper_bound(
    space: BlockSpace,
    seed: ArchSpec,
    limits: Limits,
    *,
    convention: str = "paper",
    norm: str = "frobenius",
    alpha: float = 0.01,
    known: Sequence[ArchSpec] = (),
    deadline: Callable[[], bool] | None = None,
) -> float:
    """A score in nats that no network of the space within the limits exceeds; arguments and errors as for `solve`.

    The better the known networks are, the less is left to search.
    """
    problem = _read(space, seed, limits, convention, norm, alpha)
    search = Search([problem], Polisher(problem), 0.0, known, deadline, None)
    with suppress(Stop):
        search.prepare()
    return search.bound


def _read(space: BlockSpace, seed: ArchSpec, limits: Limits, convention: str, norm: str, alpha: float) -> Problem:
    problem = read_problem(space, seed, limits, convention=convention, norm=norm, alpha=alpha)
    if reason := check_tables(problem):
        raise UsageError(reason)
    return problem


class _ExactAlgorithm:
    """The proven optimum; see docs/exact.md."""

    summary = "the proven optimum of the closed form; spaces of free blocks with a limit on depth"
    unit = "programs"
    uses = frozenset({"gap"})

    def supports(self, settings: SearchSettings) -> str:
        if settings.proxy is not None or settings.score.estimator != "mean-field":
            what = "proxy" if settings.proxy is not None else "estimator"
            return f"{what}: the exact search knows the Zen-score's closed form only; use the evolution"
        if settings.budget.evaluations is not None:
            return "budget: the exact search counts no evaluations; give it a time, such as 60s, or a gap"
        return unsupported(settings.space, settings.limits, settings.seed_network())

    def search(self, settings: SearchSettings, run: RunDirectory | None, callbacks: Callbacks) -> Outcome:
        return search_from(settings, callbacks)


def search_from(settings: SearchSettings, callbacks: Callbacks, known: Sequence[ArchSpec] = ()) -> Outcome:
    """Searches from networks that are known already; the settings are those of a problem that is supported."""
    began, stopped = time.monotonic(), ""
    budget = settings.budget

    def is_over() -> bool:
        nonlocal stopped
        elapsed = time.monotonic() - began
        if callbacks.should_stop():
            stopped = "interrupted"
        elif any(most is not None and elapsed >= most for most in (budget.seconds, budget.device_seconds)):
            stopped = "time"
        return bool(stopped)

    def tell(progress: Progress) -> None:
        best = "none yet" if progress.value is None else f"{progress.value:.2f}"
        callbacks.on_progress(f"{progress.iterations} programs, best {best}, bound {progress.bound:.2f} nats")

    score, space = settings.score, settings.space
    assert isinstance(space, BlockSpace)  # or it would not be supported
    result = solve(
        space,
        settings.seed_network(),
        settings.limits,
        convention=score.convention,
        norm=score.norm,
        alpha=score.alpha,
        top=max(settings.top, settings.verify),
        gap=DEFAULT_GAP if settings.gap is None else settings.gap,
        known=known,
        deadline=is_over,
        on_progress=tell,
    )
    rows = zip(result.networks, result.values, strict=True)
    candidates = tuple(Candidate(named(spec, space.name), value) for spec, value in rows)
    reason = stopped if stopped and result.stopped == "deadline" else result.stopped
    return Outcome(candidates, reason, result.iterations, time.monotonic() - began, result.bound)


def bound_of(settings: SearchSettings, outcome: Outcome) -> float:
    """What no network of the space within the limits exceeds, in nats; for a problem that is supported."""
    score, space = settings.score, settings.space
    assert isinstance(space, BlockSpace)
    return upper_bound(
        space,
        settings.seed_network(),
        settings.limits,
        convention=score.convention,
        norm=score.norm,
        alpha=score.alpha,
        known=[candidate.spec for candidate in outcome.candidates[:1]],
    )


ALGORITHM = _ExactAlgorithm()
