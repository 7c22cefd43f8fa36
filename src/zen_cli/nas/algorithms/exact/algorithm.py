"""The exact search as an entry of the table of algorithms, and as the opening of another search."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ....metrics.evenness import network_evenness
from ....net.spec import ArchSpec
from ...band import Band, make_band
from ...drive import named
from ...options import DEFAULT_GAP
from ...outcome import Callbacks, Candidate, Outcome
from ...rundir import RunDirectory
from ...settings import SearchSettings
from ...space import BlockSpace, RegNetSpace
from .result import ExactResult
from .search import Progress
from .solve import solve, upper_bound
from .solve_listed import solve_listed
from .support import unsupported_settings

NO_BOUND = 1.0  # a gap at which a bound says nothing
EVENNESS_GAP = 1e-4  # of E*, which is about 0.002 nats
BAND_GAP = 0.0  # of the score in a band, which is proven to the end soon after it is nearly proven


def wanted_gap(settings: SearchSettings) -> float:
    """The gap at which nothing is left to gain: the one asked for, or a share of the objective that is little of it."""
    if settings.gap is not None:
        return settings.gap
    return EVENNESS_GAP if settings.proxy == "even" else DEFAULT_GAP


class Solver(NamedTuple):
    """Solves the problem of a search's settings.

    Attributes:
        settings: a problem that is supported.
        callbacks: told of progress.
        is_over: called between steps; a solution ends where it returns True.
        most_work: work after which a solution ends, see `solve`; None for no end.
    """

    settings: SearchSettings
    callbacks: Callbacks
    is_over: Callable[[], bool]
    most_work: float | None = None

    def evenest(self, known: Sequence[ArchSpec] = ()) -> ExactResult:
        """The network of the best evenness."""
        return self._solve(objective="even", gap=EVENNESS_GAP, known=known)

    def best(self, band: Band | None, known: Sequence[ArchSpec] = (), top: int = 1) -> ExactResult:
        """The networks of the best objective: of the best score in a band of evenness, if there is one."""
        gap = BAND_GAP if band is not None and self.settings.gap is None else wanted_gap(self.settings)
        objective = self.settings.proxy or "zen"
        return self._solve(objective=objective, gap=gap, band=band, known=known, top=top)

    def _solve(
        self, *, objective: str, gap: float, band: Band | None = None, known: Sequence[ArchSpec] = (), top: int = 1
    ) -> ExactResult:
        settings, score, what = self.settings, self.settings.score, "evenness" if objective == "even" else "best"

        def tell(progress: Progress) -> None:
            best = "none yet" if progress.value is None else f"{progress.value:.3f}"
            bound = f", bound {progress.bound:.3f}" if progress.gap < NO_BOUND else ""
            self.callbacks.on_progress(f"{progress.iterations:,} programs, {what} {best}{bound} nats")

        common: dict[str, Any] = {
            **{name: getattr(score, name) for name in ("convention", "norm", "alpha")},
            "objective": objective,
            "band": band,
            "top": top,
            "similar": settings.similar,
            "known": known,
            "deadline": self.is_over,
            "on_progress": tell,
        }
        seed = settings.seed_network()
        if isinstance(settings.space, RegNetSpace):
            return solve_listed(settings.space, seed, settings.limits, **common)
        return solve(block_space(settings), seed, settings.limits, gap=gap, most_work=self.most_work, **common)


class _ExactAlgorithm:
    """The proven optimum; see docs/exact.md."""

    summary = "the proven optimum of the closed form; spaces of free blocks with a limit on depth, or evenness"
    unit = "programs"
    uses = frozenset({"gap", "evenness"})

    def supports(self, settings: SearchSettings) -> str:
        if settings.budget.evaluations is not None:
            return "budget: the exact search counts no evaluations; give it a time, such as 60s, or a gap"
        return unsupported_settings(settings)

    def search(self, settings: SearchSettings, run: RunDirectory | None, callbacks: Callbacks) -> Outcome:
        return search_from(settings, callbacks)


def search_from(
    settings: SearchSettings, callbacks: Callbacks, known: Sequence[ArchSpec] = (), most_work: float | None = None
) -> Outcome:
    """Searches from networks that are known already; the settings are those of a problem that is supported.

    Each solution ends after `most_work`, see `Solver`.
    """
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

    solver = Solver(settings, callbacks, is_over, most_work)
    band: Band | None = None
    programs = 0
    if settings.evenness is not None:
        evenest = solver.evenest()
        programs = evenest.iterations
        band, known = band_of(settings, evenest), [*known, *evenest.networks]
        if band is None:  # ended before the first network
            return Outcome((), stopped or evenest.stopped, programs, time.monotonic() - began)
    result = solver.best(band, known, max(settings.top, settings.verify))
    rows = zip(result.networks, result.values, strict=True)
    candidates = tuple(Candidate(named(spec, settings.space.name), value) for spec, value in rows)
    reason = stopped if stopped and result.stopped == "deadline" else result.stopped
    elapsed = time.monotonic() - began
    bound = result.bound if band is None or result.gap < NO_BOUND else None  # of a listing that was ended there is none
    return Outcome(candidates, reason, programs + result.iterations, elapsed, bound, band=band)


def band_of(settings: SearchSettings, evenest: ExactResult) -> Band | None:
    """The band below the best evenness; None where no network was found, or none is wanted."""
    if settings.evenness is None or not evenest.networks:
        return None
    spec = evenest.networks[0]
    found = network_evenness(spec.genes, spec.in_channels, spec.resolution)
    return make_band(found, settings.evenness, settings.limits, evenest.bound)


def block_space(settings: SearchSettings) -> BlockSpace:
    """The space of a problem that is supported."""
    space = settings.space
    assert isinstance(space, BlockSpace)  # or it would not be supported
    return space


def bound_of(settings: SearchSettings, outcome: Outcome) -> float:
    """What no network of the space within the limits exceeds, in nats; for a problem that is supported."""
    score = settings.score
    if isinstance(settings.space, RegNetSpace):
        return Solver(settings, Callbacks(), lambda: False).best(outcome.band).bound
    return upper_bound(
        block_space(settings),
        settings.seed_network(),
        settings.limits,
        convention=score.convention,
        norm=score.norm,
        alpha=score.alpha,
        band=outcome.band,
        known=[candidate.spec for candidate in outcome.candidates[:1]],
    )


ALGORITHM = _ExactAlgorithm()
