"""Where the numbers of many draws are in memory, and which kernels they need: the tables that `fused` sends to a GPU.

All draws take one layer a step, whatever it is: a kernel looks up here what its draw needs, so that neither widths nor
depths need to agree.

Shapes: D draws, L steps (layers of the deepest network), S different layers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ...net.layers import Chain, ConvLayer
from .seeds import image_count

MAX_DRAWS = 128  # in one plan; while a GPU computes them, the host prepares the next
BLOCK_ROWS = 128  # output positions that one program computes, and that one entry of the moments stands for
DEPTHWISE_COLUMNS = 32
ALIGNMENT = 64  # numbers; where a draw's part of a buffer may start


class Shape(NamedTuple):
    """What kernels know of a layer: a row of `Plan.shapes`."""

    in_width: int
    out_width: int
    fan_in: int
    group_width: int  # output channels of a group
    in_y: int
    in_x: int
    out_y: int
    out_x: int
    kernel_y: int
    kernel_x: int
    stride_y: int
    stride_x: int
    padding_y: int
    padding_x: int
    dilation_y: int
    dilation_x: int
    activation: int


class Step(NamedTuple):
    """What kernels know of a draw in a step, its axes one after the other: [D, L, fields]."""

    shape: Tensor  # row in `Plan.shapes`
    weights: Tensor  # where they start in the numbers
    variances: Tensor  # where they start


class Offsets(NamedTuple):
    """Where the parts of a draw start in each buffer, and how many layers it has: [D, fields]."""

    images: Tensor
    even_maps: Tensor  # what even steps write
    odd_maps: Tensor
    moments: Tensor
    layers: Tensor
    weights: Tensor  # after the images
    end: Tensor  # of the weights


class Tile(NamedTuple):
    """What one program computes: a function of its layer alone, so that no neighbour changes the order of a sum.

    Attributes:
        depthwise: each channel alone, instead of a product.
        columns: output channels of a program.
        inner: input channels of one turn of a product.
    """

    depthwise: bool
    columns: int
    inner: int


class Launch(NamedTuple):
    """Draws whose layers take the same tile, and about as many programs.

    Attributes:
        tile: what a program does.
        aligned: whether all of their channels and weights are placed so that four numbers can be read at once.
        start: where they start in `Plan.order`.
        draws: how many there are.
        programs: the most that a copy of one of them needs.
    """

    tile: Tile
    aligned: bool
    start: int
    draws: int
    programs: int


class Plan(NamedTuple):
    """Tables (int64, on the CPU), and sizes of buffers in numbers.

    Attributes:
        shapes: different layers, [S, fields of `Shape`].
        steps: [D, L, fields of `Step`].
        offsets: [D, fields of `Offsets`].
        order: draws, launch by launch.
        launches: for each step.
        numbers: random numbers of all draws: images, noise and weights of each.
        maps: feature maps, two for each draw.
        moments: means and sums of squares of blocks of rows.
        variances: of all layers, [2, C] each.
        widest: channels of the widest layer.
    """

    shapes: Tensor
    steps: Tensor
    offsets: Tensor
    order: Tensor
    launches: list[list[Launch]]
    numbers: int
    maps: int
    moments: int
    variances: int
    widest: int


def shape_of(layer: ConvLayer) -> Shape:
    """The row of a layer."""
    pairs = (layer.in_size, layer.out_size, layer.kernel, layer.stride, layer.padding, layer.dilation)
    sides = [side for pair in pairs for side in pair]
    widths = layer.in_width, layer.out_width, layer.fan_in, layer.out_width // layer.groups
    return Shape._make([*widths, *sides, int(layer.activation)])


def tile_of(layer: ConvLayer) -> Tile:
    """The tile that suits a layer: no wider than need be, because channels are padded to it."""
    group_width = layer.out_width // layer.groups
    if layer.fan_in == group_width == 1:
        return Tile(True, DEPTHWISE_COLUMNS, 0)
    columns = next((columns for columns in (16, 32) if group_width <= columns), 64)
    return Tile(False, columns, 16 if layer.fan_in <= 16 else 32)


def is_aligned(layer: ConvLayer) -> bool:
    """Whether the channels of a layer, and of each of its groups, come in fours."""
    widths = [layer.in_width, layer.out_width]
    if not tile_of(layer).depthwise:
        widths += [layer.fan_in, layer.out_width // layer.groups]
    return all(width % 4 == 0 for width in widths)


def blocks_of(layer: ConvLayer, batch: int) -> int:
    """Blocks of rows in one copy of its output."""
    return -(-batch * math.prod(layer.out_size) // BLOCK_ROWS)


def programs_of(layer: ConvLayer, batch: int) -> int:
    """Programs that compute one copy of its output."""
    tile = tile_of(layer)
    groups = 1 if tile.depthwise else layer.groups
    return blocks_of(layer, batch) * groups * -(-layer.out_width // groups // tile.columns)


def make_plan(chains: Sequence[Chain], batch: int) -> Plan:
    """Tables for one draw of each chain, in order.

    Args:
        chains: of layers without pooling; the same chain may be there many times.
        batch: images of a copy.
    """
    rows: dict[ConvLayer, int] = {}
    known = {id(chain): [rows.setdefault(layer, len(rows)) for layer in chain] for chain in _different(chains)}
    depth = max(map(len, known.values()))
    table = torch.tensor([known[id(chain)] + [-1] * (depth - len(chain)) for chain in chains])
    alive, table = table >= 0, table.clamp(min=0)  # [D, L]
    layers = list(rows)

    def of_each(measure: Callable[[ConvLayer], int]) -> Tensor:
        """A number of the layer that each draw takes in each step, [D, L]."""
        return torch.tensor([measure(layer) for layer in layers])[table] * alive

    weights = of_each(lambda layer: math.prod(layer.weight_shape))
    maps = of_each(lambda layer: 2 * batch * layer.out_width * math.prod(layer.out_size)).amax(1)
    moments = of_each(lambda layer: 4 * layer.out_width * blocks_of(layer, batch)).amax(1)
    variances = of_each(lambda layer: 2 * layer.out_width)
    images = torch.tensor([image_count(chain, batch) for chain in chains])
    image_starts, number_count = _starts(images + weights.sum(1))
    first_weights = image_starts + images
    map_starts, map_count = _starts(torch.stack([maps, maps], dim=1).flatten())
    moment_starts, moment_count = _starts(moments)
    weight_starts = first_weights[:, None] + weights.cumsum(1) - weights
    variance_ends = variances.flatten().cumsum(0).view_as(table)
    aligned = of_each(is_aligned).bool() & (weight_starts % 4 == 0)
    order, launches = _launches(layers, table, alive, aligned, batch)
    even, odd = map_starts[::2], map_starts[1::2]
    ends = alive.sum(1), first_weights, first_weights + weights.sum(1)
    return Plan(
        torch.tensor([shape_of(layer) for layer in layers]),
        torch.stack(Step(table, weight_starts, variance_ends - variances), dim=-1),
        torch.stack(Offsets(image_starts, even, odd, moment_starts, *ends), dim=-1),
        order,
        launches,
        number_count,
        map_count,
        moment_count,
        int(variance_ends[-1, -1]),
        max(layer.out_width for layer in layers),
    )


def _different(chains: Sequence[Chain]) -> list[Chain]:
    """Chains, those that are one and the same object once."""
    return list({id(chain): chain for chain in chains}.values())


def _starts(sizes: Tensor) -> tuple[Tensor, int]:
    """Where parts of these sizes start, aligned and one after the other, and where the last one ends."""
    padded = (sizes + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
    ends = padded.cumsum(0)
    return ends - padded, int(ends[-1])


def _launches(
    layers: Sequence[ConvLayer], table: Tensor, alive: Tensor, aligned: Tensor, batch: int
) -> tuple[Tensor, list[list[Launch]]]:
    """Draws in the order of launches, and the launches of each step.

    Draws share a launch if their layers take the same tile and need about as many programs, within a factor of 4: each
    gets as many as the one that needs most.
    """
    kinds: dict[tuple[Tile, int], int] = {}  # what a launch is for: a tile, and about as many programs
    counts = [programs_of(layer, batch) for layer in layers]
    kind = torch.tensor(
        [
            kinds.setdefault((tile_of(layer), count.bit_length() // 2), len(kinds))
            for layer, count in zip(layers, counts, strict=True)
        ]
    )
    programs = torch.tensor(counts)
    draw, step = alive.nonzero(as_tuple=True)
    row = table[draw, step]
    key, order = ((step * len(kinds) + kind[row]) * 2 + aligned[draw, step]).sort(stable=True)
    first = key.diff(prepend=key.new_full((1,), -1)) != 0
    member = first.cumsum(0) - 1
    sizes = member.bincount()
    most = torch.zeros_like(sizes).scatter_reduce(0, member, programs[row[order]], "amax")
    launches: list[list[Launch]] = [[] for _ in range(table.shape[1])]
    start, known = 0, list(kinds)
    for number, count, largest in zip(key[first].tolist(), sizes.tolist(), most.tolist(), strict=True):
        at, which = divmod(number // 2, len(kinds))
        launches[at].append(Launch(known[which][0], number % 2 == 1, start, count, largest))
        start += count
    return draw[order], launches
