"""`entropy`: the upper bound of the entropy of the last feature map.

    H = log(r^2 c) sum_i log(c_i k_i^2 / g_i)

The sum runs over the layers i of the vanilla chain, c_i channels in, kernel k_i, g_i groups; r x r x c is the last
feature map. Residual additions, BN, squeeze-and-excitation and the classifier are left out.

Source: Shen et al., *DeepMAD* (arXiv 2303.02165), the entropy of a convolutional network.

What known implementations get wrong: TinyNAS takes the standard deviation, that is half the logarithm, which changes
no ranking; its plain convolutions ignore their groups, which does.
"""

from __future__ import annotations

import math

from ..settings import ScoreSettings
from ..terms import NetworkTerms


def closed_form(terms: NetworkTerms, settings: ScoreSettings) -> float:
    """log of the last map's elements times the summed log widths, in nats^2."""
    return math.log(terms.side**2 * terms.width) * terms.total.log_fan_in
