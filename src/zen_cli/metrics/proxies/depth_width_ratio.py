"""`depth_width_ratio`: the effectiveness of DeepMAD, layers over their mean width.

    ratio = L / w,    w = exp( 1/L sum_i log(c_i k_i^2 / g_i) )

The sum runs over the L layers of the vanilla chain; the width of a layer is the number of weights that one of its
output elements reads. The deeper a network for its width, the harder it is to train: DeepMAD limits the ratio to about
0.3.

Source: Shen et al., *DeepMAD* (arXiv 2303.02165), equation 5.
"""

from __future__ import annotations

import math

from ..settings import ScoreSettings
from ..terms import NetworkTerms


def closed_form(terms: NetworkTerms, settings: ScoreSettings) -> float:
    """Layers over the geometric mean of their widths."""
    total = terms.total
    return total.layers / math.exp(total.log_fan_in / total.layers)
