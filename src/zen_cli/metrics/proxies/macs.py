"""`macs`: the multiply-adds of convolutions and classifier for one image.

    macs = sum over convolutions of (c_in/g) c_out k^2 r'^2, and in x out of the classifier

What known implementations get wrong: the published Zen-NAS code counts the shortcut of a strided unit at a quarter of
what it costs; many tools print twice this number as FLOPs.
"""

from __future__ import annotations

from ..settings import ScoreSettings
from ..terms import NetworkTerms


def closed_form(terms: NetworkTerms, settings: ScoreSettings) -> float:
    """Multiply-adds of the training form for one image."""
    return terms.total.macs
