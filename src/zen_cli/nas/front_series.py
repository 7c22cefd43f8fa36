"""A front by the exact search: one limit after the other, each from the networks known so far, each with its bound."""

from __future__ import annotations

import time
from typing import Any

from ..errors import UsageError
from ..metrics.terms import spec_terms
from ..net.spec import ArchSpec, parse_spec
from .algorithms.exact.algorithm import search_from
from .band import Band
from .budget import Budget
from .front import front_limits
from .limits import Limits
from .options import DEFAULT_GAP
from .outcome import Callbacks, Candidate, Outcome
from .rundir import RunDirectory
from .settings import SearchSettings


def solve_front(
    settings: SearchSettings, run: RunDirectory | None, callbacks: Callbacks, most_work: float | None = None
) -> Outcome:
    """The front with its proven bound; arguments and errors as for `Algorithm.search`.

    Each limit ends after `most_work`, see `exact.solve`.
    Between two limits the bound of the higher one holds, so no network of the space is above the stairs of the bounds.
    A run that is resumed keeps the limits that are solved.
    """
    return _Series(settings, run, callbacks, most_work).search()


class _Series:
    """The limits of a front, what is known of each, and the time that is left."""

    def __init__(
        self, settings: SearchSettings, run: RunDirectory | None, callbacks: Callbacks, most_work: float | None
    ) -> None:
        self.settings, self.run, self.callbacks, self.most_work = settings, run, callbacks, most_work
        self.began, self.before = time.monotonic(), 0.0
        self.rungs = front_limits(settings, settings.top)
        self._gap = DEFAULT_GAP if settings.gap is None else settings.gap
        self.solved: dict[str, dict[str, Any]] = {}
        if run is not None:
            run.restore_checkpoint(self._restore, callbacks.warn)

    @property
    def elapsed_s(self) -> float:
        """Seconds of search, those before a checkpoint included."""
        return self.before + time.monotonic() - self.began

    def search(self) -> Outcome:
        """Solves what is not solved yet."""
        fault: UsageError | None = None
        stopped = ""
        for index, limits in enumerate(self.rungs):
            if not self._is_solved(limits):
                try:
                    stopped = self._solve(limits, len(self.rungs) - index)
                except UsageError as error:  # no network keeps so low a limit
                    fault = error
            if stopped in ("interrupted", "time"):
                break
        if not self.solved:
            raise fault if fault is not None else UsageError("budget: ended before the first network; give it longer")
        rows = [self.solved[_key(limits)] for limits in self.rungs if _key(limits) in self.solved]
        endings = [row["stopped"] for row in rows]
        if stopped not in ("interrupted", "time"):
            stopped = next((ending for ending in ("work", "gap") if ending in endings), "optimal")
        return Outcome(
            self._candidates(), stopped, max(1, sum(row["programs"] for row in rows)), self.elapsed_s, self._bound()
        )

    def _is_solved(self, limits: Limits) -> bool:
        """Whether a limit was solved to the gap that is wanted, and not ended by the clock."""
        row = self.solved.get(_key(limits))
        return row is not None and row["stopped"] != "time" and row["gap"] <= self._gap

    def _solve(self, limits: Limits, left: int) -> str:
        """Solves one limit of those that are left, and keeps it; why that ended."""
        settings, budget = self.settings, self.settings.budget
        times = (budget.seconds, budget.device_seconds)
        shares = [None if most is None else max(1e-6, (most - self.elapsed_s) / left) for most in times]
        one = settings.model_copy(
            update={"limits": limits, "top": 1, "verify": 0, "front": (), "budget": Budget(None, *shares)}
        )
        known = [spec for spec in self._known() if limits.admits(spec_terms(spec))]
        name = " ".join(f"{cost} {limits[cost]:,.0f}" for cost in settings.front)
        found = search_from(one, self.callbacks._replace(on_progress=self._tell(name)), known, self.most_work)
        if not found.candidates or (found.stopped == "interrupted"):
            return found.stopped
        best = found.candidates[0]
        self.solved[_key(limits)] = {
            "arch": best.spec.to_dict(),
            "score": best.score,
            "bound": found.bound,
            "programs": found.evaluations,
            "stopped": found.stopped,
            "gap": self._gap,
            "band": found.band,
        }
        if self.run is not None:
            self.run.write_checkpoint({"solved": self.solved, "elapsed_s": self.elapsed_s})
        return "" if found.stopped == "time" and left > 1 else found.stopped

    def _tell(self, name: str) -> Any:
        return lambda line: self.callbacks.on_progress(f"{name}: {line}")

    def _known(self) -> list[ArchSpec]:
        return [parse_spec(row["arch"]) for row in self.solved.values()]

    def _restore(self, state: dict[str, Any]) -> None:
        """Takes over a state.

        Raises:
            ValueError: it is not one of a front.
        """
        solved, elapsed = state["solved"], float(state["elapsed_s"])
        for row in solved.values():
            parse_spec(row["arch"])
            if not (
                float(row["score"]) <= float(row["bound"]) and int(row["programs"]) >= 0 and float(row["gap"]) >= 0
            ):
                raise ValueError("solved: a score is above its bound")
            _band_of(row)
        self.solved, self.before = dict(solved), elapsed

    def _bound(self) -> float | None:
        """What no network within the limits of the problem exceeds, where the highest limit is solved."""
        row = self.solved.get(_key(self.settings.limits))
        return None if row is None else float(row["bound"])

    def _candidates(self) -> tuple[Candidate, ...]:
        """The best of each limit, the highest score first; a network that is best under several has the highest one.

        A network below a limit may have been found under another one. Without a band of evenness the bound of a higher
        limit holds below it; bands differ from limit to limit.
        """
        rows = [(limits, self.solved[_key(limits)]) for limits in self.rungs if _key(limits) in self.solved]
        known = [(float(row["score"]), parse_spec(row["arch"])) for _, row in rows]
        found: dict[str, Candidate] = {}
        for (limits, row), own in zip(rows, known, strict=True):
            band, bounds = _band_of(row), [float(row["bound"])]
            if band is None:
                higher = [one for within, one in rows if _is_inside(limits, within, self.settings.front)]
                bounds = [float(one["bound"]) for one in higher]
            inside = [own, *(pair for pair in known if _keeps(pair[1], limits, band))]
            score, spec = max(inside, key=lambda pair: pair[0])
            found[spec.id] = Candidate(spec, score, bound=max(score, min(bounds)), limits=limits, band=band)
        return tuple(sorted(found.values(), key=lambda row: -row.score))


def _band_of(row: dict[str, Any]) -> Band | None:
    """The band below a solved limit; raises TypeError if it is damaged."""
    return None if row["band"] is None else Band(*row["band"])


def _keeps(spec: ArchSpec, limits: Limits, band: Band | None) -> bool:
    """Whether a network keeps limits, and is in a band if there is one."""
    in_band = band is None or band.admits(spec.genes, (spec.in_channels, spec.resolution))
    return in_band and limits.admits(spec_terms(spec))


def _is_inside(low: Limits, high: Limits, names: tuple[str, ...]) -> bool:
    return all(low[name] <= high[name] for name in names)


def _key(limits: Limits) -> str:
    return " ".join(f"{name}={limits[name]!r}" for name in limits)
