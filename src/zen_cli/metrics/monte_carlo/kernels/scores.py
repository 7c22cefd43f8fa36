"""What a score is made of: log sigma of every layer, the distance of the copies of every image, and their total."""

from __future__ import annotations

import triton
import triton.language as tl

from .tables import (
    EVEN_MAPS,
    INTEGERS,
    OUT_WIDTH,
    OUT_X,
    OUT_Y,
    VARIANCES,
    field,
    layers_of,
    least_of,
    shape_at,
    start_of,
    step_field,
)

CHANNELS, FEATURES, TERMS = map(tl.constexpr, (256, 1024, 64))


@triton.jit(do_not_specialize=INTEGERS)
def log_sigmas(sigmas, variances, shapes, steps, offsets, depth, batch, PAPER: tl.constexpr):
    """log sigma of every layer, [D, L], as `statistics.log_sigma` defines it; grid (L, D)."""
    draw, step = tl.program_id(1), tl.program_id(0)
    if step >= layers_of(offsets, draw):
        return
    shape = shape_at(shapes, steps, draw, step, depth)
    width = field(shape, OUT_WIDTH)
    rows = batch * field(shape, OUT_Y) * field(shape, OUT_X)
    variances += step_field(steps, draw, step, depth, VARIANCES)
    plain = tl.zeros((CHANNELS,), tl.float64)
    perturbed = tl.zeros((CHANNELS,), tl.float64)
    for first in range(0, width, CHANNELS):
        column = first + tl.arange(0, CHANNELS)
        inside = column < width
        plain += tl.load(variances + column, mask=inside, other=0.0)
        perturbed += tl.load(variances + width + column, mask=inside, other=0.0)
    square, other = tl.sum(plain, axis=0) / width, tl.sum(perturbed, axis=0) / width
    if PAPER:
        square += 0.0 * other  # NaN there is NaN here: the ReLU of the next layer would hide it
    else:
        unbiased = tl.where(rows > 1, rows.to(tl.float64) / tl.maximum(rows - 1, 1), 1.0)
        square = 0.81 + (0.09 * square + 0.1 * other) * unbiased
    tl.store(sigmas + draw * depth + step, tl.log(square) / 2)


@triton.jit(do_not_specialize=INTEGERS)
def distances(found, maps, stats, shapes, steps, offsets, depth, batch, widest, L1: tl.constexpr):
    """Distance of the two copies of every image after a draw's last layer, [D, B]; grid (B, D)."""
    draw, image = tl.program_id(1), tl.program_id(0)
    step = layers_of(offsets, draw) - 1
    shape = shape_at(shapes, steps, draw, step, depth)
    width = field(shape, OUT_WIDTH)
    features = field(shape, OUT_Y) * field(shape, OUT_X) * width
    least = least_of(shape)
    plain = maps + start_of(offsets, draw, EVEN_MAPS + step % 2) + image.to(tl.int64) * features
    perturbed = plain + batch.to(tl.int64) * features
    scales = stats + draw * 4 * widest
    total = tl.zeros((FEATURES,), tl.float64)
    for first in range(0, features, FEATURES):
        at = first + tl.arange(0, FEATURES)
        here = at < features
        scale = scales + at % width
        x = tl.load(plain + at, mask=here, other=0.0).to(tl.float32)
        x = tl.maximum(x * tl.load(scale, mask=here) + tl.load(scale + widest, mask=here), least)
        scale += 2 * widest
        y = tl.load(perturbed + at, mask=here, other=0.0).to(tl.float32)
        y = tl.maximum(y * tl.load(scale, mask=here) + tl.load(scale + widest, mask=here), least)
        off = tl.where(here, (x - y).to(tl.float64), 0.0)
        total += tl.abs(off) if L1 else off * off
    distance = tl.sum(total, axis=0)
    tl.store(found + draw * batch + image, distance if L1 else tl.sqrt(distance))


@triton.jit(do_not_specialize=INTEGERS)
def totals(scores, sigmas, found, offsets, depth, batch):
    """Sum of log sigma plus log of the mean distance, [D]; in blocks, so that other depths change nothing."""
    draw = tl.program_id(0)
    layers = layers_of(offsets, draw)
    sigma = tl.zeros((TERMS,), tl.float64)
    for first in range(0, layers, TERMS):
        at = first + tl.arange(0, TERMS)
        sigma += tl.load(sigmas + draw * depth + at, mask=at < layers, other=0.0)
    distance = tl.zeros((TERMS,), tl.float64)
    for first in range(0, batch, TERMS):
        at = first + tl.arange(0, TERMS)
        distance += tl.load(found + draw * batch + at, mask=at < batch, other=0.0)
    tl.store(scores + draw, tl.sum(sigma, axis=0) + tl.log(tl.sum(distance, axis=0) / batch))
