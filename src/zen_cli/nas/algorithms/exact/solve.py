"""The exact search as functions: the best networks of a space, and a bound that no network of it exceeds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from ....errors import UsageError
from ....metrics.evenness import best_units
from ....metrics.evenness import upper_bound as free_bound
from ....metrics.terms import score_spec, spec_terms
from ....net.spec import ArchSpec
from ...band import Band
from ...limits import Limits
from ...shapes import shape_of
from ...space import BlockSpace, to_spec
from .agreement import check_tables
from .evenly import Evenly
from .polish import Aim, Polisher
from .problem import Problem, read_problem
from .result import ExactResult, Row, result_of
from .search import Progress, Search
from .starts import search_evenly
from .tighten import Stop

MAX_UNITS = 200
EVEN_STARTS, WORK_OF_START = 24, 20e6
BOUND_WORK = 1e9  # for a bound alone, with evenness


def solve(
    space: BlockSpace,
    seed: ArchSpec,
    limits: Limits,
    *,
    convention: str = "paper",
    norm: str = "frobenius",
    alpha: float = 0.01,
    objective: str = "zen",
    band: Band | None = None,
    top: int = 1,
    similar: bool = False,
    gap: float = 0.005,
    most_work: float | None = None,
    known: Sequence[ArchSpec] = (),
    deadline: Callable[[], bool] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> ExactResult:
    """The best networks of a space within limits, with a bound that none exceeds.

    Args:
        space: a space of free blocks.
        seed: its seed network: resolution, channels in, classes and strides.
        limits: params and MACs as wanted, and a depth; with evenness MACs, and no depth.
        convention: of the score, `paper` or `zennas`.
        norm: of the score, `frobenius` or `l1`.
        alpha: size of the perturbation.
        objective: `zen`, the closed form of the score, or `even`, evenness.
        band: of evenness, in which networks of the best score are wanted.
        top: number of networks.
        similar: whether they may be of one shape; else the best of different shapes come first.
        gap: relative gap at which to stop; 0 goes on until nothing is left to prove.
        most_work: numbers to compute after which to stop, which unlike time is the same everywhere; None for no end.
        known: networks within the limits that are known already.
        deadline: called between steps; the search stops when it returns True.
        on_progress: called after every step.

    Raises:
        UsageError: the exact search cannot take the space or the limits, or no network keeps them.
    """
    is_even = objective == "even"
    base = _read(space, seed, limits, convention, norm, alpha, is_even=is_even or band is not None)
    if is_even:
        polisher = Polisher(base, Aim(None, MAX_UNITS))
        _begin_evenly(polisher, deadline, most_work)
        problems = _evenest_problems(base, polisher, known, deadline)
    else:
        polisher, problems = _scored_problems(base, band)
        if band is not None:
            _begin_evenly(polisher, deadline, most_work)
    search = Search(problems, polisher, gap, known, deadline, on_progress, most_work)
    stopped = search.run()
    rows: list[Row] = []
    ranking = polisher.ranking()
    for genome in ranking if similar else dict.fromkeys([*ranking[:top], *polisher.best_of_shapes(2 * top)]):
        spec = to_spec(genome, seed)
        if not space.excludes(genome, seed) and limits.admits(spec_terms(spec)):
            score = (
                polisher.pool[genome] if is_even else score_spec(spec, convention=convention, norm=norm, alpha=alpha)
            )
            rows.append(Row(score, shape_of(genome), genome, spec))
        if len(rows) >= top and similar:
            break
    return result_of(rows, top, similar, search.bound, search.tightener.iterations, stopped)


def upper_bound(
    space: BlockSpace,
    seed: ArchSpec,
    limits: Limits,
    *,
    convention: str = "paper",
    norm: str = "frobenius",
    alpha: float = 0.01,
    band: Band | None = None,
    known: Sequence[ArchSpec] = (),
    deadline: Callable[[], bool] | None = None,
) -> float:
    """A score in nats that no network of the space within the limits exceeds; arguments and errors as for `solve`.

    The better the known networks are, the less is left to search.
    """
    base = _read(space, seed, limits, convention, norm, alpha, is_even=band is not None)
    polisher, problems = _scored_problems(base, band)
    if band is not None:
        search = Search(problems, polisher, 0.0, known, deadline, None, BOUND_WORK)
        search.run()
        return search.bound
    search = Search(problems, polisher, 0.0, known, deadline, None)
    with suppress(Stop):
        search.prepare()
    return search.bound


def _read(
    space: BlockSpace, seed: ArchSpec, limits: Limits, convention: str, norm: str, alpha: float, *, is_even: bool
) -> Problem:
    problem = read_problem(space, seed, limits, convention=convention, norm=norm, alpha=alpha, is_even=is_even)
    if reason := check_tables(problem):
        raise UsageError(reason)
    return problem


def _scored_problems(base: Problem, band: Band | None) -> tuple[Polisher, list[Problem]]:
    """The problems of the best score, one for each number of units in a band."""
    if band is None:
        return Polisher(base), [base]
    return Polisher(base, Aim(band.floor, band.most_units)), list(
        _evenly(base, band.floor, band.floor, band.most_units)
    )


def _begin_evenly(polisher: Polisher, deadline: Callable[[], bool] | None, most_work: float | None) -> None:
    """Local searches from networks that are even by construction; fewer where little work is wanted."""
    count = EVEN_STARTS if most_work is None else max(1, min(EVEN_STARTS, int(most_work / WORK_OF_START)))

    def check() -> None:
        if deadline is not None and deadline():
            raise Stop("deadline")

    polisher.check = check
    with suppress(Stop):
        search_evenly(polisher, count)


def _evenest_problems(
    base: Problem, polisher: Polisher, known: Sequence[ArchSpec], deadline: Callable[[], bool] | None
) -> list[Problem]:
    """The problems of the best evenness: for each number of units that may beat a network of about N* units."""
    assert base.limits.macs is not None  # or it would not be supported
    most = best_units(base.limits.macs)
    problems = sorted(_evenly(base, None, -math.inf, 2 * most), key=lambda one: abs(_units(one) - most))
    if not problems:
        problems = list(_evenly(base, None, -math.inf, MAX_UNITS))
    first = Search(problems[:1], polisher, 0.0, known, deadline, None)
    with suppress(Stop):
        first.sketch()
    return list(_evenly(base, None, polisher.best, MAX_UNITS)) or problems[:1]


def _units(problem: Problem) -> int:
    return 0 if problem.evenness is None else problem.evenness.units


def _evenly(base: Problem, floor: float | None, least: float, most_units: float) -> Iterator[Problem]:
    """The problem for each number of units whose networks may have at least an evenness of `least`."""
    levels, macs = len(base.stages), float(base.limits.macs or 0)
    least_macs = min(macs, math.exp(least + math.log(levels) / 4)) if math.isfinite(least) else 1.0
    for units in range(1, math.floor(most_units) + 1):
        evenness = Evenly(units, levels, floor, least_macs, macs)
        if free_bound(macs, levels) - evenness.least_depth_term / 2 < least:
            continue
        problem = replace(base, evenness=evenness)
        if any(state.layers == units for state in problem.depths.states):
            yield problem
