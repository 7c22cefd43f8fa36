"""The Monte-Carlo estimator: many networks in, one estimate each, none depending on another.

One draw is random weights, random images and a random perturbation, run through the vanilla chain in training mode; the
score of the draw is log Delta plus the sum of log sigma_i (Zen-NAS, arXiv 2102.01063, algorithm 1). A draw's random
numbers follow from (seed, network, number of the draw) alone.

    draws       what goes in and what comes out; when a network has enough draws
    seeds       the random numbers of a draw
    precision   what a draw is computed in
    statistics  log sigma and log Delta from variances and feature maps
    single      one draw on one CPU core
    dispatch    many draws of many networks, by one of two backends:
    fused       in a few launches a layer, on a GPU
    plan        where the numbers of each draw are: tables for these launches
    kernels     what is launched, in Triton
    batch       layer by layer, in plain torch
    memory      what a draw needs and what a device has
    workers     several cores, or one GPU, as something that takes draws and returns scores
    estimates   networks -> draws -> workers -> estimates

Shapes: D draws, B images, 2 copies (clean x and perturbed x + alpha e), C channels, H x W positions, L layers. Feature
maps keep their channels last, [D, 2, B, H, W, C]: a convolution sees 2B images, the statistics of a copy B H W rows.
"""

from .draws import MAX_PRECISION_DRAWS, MIN_PRECISION_DRAWS, Estimate, KeyedChain, summarise
from .estimates import estimate
from .memory import draw_bytes
from .precision import resolve_mode
from .seeds import draw_seed

__all__ = [
    "MAX_PRECISION_DRAWS",
    "MIN_PRECISION_DRAWS",
    "Estimate",
    "KeyedChain",
    "draw_bytes",
    "draw_seed",
    "estimate",
    "resolve_mode",
    "summarise",
]
