"""The exact search as an entry of the table of algorithms."""

from __future__ import annotations

import time

from ...drive import named
from ...outcome import Callbacks, Candidate, Outcome
from ...rundir import RunDirectory
from ...settings import SearchSettings
from ...space import BlockSpace
from . import Progress, solve, unsupported, upper_bound

DEFAULT_GAP = 0.005


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
