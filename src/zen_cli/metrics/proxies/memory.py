"""`memory`: the peak of live activations on a device, in bytes, for one image; see `target.memory`."""

from __future__ import annotations

from ...target.memory import footprint
from ..settings import ScoreSettings
from ..terms import NetworkTerms

NEEDS_BLOCKS = True


def closed_form(terms: NetworkTerms, settings: ScoreSettings) -> int:
    """Bytes of live tensors at the peak."""
    return footprint(terms.genes, *terms.image, terms.classifier).bytes(settings.dtype).peak
