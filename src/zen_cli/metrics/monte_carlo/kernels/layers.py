"""A layer of all draws: one launch for each tile, and one that joins its statistics.

    convolve, depthwise   batch norm and ReLU of the layer before, on the way in; convolution; moments, on the way out
    join                  moments of blocks of rows -> variances; scales and shifts for the layer after

A feature map is written once and read by the next convolution alone; nothing is normalised in place. Moments are
joined around their common mean (Chan, Golub and LeVeque, 1979), which does not cancel. No sum is taken in an order that
depends on chance or on neighbours.
"""

from __future__ import annotations

import triton
import triton.language as tl

from .. import plan
from .tables import (
    EVEN_MAPS,
    FAN_IN,
    GROUP_WIDTH,
    IMAGES,
    IN_WIDTH,
    INTEGERS,
    MOMENTS,
    OUT_WIDTH,
    OUT_X,
    OUT_Y,
    ROWS,
    VARIANCES,
    WEIGHTS,
    corners,
    draw_and_copy,
    field,
    is_inside,
    least_of,
    multiple,
    shape_at,
    start_of,
    step_field,
    window,
)

DEPTHWISE = tl.constexpr(plan.DEPTHWISE_COLUMNS)
JOIN_BLOCKS, JOIN_COLUMNS = map(tl.constexpr, (64, 16))


@triton.jit
def _cut(x):
    """float32 without the 13 bits that TF32 does not have."""
    return (x.to(tl.int32, bitcast=True) & -0x2000).to(tl.float32, bitcast=True)


@triton.jit
def _rounded(x):
    """float32 rounded to TF32, ties away from zero."""
    return _cut((x.to(tl.int32, bitcast=True) + 0x1000).to(tl.float32, bitcast=True))


@triton.jit
def _product(x, weights, PRODUCTS: tl.constexpr):
    """[R, K] times [K, C]: as they are if PRODUCTS is 0, else by so many products of TF32 on tensor cores.

    One product rounds to TF32, because a tensor core cuts, which makes every layer smaller. Three multiply what is
    left and what is cut off, all but the smallest with the smallest (Ootomo and Yokota, 2022).
    """
    if PRODUCTS == 0:
        total = tl.dot(x, weights, input_precision="ieee")
    elif PRODUCTS == 1:
        total = tl.dot(_rounded(x), _rounded(weights), input_precision="tf32")
    else:
        high_x, high_weights = _cut(x), _cut(weights)
        total = tl.dot(x - high_x, high_weights, input_precision="tf32")
        total = tl.dot(high_x, weights - high_weights, total, input_precision="tf32")
        total = tl.dot(high_x, high_weights, total, input_precision="tf32")
    return total


@triton.jit
def _finish(values, target, moments, copy, block, rows, row, column, inside, width):
    """Stores pre-activations [R, C] of a block, and their means and sums of squared deviations [C]."""
    here = (row < rows)[:, None] & inside[None, :]
    mean = tl.sum(values, axis=0) / tl.minimum(rows - block * ROWS, ROWS)  # rows after the last hold zeros
    off = tl.where(here, values - mean[None, :], 0.0)
    blocks = tl.cdiv(rows, ROWS)
    at = moments + (copy * blocks + block) * width + column
    tl.store(at, mean, mask=inside)
    tl.store(at + 2 * blocks * width, tl.sum(off * off, axis=0), mask=inside)
    at = (copy * rows + row).to(tl.int64)[:, None] * width + column[None, :]
    tl.store(target + at, values.to(target.dtype.element_ty), mask=here)


@triton.jit(do_not_specialize=INTEGERS)
def convolve(
    numbers,
    maps,
    stats,
    moments,
    shapes,
    steps,
    offsets,
    order,
    start,
    step,
    depth,
    batch,
    widest,
    FIRST: tl.constexpr,
    COLUMNS: tl.constexpr,
    INNER: tl.constexpr,
    ALIGNED: tl.constexpr,
    PRODUCTS: tl.constexpr,
):
    """A convolution as a product of gathered rows [R, K] and weights [K, C], tap by tap.

    A program does a block of rows of one copy and `COLUMNS` channels of a group; grid (programs, 2 D).
    """
    draw, copy = draw_and_copy(order, start)
    shape = shape_at(shapes, steps, draw, step, depth)
    in_width, out_width = field(shape, IN_WIDTH), field(shape, OUT_WIDTH)
    fan_in, group_width = field(shape, FAN_IN), field(shape, GROUP_WIDTH)
    if ALIGNED:
        in_width, out_width = multiple(in_width, 4), multiple(out_width, 4)
        fan_in, group_width = multiple(fan_in, 4), multiple(group_width, 4)
    rows = batch * field(shape, OUT_Y) * field(shape, OUT_X)
    group_tiles = tl.cdiv(group_width, COLUMNS)
    tiles = out_width // group_width * group_tiles
    block, tile = tl.program_id(0) // tiles, tl.program_id(0) % tiles
    if block * ROWS >= rows:
        return
    row = block * ROWS + tl.arange(0, ROWS)
    corner, top, left = corners(shape, copy, row, rows, batch)
    group = tile // group_tiles
    column = tile % group_tiles * COLUMNS + tl.arange(0, COLUMNS)  # in the group

    if FIRST:
        source, least = numbers + start_of(offsets, draw, IMAGES), 0.0
    else:
        source = maps + start_of(offsets, draw, EVEN_MAPS + (step + 1) % 2)
        least = least_of(shape_at(shapes, steps, draw, step - 1, depth))
    source += corner * in_width + group * fan_in  # [R]
    scales = stats + (draw * 2 + copy) * 2 * widest + group * fan_in
    kernel_y, kernel_x, dilation_y, dilation_x, in_y, in_x = window(shape)
    taps = kernel_y * kernel_x
    first = step_field(steps, draw, step, depth, WEIGHTS)
    if ALIGNED:
        first = multiple(first, 4)
    weights = numbers + first + (group * group_width + column).to(tl.int64) * (taps * fan_in)  # [C]
    kind = maps.dtype.element_ty
    chunks = tl.cdiv(fan_in, INNER)
    values = tl.zeros((ROWS, COLUMNS), tl.float32)
    for turn in range(taps * chunks):
        tap = turn // chunks
        channel = turn % chunks * INNER + tl.arange(0, INNER)
        y, x = tap // kernel_x * dilation_y, tap % kernel_x * dilation_x
        away, known = y * in_x + x, channel < fan_in
        here = (is_inside(top + y, in_y) & is_inside(left + x, in_x))[:, None] & known[None, :]
        value = tl.load(source[:, None] + (away * in_width + channel)[None, :], mask=here, other=0.0)
        if not FIRST:
            scale = tl.load(scales + channel, mask=known, other=0.0)
            shift = tl.load(scales + widest + channel, mask=known, other=0.0)
            value = tl.maximum(value.to(tl.float32) * scale[None, :] + shift[None, :], least)
            value = tl.where(here, value, 0.0)  # padding is put around what is normalised
        weight = tl.load(
            weights[None, :] + (tap * fan_in + channel)[:, None],
            mask=known[:, None] & (column < group_width)[None, :],
            other=0.0,
        )
        values += _product(value.to(kind), weight.to(kind), PRODUCTS)
    target = maps + start_of(offsets, draw, EVEN_MAPS + step % 2)
    moments += start_of(offsets, draw, MOMENTS)
    inside = column < group_width
    _finish(values, target, moments, copy, block, rows, row, group * group_width + column, inside, out_width)


@triton.jit(do_not_specialize=INTEGERS)
def depthwise(
    numbers,
    maps,
    stats,
    moments,
    shapes,
    steps,
    offsets,
    order,
    start,
    step,
    depth,
    batch,
    widest,
    FIRST: tl.constexpr,
    ALIGNED: tl.constexpr,
):
    """A convolution of each channel alone: a program does a block of rows of one copy; grid as in `convolve`."""
    draw, copy = draw_and_copy(order, start)
    shape = shape_at(shapes, steps, draw, step, depth)
    width = field(shape, OUT_WIDTH)
    if ALIGNED:
        width = multiple(width, 4)
    rows = batch * field(shape, OUT_Y) * field(shape, OUT_X)
    tiles = tl.cdiv(width, DEPTHWISE)
    block, tile = tl.program_id(0) // tiles, tl.program_id(0) % tiles
    if block * ROWS >= rows:
        return
    row = block * ROWS + tl.arange(0, ROWS)
    corner, top, left = corners(shape, copy, row, rows, batch)
    column = tile * DEPTHWISE + tl.arange(0, DEPTHWISE)
    known = column < width

    if FIRST:
        source = numbers + start_of(offsets, draw, IMAGES)
    else:
        source = maps + start_of(offsets, draw, EVEN_MAPS + (step + 1) % 2)
        least = least_of(shape_at(shapes, steps, draw, step - 1, depth))
        scales = stats + (draw * 2 + copy) * 2 * widest + column
        scale = tl.load(scales, mask=known, other=0.0)
        shift = tl.load(scales + widest, mask=known, other=0.0)
    source += corner[:, None] * width + column[None, :]  # [R, C]
    kernel_y, kernel_x, dilation_y, dilation_x, in_y, in_x = window(shape)
    weights = numbers + step_field(steps, draw, step, depth, WEIGHTS) + column * (kernel_y * kernel_x)
    kind = maps.dtype.element_ty
    values = tl.zeros((ROWS, DEPTHWISE), tl.float32)
    for tap_y in range(kernel_y):
        inside_y = is_inside(top + tap_y * dilation_y, in_y)
        for tap_x in range(kernel_x):
            here = (inside_y & is_inside(left + tap_x * dilation_x, in_x))[:, None] & known[None, :]
            away = tap_y * dilation_y * in_x + tap_x * dilation_x
            value = tl.load(source + away * width, mask=here, other=0.0).to(tl.float32)
            if not FIRST:
                value = tl.where(here, tl.maximum(value * scale[None, :] + shift[None, :], least), 0.0)
            weight = tl.load(weights + tap_y * kernel_x + tap_x, mask=known, other=0.0).to(kind).to(tl.float32)
            values += value * weight[None, :]
    target = maps + start_of(offsets, draw, EVEN_MAPS + step % 2)
    moments += start_of(offsets, draw, MOMENTS)
    _finish(values, target, moments, copy, block, rows, row, column, known, width)


@triton.jit(do_not_specialize=INTEGERS)
def join(stats, moments, variances, shapes, steps, offsets, order, start, step, depth, batch, widest, eps):
    """Moments of all blocks -> biased variances, and scale and shift; grid (tiles of channels, 2 D)."""
    draw, copy = draw_and_copy(order, start)
    shape = shape_at(shapes, steps, draw, step, depth)
    width = field(shape, OUT_WIDTH)
    if tl.program_id(0) * JOIN_COLUMNS >= width:
        return
    rows = batch * field(shape, OUT_Y) * field(shape, OUT_X)
    blocks = tl.cdiv(rows, ROWS)
    column = tl.program_id(0) * JOIN_COLUMNS + tl.arange(0, JOIN_COLUMNS)
    inside = column < width
    means = moments + start_of(offsets, draw, MOMENTS) + copy * blocks * width + column
    squares = means + 2 * blocks * width
    mean = tl.zeros((JOIN_COLUMNS,), tl.float32)
    for first in range(0, blocks, JOIN_BLOCKS):
        block = first + tl.arange(0, JOIN_BLOCKS)
        here = (block < blocks)[:, None] & inside[None, :]
        count = tl.minimum(rows - block * ROWS, ROWS).to(tl.float32)[:, None]
        value = tl.load(means[None, :] + (block * width)[:, None], mask=here, other=0.0)
        mean += tl.sum(value * count, axis=0)
    mean /= rows
    variance = tl.zeros((JOIN_COLUMNS,), tl.float32)
    for first in range(0, blocks, JOIN_BLOCKS):
        block = first + tl.arange(0, JOIN_BLOCKS)
        here = (block < blocks)[:, None] & inside[None, :]
        count = tl.minimum(rows - block * ROWS, ROWS).to(tl.float32)[:, None]
        value = tl.load(means[None, :] + (block * width)[:, None], mask=here, other=0.0) - mean[None, :]
        square = tl.load(squares[None, :] + (block * width)[:, None], mask=here, other=0.0)
        variance += tl.sum(tl.where(here, square + value * value * count, 0.0), axis=0)
    variance /= rows
    scale = 1.0 / tl.sqrt_rn(variance + eps)
    out = stats + (draw * 2 + copy) * 2 * widest + column
    tl.store(out, scale, mask=inside)
    tl.store(out + widest, -mean * scale, mask=inside)
    out = variances + step_field(steps, draw, step, depth, VARIANCES) + copy * width + column
    tl.store(out, variance, mask=inside)
