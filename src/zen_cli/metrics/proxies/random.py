"""`random`: a number in [0, 1) from the seed and the network's id, and nothing else.

    value = SHA-256("random/seed/id") as a fraction of its range

The baseline that every score has to beat, and a search on it is random search.

What known implementations get wrong: they draw from a global generator, so that the same network gets another value
each time it is met.
"""

from __future__ import annotations

import hashlib

from ...net.spec import ArchSpec
from ..metric import Measurement
from ..settings import ScoreSettings


def measure(spec: ArchSpec, settings: ScoreSettings) -> Measurement:
    """Uniform in [0, 1), independent between networks and between seeds."""
    digest = hashlib.sha256(f"random/{settings.seed}/{spec.id}".encode()).digest()
    return Measurement((int.from_bytes(digest[:8], "big") >> 11) / 2**53, None, {"seed": settings.seed})
