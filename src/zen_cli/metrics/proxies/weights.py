"""`weights`: all parameters on a device, BN folded, in bytes; see `target.memory`."""

from __future__ import annotations

from ...target.memory import footprint
from ..settings import ScoreSettings
from ..terms import NetworkTerms

NEEDS_BLOCKS = True


def closed_form(terms: NetworkTerms, settings: ScoreSettings) -> int:
    """Bytes of the parameters."""
    return footprint(terms.genes, *terms.image, terms.classifier).bytes(settings.dtype).weights
