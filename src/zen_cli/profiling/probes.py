"""Networks to measure: what searches find, under limits and at depths of all sizes, and random members of spaces.

A search ends with other networks than random ones, deeper and with more weights, and predictions are for these: four in
five probes are the best of a short search, half of these in a band of evenness, the others random.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random
from typing import Any

from ..errors import SpecError
from ..nas.answer import search
from ..nas.members import random_members
from ..nas.request import check_request
from ..net.spec import ArchSpec

SPACES = ("mobile", "resnet", "regnet")
SMALLEST, LARGEST = 15e6, 800e6  # MACs
RESOLUTIONS = (96, 128, 160, 192, 224)
SUBLAYERS = (8, 11, 14, 18, 24)
EVEN: dict[str, Any] = {"budget": ["1000evals"], "verify": 0}
FREE: dict[str, Any] = {**EVEN, "evenness": "off"}
LARGER = 0.7  # below 1, so that more of the probes are large: only large ones leave caches
GOLDEN = (math.sqrt(5) - 1) / 2  # its multiples fill a range evenly, however many there are


def draw_probes(count: int, seed: int, spaces: Sequence[str] = SPACES, largest: float = LARGEST) -> list[ArchSpec]:
    """So many networks, the spaces by turns; limits on MACs are spread on a logarithmic scale.

    Args:
        count: of networks.
        seed: of all that is random.
        spaces: names or files.
        largest: the most MACs.

    Raises:
        UsageError: a space that is not known.
        SpecError: no network of a space has so few MACs.
    """
    random, rows = Random(seed), []
    for index in range(count):
        turn, space = divmod(index, len(spaces))
        macs = SMALLEST * (largest / SMALLEST) ** ((turn * GOLDEN + random.random() / 10) % 1) ** LARGER
        request = {
            "space": spaces[space],
            "resolution": random.choice(RESOLUTIONS),
            "seed": seed * 1000 + index,
            "algorithm": "evolution",
        }
        depth = random.choice(SUBLAYERS)
        free = FREE | {"max_sublayers": str(depth)}
        search_for = (free, EVEN, free, EVEN, None)[turn % 5]
        rows.append(_draw(request, macs, largest, search_for))
    return rows


def _draw(request: dict[str, Any], macs: float, largest: float, search_for: dict[str, Any] | None) -> ArchSpec:
    """The best network of a short search, or a random one; the limit is doubled while none keeps it."""
    while True:
        limited = {**request, "max_macs": str(round(macs))}
        try:
            if search_for is None:
                (member,) = random_members(check_request(limited), 1)
                return member
            return search(check_request({**limited, **search_for})).candidates[0].spec
        except SpecError:
            if macs >= largest:
                raise
            macs = min(2 * macs, largest)
