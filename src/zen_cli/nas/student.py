"""Student's distribution: how far a mean of few draws may be from what it estimates. Standard library only."""

from __future__ import annotations

import math
from statistics import NormalDist


def student_quantile(probability: float, freedom: float) -> float:
    """A quantile of Student's distribution, for a probability of one half or more.

    By Newton's method on the probability to be above it, which is convex. So from the quantile of the normal
    distribution, which is below, each step goes up and none goes too far.
    """
    log_scale = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2) - math.log(math.pi * freedom) / 2
    value = NormalDist().inv_cdf(probability)
    while (excess := student_tail(value, freedom) - (1 - probability)) > 0:
        density = math.exp(log_scale - (freedom + 1) / 2 * math.log1p(value * value / freedom))
        above = value + excess / density
        if above - value <= 1e-14 * value:
            break
        value = above
    return value


def student_tail(value: float, freedom: float) -> float:
    """The probability that a number of Student's distribution exceeds a value of 0 or more.

    Half of the regularised incomplete beta function I_x(freedom / 2, 1 / 2) at x = freedom / (freedom + value^2).
    """
    return incomplete_beta(freedom / (freedom + value * value), freedom / 2, 0.5) / 2


def incomplete_beta(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b), by its continued fraction (Lentz's method).

    Source: NIST Digital Library of Mathematical Functions, 8.17.22.
    """
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):
        return 1 - incomplete_beta(1 - x, b, a)
    log_front = a * math.log(x) + b * math.log1p(-x) + math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    tiny = 1e-300
    fraction = ratio = 1 / (1 - (a + b) * x / (a + 1) or tiny)
    step = 1.0
    for m in range(1, 500):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            ratio = 1 / (1 + term * ratio or tiny)
            step = 1 + term / step or tiny
            change = ratio * step
            fraction *= change
        if abs(change - 1) < 1e-14:
            break
    return math.exp(log_front) * fraction / a
