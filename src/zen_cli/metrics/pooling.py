"""What a pooling does to a feature map in the limit of wide layers: the moments of what the next layer reads.

Before the ReLU the positions of a map are independent standard normals in this limit: a convolution with independent
weights correlates two positions only as far as its input does (Yang et al., *A mean field theory of batch
normalization*, arXiv 1902.08129), and the image does not. Of n positions inside a window

    average of k:   mean n mu / k,   variance n v / k^2          mu, v: mean and variance of one position
    maximum:        E X = int_0^oo 1 - Phi(a)^n da,   E X^2 = int_0^oo 2 a (1 - Phi(a)^n) da       (after a ReLU)

which are averaged over the windows, of which those at the border have fewer positions inside. The approximations: where
windows overlap, their results are correlated, which only a second pooling would see; of two poolings in a row the
second sees the first as if it were part of its window (`trace`); positions that no window reads are not known here, so
that the last window may have one position more. `docs/score.md` has the errors against random networks.

Source of the order statistics: David and Nagaraja, *Order Statistics* (2003), section 3.1.
"""

from __future__ import annotations

import math
from collections import Counter
from functools import lru_cache

from ..net.layers import Pair, Pool

STEPS, REACH = 256, 9.0  # of the integrals: their error is below 1e-9


@lru_cache(maxsize=4096)
def pooled_moments(pool: Pool, size: Pair, mean: float, variance: float) -> tuple[float, float]:
    """Squared mean and variance of one channel after a pooling.

    Args:
        pool: kind, kernel, stride and padding.
        size: of the map after the pooling.
        mean: of one position before it; 0 where there is no ReLU.
        variance: of one position before it.
    """
    rows, columns = (inside_counts(pool, size, axis) for axis in (0, 1))
    total, square, windows = 0.0, 0.0, size[0] * size[1]
    area = pool.kernel[0] * pool.kernel[1]
    for row, times in rows.items():
        for column, more in columns.items():
            count, share = row * column, times * more / windows
            if pool.kind == "max":
                first, second = maximum_moments(count, rectified=mean > 0)
            else:
                first = mean * count / area
                second = first**2 + variance * count / area**2
            total += share * first
            square += share * second
    return total**2, square - total**2


def inside_counts(pool: Pool, size: Pair, axis: int) -> Counter[int]:
    """How many windows of one axis have how many positions inside the map, the smallest that gives this size."""
    kernel, stride, padding = pool.kernel[axis], pool.stride[axis], pool.padding[axis]
    before = max(1, (size[axis] - 1) * stride + kernel - 2 * padding)
    starts = (index * stride - padding for index in range(size[axis]))
    return Counter(max(1, min(start + kernel, before) - max(start, 0)) for start in starts)


@lru_cache(maxsize=4096)
def maximum_moments(count: int, *, rectified: bool) -> tuple[float, float]:
    """Mean and second moment of the maximum of so many independent standard normals, and of 0 if it is rectified."""
    nodes = [index * REACH / STEPS for index in range(STEPS + 1)]
    above = [-math.expm1(count * math.log1p(-math.erfc(a / math.sqrt(2)) / 2)) for a in nodes]  # 1 - Phi(a)^n
    below = [0.0 if rectified else (math.erfc(a / math.sqrt(2)) / 2) ** count for a in nodes]  # Phi(-a)^n
    mean = _simpson([tail - part for tail, part in zip(above, below, strict=True)])
    square = _simpson([2 * a * (tail + part) for a, tail, part in zip(nodes, above, below, strict=True)])
    return mean, square


def _simpson(values: list[float]) -> float:
    """The integral over [0, REACH] of a function with these values at evenly spaced nodes."""
    ends, odd, even = values[0] + values[-1], math.fsum(values[1:-1:2]), math.fsum(values[2:-1:2])
    return REACH / STEPS / 3 * (ends + 4 * odd + 2 * even)
