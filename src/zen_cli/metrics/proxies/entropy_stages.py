"""`entropy_stages`: the entropy at the end of every resolution, the last one counting eightfold.

    H = sum_j a_j log(r_j^2 c_j) sum_{i <= end of stage j} log(c_i k_i^2 / g_i),        a = 1, 1, ..., 1, 8

A stage is the run of blocks between two that down-sample, r_j x r_j x c_j its last feature map. With five stages these
are the weights that DeepMAD uses for ImageNet; a network with fewer or more keeps the rule.

Source: Shen et al., *DeepMAD* (arXiv 2303.02165), multi-scale entropy; its penalty on uneven depths and its limit on
the ratio of depth to width are constraints of a search, not part of the score.

What known implementations get wrong: TinyNAS refuses a network whose stages are not five.
"""

from __future__ import annotations

import math

from ..settings import ScoreSettings
from ..sums import plain_sum
from ..terms import NetworkTerms

LAST_WEIGHT = 8
NEEDS_BLOCKS = True


def closed_form(terms: NetworkTerms, settings: ScoreSettings) -> float:
    """The weighted sum of the stages' entropies, in nats^2."""
    entropies = [math.log(stage.side**2 * stage.width) * stage.log_fan_in for stage in terms.stages]
    return plain_sum(entropies) + (LAST_WEIGHT - 1) * entropies[-1]
