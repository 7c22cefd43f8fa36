"""The figure of the evidence that concerns a search: how its objective did on a public table of trained networks.

`figures.json` is written by `benchmarks/evidence.py --save` and never by hand; docs/evidence.md explains it.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

RULE = "zen in the band"  # the rule of the default search
SMALL_SIDE = 64  # images up to this side are compared with those of CIFAR
READ_ON = "docs/evidence.md"
PLACE = Path(__file__).parent / "figures.json"


@cache
def figures() -> dict[str, Any]:
    """By table, `large` images and `small` ones: its title, and of each metric the ratios as value, low, high."""
    import orjson

    found: dict[str, Any] = orjson.loads(PLACE.read_bytes())
    return found


def evidence_line(objective: str, resolution: int, *, has_params_limit: bool) -> str:
    """One line for people about what picking by an objective is worth.

    Args:
        objective: a metric, or `RULE` for the rule of the default search.
        resolution: side of the image.
        has_params_limit: whether the search limits parameters as well as MACs.
    """
    table = figures()["small" if resolution <= SMALL_SIDE else "large"]
    row = table["metrics"].get(objective)
    if row is None:
        return f"evidence: none for {objective} on public tables; zen bench tries it on networks of yours ({READ_ON})"
    value, low, high = row["cells" if has_params_limit else "limit"]
    cost = "MACs and parameters" if has_params_limit else "MACs"
    return (
        f"evidence: on {table['title']}, the pick of {objective} lost {value:.2f} ({low:.2f} to {high:.2f}) of what a "
        f"random one of the same {cost} loses to the best ({READ_ON})"
    )
