"""`params`: the parameters of the training form.

    params = sum over convolutions of (c_in/g) c_out k^2, 2 c a BN, and the classifier with its bias

The plainest baseline there is, and a strong one: on cell spaces it beats most scores that need a forward pass.

What known implementations get wrong: the published Zen-NAS code counts one parameter a BN channel instead of two and
leaves squeeze-and-excitation out.
"""

from __future__ import annotations

from ..settings import ScoreSettings
from ..terms import NetworkTerms


def closed_form(terms: NetworkTerms, settings: ScoreSettings) -> float:
    """Parameters, squeeze-and-excitation and classifier included."""
    return terms.total.params
