"""What is said of a front: how far it reaches, and how near it is to what can be reached."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..metrics import find
from ..metrics.terms import spec_terms
from ..nas.options import DEFAULT_GAP
from ..units import format_count

if TYPE_CHECKING:
    from ..nas.outcome import Outcome
    from ..nas.settings import SearchSettings


def front_lines(settings: SearchSettings, outcome: Outcome) -> list[str]:
    """One line a cost: its range over the networks; one more where each network has a bound."""
    lines, found = [], outcome.candidates
    for name in settings.front:
        values = [find(name).value_of(spec_terms(candidate.spec), settings.score) for candidate in found]
        worst = min(candidate.score for candidate in found)
        unit = find(name).unit
        low, high = (f"{value:.3g}" if unit == "ms" else format_count(value) for value in (min(values), max(values)))
        reach = f"{low} to {high}{f' {unit}' if unit else ''}"
        many = f"{len(found)} network{'s' if len(found) > 1 else ''}"
        lines.append(f"a front of {many} over {name}, {reach}: {worst:.2f} to {found[0].score:.2f}")
    gaps = [None if row.bound is None else max(0.0, (row.bound - row.score) / abs(row.score)) for row in found]
    return lines + gap_lines(gaps, "its limits" if settings.evenness is None else "its limits and its band")


def gap_lines(gaps: Sequence[float | None], what: str = "its limits") -> list[str]:
    """One line about how near the networks of a front are to the best that there can be; none where nothing is known.

    Args:
        gaps: of each network, how far the bound is above its score, as a share; None where there is no bound.
        what: what a network that is compared keeps.
    """
    known = [gap for gap in gaps if gap is not None]
    if not known:
        return []
    proven = [gap for gap in known if gap <= DEFAULT_GAP]
    if len(proven) == len(gaps):
        return [f"each network is within {max(known):.2%} of what any network within {what} can reach"]
    some = f"{len(proven)} of {len(gaps)} networks are" if proven else f"none of the {len(gaps)} networks is"
    others = "the others" if proven else "they"
    rest = f"{others} are within {max(known):.1%}" if len(known) == len(gaps) else "of some there is no bound"
    return [f"{some} proven to be within {DEFAULT_GAP:.1%} of the best that there can be; {rest}"]
