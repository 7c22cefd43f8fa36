"""What is said of a front: how far it reaches, and how near it is to what can be reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..metrics import find
from ..metrics.terms import spec_terms
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
    gaps = [(row.bound - row.score) / abs(row.score) for row in found if row.bound is not None]
    if len(gaps) == len(found):
        lines.append(f"each network is within {max(0.0, *gaps):.2%} of what any network within its limits can reach")
    return lines
