"""`random`: a number in [0, 1) from the seed and the network's id, and nothing else.

    value = SHA-256("random/seed/id") as a fraction of its range

The baseline that every score has to beat, and a search on it is random search.

What known implementations get wrong: they draw from a global generator, so that the same network gets another value
each time it is met.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from ...errors import RunError
from ...net.network import Network
from ..metric import Measurement, OnDraw
from ..settings import ScoreSettings


def measure_all(
    networks: Iterable[Network], settings: ScoreSettings, *, on_draw: OnDraw | None = None
) -> Iterator[Measurement | RunError]:
    """Uniform in [0, 1), independent between networks and between seeds."""
    for network in networks:
        digest = hashlib.sha256(f"random/{settings.seed}/{network.id}".encode()).digest()
        yield Measurement((int.from_bytes(digest[:8], "big") >> 11) / 2**53, None, {"seed": settings.seed})
