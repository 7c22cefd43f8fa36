"""An opening under a latency beside a limit on parameters or weights: exact networks under limits on MACs that fit it.

In the exact search one of the two would have no price. Here it solves the problem without the latency. While its
network takes too long, MACs are limited to fewer, so that the evolution begins with the best network of some limit on
MACs that keeps the latency, and ends with none worse.
The first solution's bound holds under a latency too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..opening import Opening
    from ..settings import SearchSettings
    from .exact.algorithm import Solver
    from .exact.result import ExactResult

STEPS = 5  # solutions at most
MARGIN = 0.99  # of the MACs that would just keep the latency if times grew with MACs
NEAR = 0.97  # of the latency, above which no better limit on MACs is looked for


def without_latency(settings: SearchSettings) -> SearchSettings:
    """The problem without its limit on latency."""
    return settings.model_copy(update={"limits": settings.limits.replace(latency=None)})


def can_open(settings: SearchSettings) -> bool:
    """Whether a search has limits on latency and on parameters or weights, without evenness."""
    from ..space import BlockSpace
    from .exact.support import unsupported_settings

    is_timed = "latency" in settings.limits and not {"params", "weights"}.isdisjoint(settings.limits)
    is_timed = is_timed and isinstance(settings.space, BlockSpace)
    if not is_timed or settings.evenness is not None or settings.proxy is not None:
        return False
    return not unsupported_settings(without_latency(settings))


def open_timed(settings: SearchSettings, solver: Solver) -> Opening | None:
    """The best network found that keeps the latency, with a bound; None where none does.

    Args:
        settings: a problem that `can_open`.
        solver: of the problem without the latency.

    Raises:
        UsageError: no network keeps the other limits.
    """
    from ...target.latency import latency_ms
    from ..opening import Opening
    from .exact.algorithm import NO_BOUND, wanted_gap

    target, limit = settings.score.target, settings.limits.lowered("latency")
    assert target is not None  # or it would have no latency
    first = best = None
    most: float | None = settings.limits.macs
    slow: tuple[int, float] | None = None  # MACs and milliseconds of the last one that is too slow
    fast: tuple[int, float] | None = None  # and of the last one that is not
    for step in range(STEPS):
        result = _below(solver, settings, most)
        if not result.networks:
            break
        first = first or result
        spec = result.networks[0]
        found = spec.cost.macs, latency_ms(target, spec)
        if found[1] <= limit:
            fast, best = found, result
            if slow is None or found[1] > NEAR * limit:
                break
        else:
            slow = found
        if slow is None or fast is None:
            most = MARGIN * found[0] * (limit / found[1]) ** (step + 1)  # steeper, as part of the time is not of MACs
        else:
            share = (MARGIN * limit - fast[1]) / (slow[1] - fast[1])
            most = fast[0] + max(0.1, share) * (slow[0] - fast[0])
        if solver.is_over():
            break
    if first is None or best is None:
        return None
    start, *others = (
        genome for genome, spec in zip(best.genomes, best.networks, strict=True) if latency_ms(target, spec) <= limit
    )
    is_free = slow is None  # the latency decides nothing
    return Opening(
        start,
        others,
        bound=first.bound if first.gap < NO_BOUND else None,
        is_exact=is_free,
        is_proven=is_free and first.gap <= wanted_gap(settings),
        is_whole=not solver.callbacks.should_stop(),
    )


def _below(solver: Solver, settings: SearchSettings, macs: float | None) -> ExactResult:
    limited = without_latency(settings)
    limited = limited.model_copy(update={"limits": limited.limits.replace(macs=macs)})
    return solver._replace(settings=limited).best(None, (), max(settings.top, settings.verify))
