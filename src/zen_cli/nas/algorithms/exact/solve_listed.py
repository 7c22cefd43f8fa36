"""Problems in a space of RegNets, solved by listing it whole: the optimum, and the best networks of other shapes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from ....errors import UsageError
from ....metrics.evenness import best_units, network_evenness
from ....metrics.terms import score_spec, spec_terms
from ....net.spec import ArchSpec
from ...band import Band
from ...limits import Limits
from ...shapes import shape_of
from ...space import RegNetSpace, to_spec
from .line_tables import levels_of
from .listed import Listed, Listing, most_units
from .polish import Aim
from .result import ExactResult, Row, result_of
from .search import Progress
from .support import unsupported
from .tighten import Stop

NOTHING = ExactResult((), (), (), math.inf, math.inf, 0, "deadline")


def solve_listed(
    space: RegNetSpace,
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
    known: Sequence[ArchSpec] = (),
    deadline: Callable[[], bool] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> ExactResult:
    """The best networks of a space of RegNets; arguments and errors as for `solve.solve`.

    There is no bound before the end. `iterations` counts millions of networks within the limits.
    """
    is_even = objective == "even"
    if reason := unsupported(space, limits, seed, is_even=is_even or band is not None):
        raise UsageError(reason)
    smallest = (to_spec(space.genes(genome, seed), seed) for genome in space.smallest(seed))
    if not any(limits.admits(spec_terms(spec)) for spec in smallest):
        raise UsageError("limits: the smallest networks of the space exceed them; raise them")

    def check() -> None:
        if deadline is not None and deadline():
            raise Stop("deadline")

    def listed(most: int, aim: Aim | None) -> tuple[list[Listed], int]:
        listing = Listing(space, seed, limits, most, check)
        rows = listing.best(
            lambda sums: sums.evenness() if is_even else sums.zen(norm, alpha), "paper" if is_even else convention, aim
        )
        return rows, listing.counted

    try:
        if is_even:
            rows, counted = _evenest(space, seed, limits, listed, _evenness_of(known))
        elif band is not None:
            rows, counted = listed(math.floor(band.most_units), Aim(band.floor, band.most_units))
        else:
            rows, counted = listed(space.depth.max, None)
    except Stop:
        return NOTHING

    def valued(row: Listed) -> Row | None:
        """The row counted anew, if it is a member within the limits and the band."""
        genes = space.genes(row.genome, seed)
        spec = to_spec(genes, seed)
        image = seed.in_channels, seed.side
        if space.excludes(row.genome, seed) or not limits.admits(spec_terms(spec)):
            return None
        if band is not None and not band.admits(genes, image):
            return None
        value = (
            network_evenness(genes, *image).value
            if is_even
            else score_spec(spec, convention=convention, norm=norm, alpha=alpha)
        )
        return Row(value, shape_of(genes), row.genome, spec)

    kept = [one for one in map(valued, rows) if one is not None]
    if not kept:
        raise UsageError("limits: no network of the space keeps all of them at once; raise one of them")
    best = max(row.value for row in kept)
    bound = max(best, rows[0].value)
    millions = max(1, round(counted / 1e6))
    if on_progress is not None:
        on_progress(Progress(millions, best, bound, 0.0))
    return result_of(kept, top, similar, bound, millions, "optimal")


def _evenest(
    space: RegNetSpace,
    seed: ArchSpec,
    limits: Limits,
    listed: Callable[[int, Aim | None], tuple[list[Listed], int]],
    least: float | None,
) -> tuple[list[Listed], int]:
    """The most even networks, at least of `least`: first of up to N* units, then of as many as may be more even."""
    macs, levels = float(limits.macs or 0), len(set(levels_of(space, seed)))
    first = min(space.depth.max, max(space.depth.min, math.ceil(best_units(macs))))
    rows, counted = listed(first, Aim(least, first))
    best = rows[0].value if rows else least
    most = space.depth.max if best is None else most_units(macs, levels, best, space.depth.max)
    if most <= first:
        return rows, counted
    again, more = listed(most, Aim(best, most))
    return sorted({*rows, *again}, key=lambda row: (-row.value, row.genome)), counted + more


def _evenness_of(known: Sequence[ArchSpec]) -> float | None:
    """The best evenness of networks that are known; None where there are none."""
    values = [network_evenness(spec.genes, spec.in_channels, spec.resolution).value for spec in known]
    return max(values, default=None)
