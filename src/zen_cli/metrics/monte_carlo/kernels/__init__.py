"""The kernels of `fused`, in Triton; a program computes a part of one lane, which it looks up in the tables of `lanes`.

    tables   how it looks up
    layers   convolutions with what is in front of them and behind them
    scores   what a score is made of

Shapes: D lanes, L steps, 2 halves, B images, C channels last, R rows (positions) of a block, K input channels at once.
Arguments that kernels share:

    numbers   images and weights of all lanes
    maps      feature maps of all lanes, twice: a step reads one and writes the other
    stats     scale and shift of the layer that each lane took last, [D, 2, 2, widest]
    moments   means, then sums of squared deviations, of blocks of rows
    shapes, steps, places, order   tables of `Lanes`
"""

from .layers import JOIN_COLUMNS, convolve, depthwise, join
from .scores import distances, log_sigmas, totals

__all__ = ["JOIN_COLUMNS", "convolve", "depthwise", "distances", "join", "log_sigmas", "totals"]
