"""`zen`: the Zen-score's closed form, so that a search can treat all scores alike.

    Zen = log Delta + sum_i log sigma_i        (nats)

Source: Lin et al., *Zen-NAS* (arXiv 2102.01063), algorithm 1, in the limit of wide layers; see `meanfield.py`.

What known implementations get wrong: the published code never resets its running variance between repeats, so its score
drifts with the number of repeats; and a network that fails gets -9999 and stays in the population.
"""

from __future__ import annotations

from ..settings import ScoreSettings
from ..terms import NetworkTerms


def closed_form(terms: NetworkTerms, settings: ScoreSettings) -> float:
    """The score in nats, for the convention that the terms were made with."""
    return terms.zen(settings.norm, settings.alpha)
