"""How a kernel finds what its lane needs in the tables of `lanes`; R rows (output positions) are a block."""

from __future__ import annotations

import triton
import triton.language as tl

from .. import plan as lanes
from ..plan import Place, Shape, Step

ROWS, ALIGNMENT = map(tl.constexpr, (lanes.BLOCK_ROWS, lanes.ALIGNMENT))
INTEGERS = ["start", "step", "depth", "batch", "widest"]  # compiled once, and not again for 1 or multiples of 16

FIELDS, STEP_FIELDS, PLACE_FIELDS = (tl.constexpr(len(row._fields)) for row in (Shape, Step, Place))
# fmt: off
(
    IN_WIDTH, OUT_WIDTH, FAN_IN, GROUP_WIDTH, IN_Y, IN_X, OUT_Y, OUT_X, KERNEL_Y, KERNEL_X, STRIDE_Y, STRIDE_X,
    PADDING_Y, PADDING_X, DILATION_Y, DILATION_X, ACTIVATION,
) = map(tl.constexpr, range(len(Shape._fields)))
# fmt: on
SHAPE, WEIGHTS, VARIANCES = map(tl.constexpr, range(len(Step._fields)))
IMAGES, EVEN_MAPS, ODD_MAPS, MOMENTS, LAYERS, FIRST_WEIGHTS, END = map(tl.constexpr, range(len(Place._fields)))


@triton.jit
def multiple(number, OF: tl.constexpr):
    """A multiple of `OF`, as it is, but so that every version of Triton sees that it is one."""
    return number // OF * OF


@triton.jit
def lane_and_half(order, start):
    """Whose part a program computes, in a grid of (programs, 2 lanes)."""
    return tl.load(order + start + tl.program_id(1) // 2).to(tl.int32), tl.program_id(1) % 2


@triton.jit
def layers_of(places, lane):
    """How many layers a lane has."""
    return tl.load(places + lane * PLACE_FIELDS + LAYERS).to(tl.int32)


@triton.jit
def start_of(places, lane, part):
    """Where a part of a lane starts, a field of `Place`."""
    return multiple(tl.load(places + lane * PLACE_FIELDS + part), ALIGNMENT)


@triton.jit
def step_field(steps, lane, step, depth, FIELD: tl.constexpr):
    """A field of `Step`."""
    return tl.load(steps + (lane.to(tl.int64) * depth + step) * STEP_FIELDS + FIELD)


@triton.jit
def shape_at(shapes, steps, lane, step, depth):
    """The row of the layer that a lane takes in a step."""
    return shapes + step_field(steps, lane, step, depth, SHAPE) * FIELDS


@triton.jit
def field(shape, FIELD: tl.constexpr):
    """A field of `Shape`."""
    return tl.load(shape + FIELD).to(tl.int32)


@triton.jit
def least_of(shape):
    """What a layer lets through from below: 0 with a ReLU, everything without."""
    return tl.where(field(shape, ACTIVATION) != 0, 0.0, float("-inf"))


@triton.jit
def corners(shape, half, row, rows, batch):
    """The upper left corner of what each output row reads, [R] each: its position in all images, and its y and x.

    A row behind the last has a corner so far up that nothing it reads is there.
    """
    out_y, out_x, in_y, in_x = field(shape, OUT_Y), field(shape, OUT_X), field(shape, IN_Y), field(shape, IN_X)
    image = half * batch + row // (out_y * out_x)
    y = row // out_x % out_y * field(shape, STRIDE_Y) - field(shape, PADDING_Y)
    x = row % out_x * field(shape, STRIDE_X) - field(shape, PADDING_X)
    return ((image * in_y + y) * in_x + x).to(tl.int64), tl.where(row < rows, y, -(1 << 30)), x


@triton.jit
def window(shape):
    """Of the kernel: taps in y and x, dilations; of the input: height and width."""
    kernel_y, kernel_x = field(shape, KERNEL_Y), field(shape, KERNEL_X)
    dilation_y, dilation_x = field(shape, DILATION_Y), field(shape, DILATION_X)
    return kernel_y, kernel_x, dilation_y, dilation_x, field(shape, IN_Y), field(shape, IN_X)


@triton.jit
def lies_in(at, size):
    """Whether 0 <= at < size; without a sign, what is below 0 is more than any size."""
    return at.to(tl.uint32) < size.to(tl.uint32)
