"""The kernels of `fused`, in Triton. All lanes take a layer in one launch a tile, and one that joins its statistics.

    convolve, depthwise     batch norm and ReLU of the layer before, on the way in; convolution; moments, on the way out
    join                    moments of blocks of rows -> variances; scales and shifts for the layer behind
    log_sigmas, distances   what a score is made of

A feature map is written once and read by the next convolution alone; nothing is normalised in place. A program looks up
its lane in the tables of `lanes`. Moments are joined around their common mean (Chan, Golub and LeVeque, 1979), which
does not cancel. No sum is taken in an order that depends on chance or on neighbours.

Shapes: D lanes, L steps, 2 halves, B images, C channels last, R rows (positions) of a block, K input channels at once.
Arguments that kernels share:

    numbers   images and weights of all lanes
    maps      feature maps of all lanes, twice: a step reads one and writes the other
    stats     scale and shift of the layer that each lane took last, [D, 2, 2, widest]
    moments   means, then sums of squared deviations, of blocks of rows
    shapes, steps, places, order   tables of `Lanes`
"""

from __future__ import annotations

import triton
import triton.language as tl

from . import lanes
from .lanes import Place, Shape, Step

ROWS, DEPTHWISE, ALIGNMENT = map(tl.constexpr, (lanes.BLOCK_ROWS, lanes.DEPTHWISE_COLUMNS, lanes.ALIGNMENT))
JOIN_BLOCKS, JOIN_COLUMNS, CHANNELS, FEATURES = map(tl.constexpr, (64, 16, 256, 1024))

FIELDS, STEP_FIELDS, PLACE_FIELDS = (tl.constexpr(len(row._fields)) for row in (Shape, Step, Place))
# fmt: off
(
    IN_WIDTH, OUT_WIDTH, FAN_IN, GROUP_WIDTH, IN_Y, IN_X, OUT_Y, OUT_X, KERNEL_Y, KERNEL_X, STRIDE_Y, STRIDE_X,
    PADDING_Y, PADDING_X, DILATION_Y, DILATION_X, ACTIVATION,
) = map(tl.constexpr, range(len(Shape._fields)))
# fmt: on
SHAPE, WEIGHTS, VARIANCES = map(tl.constexpr, range(len(Step._fields)))
IMAGES, EVEN_MAPS, _ODD_MAPS, MOMENTS, LAYERS = map(tl.constexpr, range(len(Place._fields)))


@triton.jit
def _multiple(number, OF: tl.constexpr):
    """A multiple of `OF`, as it is, but so that every version of Triton sees that it is one."""
    return number // OF * OF


@triton.jit
def _place(places, lane, field):
    """Where a part of a lane starts."""
    return _multiple(tl.load(places + lane * PLACE_FIELDS + field), ALIGNMENT)


@triton.jit
def _step(steps, lane, step, depth, FIELD: tl.constexpr):
    return tl.load(steps + (lane.to(tl.int64) * depth + step) * STEP_FIELDS + FIELD)


@triton.jit
def _shape(shapes, steps, lane, step, depth):
    """The row of the layer that a lane takes in a step."""
    return shapes + _step(steps, lane, step, depth, SHAPE) * FIELDS


@triton.jit
def _field(shape, FIELD: tl.constexpr):
    return tl.load(shape + FIELD).to(tl.int32)


@triton.jit
def _least(shape):
    """What a layer lets through from below: 0 with a ReLU, everything without."""
    return tl.where(_field(shape, ACTIVATION) != 0, 0.0, float("-inf"))


@triton.jit
def _corners(shape, half, row, batch):
    """The image, and the upper left corner in it, of what output rows read, [R] each."""
    out_y, out_x = _field(shape, OUT_Y), _field(shape, OUT_X)
    image = half * batch + row // (out_y * out_x)
    y = row // out_x % out_y * _field(shape, STRIDE_Y) - _field(shape, PADDING_Y)
    x = row % out_x * _field(shape, STRIDE_X) - _field(shape, PADDING_X)
    return image, y, x


@triton.jit
def _window(shape):
    """Of the kernel: its taps, taps in x, dilations; of the input: height and width."""
    kernel_y, kernel_x = _field(shape, KERNEL_Y), _field(shape, KERNEL_X)
    dilation_y, dilation_x = _field(shape, DILATION_Y), _field(shape, DILATION_X)
    return kernel_y * kernel_x, kernel_x, dilation_y, dilation_x, _field(shape, IN_Y), _field(shape, IN_X)


@triton.jit
def _look(tap, kernel_x, dilation_y, dilation_x, in_y, in_x, image, y, x):
    """For one tap of the kernel: the input positions that rows read, and whether they are there, [R] each."""
    y += tap // kernel_x * dilation_y
    x += tap % kernel_x * dilation_x
    return (image * in_y + y) * in_x + x, (y >= 0) & (y < in_y) & (x >= 0) & (x < in_x)


@triton.jit
def _finish(values, target, moments, half, block, rows, row, column, inside, width):
    """Stores pre-activations [R, C] of a block, and their means and sums of squared deviations [C]."""
    here = (row < rows)[:, None] & inside[None, :]
    mean = tl.sum(values, axis=0) / tl.minimum(rows - block * ROWS, ROWS)  # rows behind the last hold zeros
    off = tl.where(here, values - mean[None, :], 0.0)
    blocks = tl.cdiv(rows, ROWS)
    at = moments + (half * blocks + block) * width + column
    tl.store(at, mean, mask=inside)
    tl.store(at + 2 * blocks * width, tl.sum(off * off, axis=0), mask=inside)
    at = (half * rows + row)[:, None] * width + column[None, :]
    tl.store(target + at, values.to(target.dtype.element_ty), mask=here)


INTEGERS = ["start", "step", "depth", "batch", "widest"]  # compiled once, and not again for 1 or multiples of 16


@triton.jit(do_not_specialize=INTEGERS)
def convolve(
    numbers,
    maps,
    stats,
    moments,
    shapes,
    steps,
    places,
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
    PRECISION: tl.constexpr,
):
    """A convolution as a product of gathered rows [R, K] and weights [K, C], tap by tap.

    A program does a block of rows of one half and `COLUMNS` channels of a group; grid (programs, 2 lanes).
    """
    lane = tl.load(order + start + tl.program_id(1) // 2).to(tl.int32)
    half = tl.program_id(1) % 2
    shape = _shape(shapes, steps, lane, step, depth)
    in_width, out_width = _field(shape, IN_WIDTH), _field(shape, OUT_WIDTH)
    fan_in, group_width = _field(shape, FAN_IN), _field(shape, GROUP_WIDTH)
    if ALIGNED:
        in_width, out_width = _multiple(in_width, 4), _multiple(out_width, 4)
        fan_in, group_width = _multiple(fan_in, 4), _multiple(group_width, 4)
    rows = batch * _field(shape, OUT_Y) * _field(shape, OUT_X)
    group_tiles = tl.cdiv(group_width, COLUMNS)
    tiles = out_width // group_width * group_tiles
    block, tile = tl.program_id(0) // tiles, tl.program_id(0) % tiles
    if block * ROWS >= rows:
        return
    row = block * ROWS + tl.arange(0, ROWS)
    image, top, left = _corners(shape, half, row, batch)
    group = tile // group_tiles
    column = tile % group_tiles * COLUMNS + tl.arange(0, COLUMNS)  # in the group

    if FIRST:
        source, least = numbers + _place(places, lane, IMAGES), 0.0
    else:
        source = maps + _place(places, lane, EVEN_MAPS + (step + 1) % 2)
        least = _least(_shape(shapes, steps, lane, step - 1, depth))
    source += group * fan_in
    scales = stats + (lane * 2 + half) * 2 * widest + group * fan_in
    taps, kernel_x, dilation_y, dilation_x, in_y, in_x = _window(shape)
    first = _step(steps, lane, step, depth, WEIGHTS)
    if ALIGNED:
        first = _multiple(first, 4)
    weights = numbers + first + (group * group_width + column) * (taps * fan_in)
    kind = maps.dtype.element_ty
    chunks = tl.cdiv(fan_in, INNER)
    values = tl.zeros((ROWS, COLUMNS), tl.float32)
    for turn in range(taps * chunks):
        tap = turn // chunks
        channel = turn % chunks * INNER + tl.arange(0, INNER)
        at, inside = _look(tap, kernel_x, dilation_y, dilation_x, in_y, in_x, image, top, left)
        known = channel < fan_in
        here = (inside & (row < rows))[:, None] & known[None, :]
        value = tl.load(source + at[:, None] * in_width + channel[None, :], mask=here, other=0.0)
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
        values = tl.dot(value.to(kind), weight.to(kind), values, input_precision=PRECISION)
    target = maps + _place(places, lane, EVEN_MAPS + step % 2)
    moments += _place(places, lane, MOMENTS)
    inside = column < group_width
    _finish(values, target, moments, half, block, rows, row, group * group_width + column, inside, out_width)


@triton.jit(do_not_specialize=INTEGERS)
def depthwise(
    numbers,
    maps,
    stats,
    moments,
    shapes,
    steps,
    places,
    order,
    start,
    step,
    depth,
    batch,
    widest,
    FIRST: tl.constexpr,
    ALIGNED: tl.constexpr,
):
    """A convolution of each channel alone: a program does a block of rows of one half; grid as in `convolve`."""
    lane = tl.load(order + start + tl.program_id(1) // 2).to(tl.int32)
    half = tl.program_id(1) % 2
    shape = _shape(shapes, steps, lane, step, depth)
    width = _field(shape, OUT_WIDTH)
    if ALIGNED:
        width = _multiple(width, 4)
    rows = batch * _field(shape, OUT_Y) * _field(shape, OUT_X)
    tiles = tl.cdiv(width, DEPTHWISE)
    block, tile = tl.program_id(0) // tiles, tl.program_id(0) % tiles
    if block * ROWS >= rows:
        return
    row = block * ROWS + tl.arange(0, ROWS)
    image, top, left = _corners(shape, half, row, batch)
    column = tile * DEPTHWISE + tl.arange(0, DEPTHWISE)
    known = column < width

    if FIRST:
        source = numbers + _place(places, lane, IMAGES)
    else:
        source = maps + _place(places, lane, EVEN_MAPS + (step + 1) % 2)
        least = _least(_shape(shapes, steps, lane, step - 1, depth))
        scales = stats + (lane * 2 + half) * 2 * widest + column
        scale = tl.load(scales, mask=known, other=0.0)
        shift = tl.load(scales + widest, mask=known, other=0.0)
    taps, kernel_x, dilation_y, dilation_x, in_y, in_x = _window(shape)
    weights = numbers + _step(steps, lane, step, depth, WEIGHTS) + column * taps
    kind = maps.dtype.element_ty
    values = tl.zeros((ROWS, DEPTHWISE), tl.float32)
    for tap in range(taps):
        at, inside = _look(tap, kernel_x, dilation_y, dilation_x, in_y, in_x, image, top, left)
        here = (inside & (row < rows))[:, None] & known[None, :]
        value = tl.load(source + at[:, None] * width + column[None, :], mask=here, other=0.0)
        value = value.to(tl.float32)
        if not FIRST:
            value = tl.where(here, tl.maximum(value * scale[None, :] + shift[None, :], least), 0.0)
        weight = tl.load(weights + tap, mask=known, other=0.0).to(kind).to(tl.float32)
        values += value * weight[None, :]
    target = maps + _place(places, lane, EVEN_MAPS + step % 2)
    moments += _place(places, lane, MOMENTS)
    _finish(values, target, moments, half, block, rows, row, column, known, width)


@triton.jit(do_not_specialize=INTEGERS)
def join(stats, moments, variances, shapes, steps, places, order, start, step, depth, batch, widest, eps):
    """Moments of all blocks -> biased variances, and scale and shift; grid (tiles of channels, 2 lanes)."""
    lane = tl.load(order + start + tl.program_id(1) // 2).to(tl.int32)
    half = tl.program_id(1) % 2
    shape = _shape(shapes, steps, lane, step, depth)
    width = _field(shape, OUT_WIDTH)
    if tl.program_id(0) * JOIN_COLUMNS >= width:
        return
    rows = batch * _field(shape, OUT_Y) * _field(shape, OUT_X)
    blocks = tl.cdiv(rows, ROWS)
    column = tl.program_id(0) * JOIN_COLUMNS + tl.arange(0, JOIN_COLUMNS)
    inside = column < width
    means = moments + _place(places, lane, MOMENTS) + half * blocks * width + column
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
    out = stats + (lane * 2 + half) * 2 * widest + column
    tl.store(out, scale, mask=inside)
    tl.store(out + widest, -mean * scale, mask=inside)
    out = variances + _step(steps, lane, step, depth, VARIANCES) + half * width + column
    tl.store(out, variance, mask=inside)


@triton.jit(do_not_specialize=INTEGERS)
def log_sigmas(sigmas, variances, shapes, steps, places, depth, batch, PAPER: tl.constexpr):
    """log sigma of every layer, [D, L], as `statistics.log_sigma` defines it; grid (L, D)."""
    lane, step = tl.program_id(1), tl.program_id(0)
    if step >= tl.load(places + lane * PLACE_FIELDS + LAYERS):
        return
    shape = _shape(shapes, steps, lane, step, depth)
    width = _field(shape, OUT_WIDTH)
    rows = batch * _field(shape, OUT_Y) * _field(shape, OUT_X)
    variances += _step(steps, lane, step, depth, VARIANCES)
    plain = tl.zeros((CHANNELS,), tl.float64)
    perturbed = tl.zeros((CHANNELS,), tl.float64)
    for first in range(0, width, CHANNELS):
        column = first + tl.arange(0, CHANNELS)
        inside = column < width
        plain += tl.load(variances + column, mask=inside, other=0.0)
        perturbed += tl.load(variances + width + column, mask=inside, other=0.0)
    square = tl.sum(plain, axis=0) / width
    if not PAPER:
        unbiased = tl.where(rows > 1, rows.to(tl.float64) / tl.maximum(rows - 1, 1), 1.0)
        square = 0.81 + (0.09 * square + 0.1 * (tl.sum(perturbed, axis=0) / width)) * unbiased
    tl.store(sigmas + lane * depth + step, tl.log(square) / 2)


@triton.jit(do_not_specialize=INTEGERS)
def distances(found, maps, stats, shapes, steps, places, depth, batch, widest, L1: tl.constexpr):
    """Distance of the two halves of every image behind a lane's last layer, [D, B]; grid (B, D)."""
    lane, image = tl.program_id(1), tl.program_id(0)
    step = tl.load(places + lane * PLACE_FIELDS + LAYERS).to(tl.int32) - 1
    shape = _shape(shapes, steps, lane, step, depth)
    width = _field(shape, OUT_WIDTH)
    features = _field(shape, OUT_Y) * _field(shape, OUT_X) * width
    least = _least(shape)
    plain = maps + _place(places, lane, EVEN_MAPS + step % 2) + image * features
    perturbed = plain + batch * features
    scales = stats + lane * 4 * widest
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
    tl.store(found + lane * batch + image, distance if L1 else tl.sqrt(distance))
