"""The Triton side of `kernels`: moments of blocks of rows, their union, and one pass that normalises.

A channel's rows are cut into blocks so that a single draw of a narrow layer still fills a GPU. Means and sums of
squared deviations of blocks are joined by the update of Chan, Golub and LeVeque (1979), which does not cancel.

Shapes: D draws, 2 halves, N rows, C channels, S blocks of rows. One program handles `BLOCK_C` channels of a block.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

PROGRAMS = 2048  # some for each multiprocessor of the largest card
BLOCK_ELEMENTS = 4096
APPLY_ELEMENTS = 1024


@triton.jit
def _moments(x, means, squares, rows, channels, blocks, block_rows, R: tl.constexpr, C: tl.constexpr):
    """Mean and sum of squared deviations of one block of rows: x [D * 2, N, C] -> [D * 2, S, C] each."""
    half, block, column = tl.program_id(0), tl.program_id(1), tl.program_id(2) * C + tl.arange(0, C)
    first = block * block_rows
    last = tl.minimum(first + block_rows, rows)
    inside = column < channels
    base = x + half.to(tl.int64) * rows * channels
    mean = tl.zeros((C,), tl.float32)
    square = tl.zeros((C,), tl.float32)
    count = 0.0
    for at in range(first, last, R):
        row = at + tl.arange(0, R)
        here = (row < last)[:, None] & inside[None, :]
        values = tl.load(base + row.to(tl.int64)[:, None] * channels + column[None, :], mask=here, other=0.0)
        values = values.to(tl.float32)
        size = tl.minimum(last - at, R).to(tl.float32)
        part = tl.sum(values, axis=0) / size
        off = tl.where(here, values - part[None, :], 0.0)
        shift = part - mean
        joined = count + size
        square += tl.sum(off * off, axis=0) + shift * shift * (count * size / joined)
        mean += shift * (size / joined)
        count = joined
    out = (half.to(tl.int64) * blocks + block) * channels + column
    tl.store(means + out, mean, mask=inside)
    tl.store(squares + out, square, mask=inside)


@triton.jit
def _join(means, squares, scales, shifts, variances, rows, channels, blocks, block_rows, eps, C: tl.constexpr):
    """Joins blocks [D * 2, S, C] to a scale, a shift and a variance [D * 2, C]."""
    half, column = tl.program_id(0), tl.program_id(1) * C + tl.arange(0, C)
    inside = column < channels
    mean = tl.zeros((C,), tl.float32)
    square = tl.zeros((C,), tl.float32)
    count = 0.0
    for block in range(blocks):
        at = (half.to(tl.int64) * blocks + block) * channels + column
        size = tl.minimum(rows - block * block_rows, block_rows).to(tl.float32)
        shift = tl.load(means + at, mask=inside, other=0.0) - mean
        joined = count + size
        square += tl.load(squares + at, mask=inside, other=0.0) + shift * shift * (count * size / joined)
        mean += shift * (size / joined)
        count = joined
    variance = square / count
    scale = 1.0 / tl.sqrt(variance + eps)
    out = half.to(tl.int64) * channels + column
    tl.store(scales + out, scale, mask=inside)
    tl.store(shifts + out, -mean * scale, mask=inside)
    tl.store(variances + out, variance, mask=inside)


@triton.jit
def _apply(x, scales, shifts, elements, channels, RELU: tl.constexpr, BLOCK: tl.constexpr):
    """x * scale + shift, clamped, in place; one program for `BLOCK` elements of one half."""
    half = tl.program_id(1).to(tl.int64)
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = at < elements
    column = half * channels + at % channels
    place = x + half * elements + at
    value = tl.load(place, mask=inside, other=0.0).to(tl.float32)
    value = value * tl.load(scales + column, mask=inside) + tl.load(shifts + column, mask=inside)
    if RELU:
        value = tl.maximum(value, 0.0)
    tl.store(place, value.to(x.dtype.element_ty), mask=inside)


def normalise(x: Tensor, eps: float, *, relu: bool) -> Tensor:
    """`kernels.normalise` on a GPU: x [D, 2, N, C] in place, biased variances [D, 2, C] back."""
    draws, halves, rows, channels = x.shape
    count = draws * halves
    width = min(128, triton.next_power_of_2(channels))
    height = BLOCK_ELEMENTS // width
    columns = triton.cdiv(channels, width)
    blocks = max(1, min(triton.cdiv(rows, height), PROGRAMS // (count * columns)))
    block_rows = triton.cdiv(rows, blocks)
    blocks = triton.cdiv(rows, block_rows)  # rounding up may have left the last ones without rows
    means, squares = x.new_empty((2, count, blocks, channels), dtype=torch.float32)
    scales, shifts, variances = x.new_empty((3, count, channels), dtype=torch.float32)
    _moments[(count, blocks, columns)](x, means, squares, rows, channels, blocks, block_rows, R=height, C=width)
    _join[(count, columns)](means, squares, scales, shifts, variances, rows, channels, blocks, block_rows, eps, C=width)
    elements = rows * channels
    _apply[(triton.cdiv(elements, APPLY_ELEMENTS), count)](
        x, scales, shifts, elements, channels, RELU=relu, BLOCK=APPLY_ELEMENTS
    )
    result: Tensor = variances.view(draws, halves, channels)
    return result
