"""`activations`: the output elements of all convolutions for one image.

    activations = sum over convolutions of c_out r'^2

Source: Radosavovic et al., *Designing Network Design Spaces* (arXiv 2003.13678), where it predicts the time on an
accelerator better than multiply-adds do.
"""

from __future__ import annotations

from ..settings import ScoreSettings
from ..terms import NetworkTerms


def closed_form(terms: NetworkTerms, settings: ScoreSettings) -> float:
    """Output elements of convolutions, shortcuts and squeeze-and-excitation included."""
    return terms.total.activations
