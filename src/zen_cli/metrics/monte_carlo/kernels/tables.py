"""How a kernel finds what its draw needs in the tables of `plan`; R rows (output positions) are a block."""

from __future__ import annotations

import triton
import triton.language as tl

from .. import plan
from ..plan import Offsets, Shape, Step

ROWS, ALIGNMENT = map(tl.constexpr, (plan.BLOCK_ROWS, plan.ALIGNMENT))
INTEGERS = ["start", "step", "depth", "batch", "widest"]  # compiled once, and not again for 1 or multiples of 16

FIELDS, STEP_FIELDS, OFFSET_FIELDS = (tl.constexpr(len(row._fields)) for row in (Shape, Step, Offsets))
# fmt: off
(
    IN_WIDTH, OUT_WIDTH, FAN_IN, GROUP_WIDTH, IN_Y, IN_X, OUT_Y, OUT_X, KERNEL_Y, KERNEL_X, STRIDE_Y, STRIDE_X,
    PADDING_Y, PADDING_X, DILATION_Y, DILATION_X, ACTIVATION,
) = map(tl.constexpr, range(len(Shape._fields)))
# fmt: on
SHAPE, WEIGHTS, VARIANCES = map(tl.constexpr, range(len(Step._fields)))
IMAGES, EVEN_MAPS, ODD_MAPS, MOMENTS, LAYERS, FIRST_WEIGHTS, END = map(tl.constexpr, range(len(Offsets._fields)))


@triton.jit
def multiple(number, OF: tl.constexpr):
    """A multiple of `OF`, as it is, but so that every version of Triton sees that it is one."""
    return number // OF * OF


@triton.jit
def draw_and_copy(order, start):
    """Whose part a program computes, in a grid of (programs, 2 D)."""
    return tl.load(order + start + tl.program_id(1) // 2).to(tl.int32), tl.program_id(1) % 2


@triton.jit
def layers_of(offsets, draw):
    """How many layers a draw has."""
    return tl.load(offsets + draw * OFFSET_FIELDS + LAYERS).to(tl.int32)


@triton.jit
def start_of(offsets, draw, part):
    """Where a part of a draw starts, a field of `Offsets`."""
    return multiple(tl.load(offsets + draw * OFFSET_FIELDS + part), ALIGNMENT)


@triton.jit
def step_field(steps, draw, step, depth, FIELD: tl.constexpr):
    """A field of `Step`."""
    return tl.load(steps + (draw.to(tl.int64) * depth + step) * STEP_FIELDS + FIELD)


@triton.jit
def shape_at(shapes, steps, draw, step, depth):
    """The row of the layer that a draw takes in a step."""
    return shapes + step_field(steps, draw, step, depth, SHAPE) * FIELDS


@triton.jit
def field(shape, FIELD: tl.constexpr):
    """A field of `Shape`."""
    return tl.load(shape + FIELD).to(tl.int32)


@triton.jit
def least_of(shape):
    """What a layer lets through from below: 0 with a ReLU, everything without."""
    return tl.where(field(shape, ACTIVATION) != 0, 0.0, float("-inf"))


@triton.jit
def corners(shape, copy, row, rows, batch):
    """The upper left corner of what each output row reads, [R] each: its position in all images, and its y and x.

    A row after the last has a corner so far up that it reads nothing.
    """
    out_y, out_x, in_y, in_x = field(shape, OUT_Y), field(shape, OUT_X), field(shape, IN_Y), field(shape, IN_X)
    image = copy * batch + row // (out_y * out_x)
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
def is_inside(at, size):
    """Whether 0 <= at < size; without a sign, what is below 0 is more than any size."""
    return at.to(tl.uint32) < size.to(tl.uint32)
