"""`balanced`: depth, mean gain and mean map size, none of which can outbid the others.

    Balanced = log L + 1/L sum_i ( log sigma_i + log A_i )        (nats)

L layers of the vanilla chain, sigma_i the gain of layer i by the closed form, A_i = c_out r'^2 its output elements. The
Zen-score is the sum of the gains, so depth buys more of it than width does; here depth counts by its logarithm.

It was found on the tables of trained networks by which it is judged in `docs/proxies.md`: a lead, not a law.
"""

from __future__ import annotations

import math

from ..settings import ScoreSettings
from ..terms import NetworkTerms


def closed_form(terms: NetworkTerms, settings: ScoreSettings) -> float:
    """log L + mean(log sigma + log A), in nats."""
    total = terms.total
    return math.log(total.layers) + (total.log_gain + total.log_maps) / total.layers
