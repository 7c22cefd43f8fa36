"""The kernels of `fused`, in Triton; a program computes a part of one draw, which it looks up in the tables of `plan`.

    tables   how it looks up
    layers   convolutions with what is done before them and after them
    scores   what a score is made of

Shapes: D draws, L steps, 2 copies, B images, C channels last, R rows (positions) of a block, K input channels at once.
Arguments that kernels share:

    numbers   images and weights of all draws
    maps      feature maps of all draws, twice: a step reads one and writes the other
    stats     scale and shift of the layer that each draw took last, [D, 2, 2, widest]
    moments   means, then sums of squared deviations, of blocks of rows
    shapes, steps, offsets, order   tables of `Plan`
"""

from .layers import JOIN_COLUMNS, convolve, depthwise, join
from .scores import distances, log_sigmas, totals

__all__ = ["JOIN_COLUMNS", "convolve", "depthwise", "distances", "join", "log_sigmas", "totals"]
