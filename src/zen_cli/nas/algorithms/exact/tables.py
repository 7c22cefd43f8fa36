"""Tables: what one sub-layer gains and costs, for every cell of width in, mid width and width out.

Shapes: I cells of width in, M of mid width, W of width out, K kernels. Gains are those of a cell's widest members,
costs those of its narrowest, so that the value of a cell is at least that of each of its members (see `cells.py`).

The first sub-layer of a block, on any width in, is worth

    entry[I, M] + first[K, M, W] + shortcut[I, W]

and each further one, whose width in is the block's own, more[K, M, W].
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from ....metrics.mean_field import LINEAR, RELU, log_gain
from ....net.layers import ConvLayer
from ....net.ops import round_to_8
from .cells import Cells
from .problem import Problem, Stage, Variant


class Part(NamedTuple):
    """A share of the score in nats and of the costs; float64 tensors that broadcast against each other."""

    gain: Tensor
    params: Tensor
    macs: Tensor

    def at(self, prices: tuple[float, float]) -> Tensor:
        """The share less its costs at a price in nats for each parameter and multiply-add."""
        return self.gain - (prices[0] * self.params + prices[1] * self.macs)


class SubLayer(NamedTuple):
    """The tables of one variant at one place; see the top of this module."""

    entry: Part
    first: Part
    more: Part
    shortcut: Part


def repeat(first: Tensor, more: Tensor, sublayers: int) -> Tensor:
    """first + (sublayers - 1) more, also where both are minus infinity."""
    return first if sublayers == 1 else first + (sublayers - 1) * more


def sublayer_tables(
    variant: Variant, stage: Stage, stride: int, ins: Cells, mids: Cells, outs: Cells, convention: str
) -> SubLayer:
    """The tables of a variant.

    Args:
        variant: the kind of block.
        stage: where the block stands.
        stride: of its first unit: the stage's own, or 1 behind the stage's first block.
        ins: width in.
        mids: mid width; of inverted residuals the width of the first unit of a pair.
        outs: width out.
        convention: `paper` or `zennas`.
    """
    place = _Place(stage.in_side if stride > 1 else stage.side, stage.side, stride, convention)
    make = {"basic": _basic, "bottleneck": _bottleneck, "mbconv": _mbconv}[variant.op]
    return make(variant, place, ins, mids, outs)


class _Place(NamedTuple):
    """Sides in front of and behind a block's first unit, its stride, and the convention of the score."""

    side: int
    out: int
    stride: int
    convention: str

    def gains(self, fan_in: list[int], kernel: int, *, strided: bool = False) -> Tensor:
        """Log gains of convolutions with these channels in, float64 [C]; zero channels stand for what cannot be."""
        side, stride = (self.side, self.stride) if strided else (self.out, 1)
        return _log_gains(tuple(fan_in), kernel, side, stride, self.convention)


class _Work(NamedTuple):
    """Parameters and multiply-adds."""

    params: Tensor
    macs: Tensor

    def __add__(self, other: _Work) -> _Work:  # type: ignore[override]  # works add up, they are not joined
        return _Work(self.params + other.params, self.macs + other.macs)


def _conv(ins: Tensor, outs: Tensor, kernel: int, side: int) -> _Work:
    """A convolution on `ins` channels (of one group) and its BN; `side` is that of its output."""
    weights = ins * outs * kernel**2
    return _Work((weights + 2 * outs).double(), (weights * side**2).double())


def _part(gain: Tensor, work: _Work) -> Part:
    return Part(gain, *work)


def _basic(variant: Variant, place: _Place, ins: Cells, mids: Cells, outs: Cells) -> SubLayer:
    (kernel,) = variant.kernels
    entry = _part(
        place.gains(ins.hi.tolist(), kernel, strided=True)[:, None],
        _conv(ins.lo[:, None], mids.lo[None, :], kernel, place.out),
    )
    second = _conv(mids.lo[:, None], outs.lo[None, :], kernel, place.out)
    second_gain = place.gains(mids.hi.tolist(), kernel)[:, None]
    back = _conv(outs.lo[None, :], mids.lo[:, None], kernel, place.out)
    back_gain = place.gains(outs.hi.tolist(), kernel)[None, :]
    return SubLayer(
        entry,
        _stack([_part(second_gain, second)]),
        _stack([_part(second_gain + back_gain, second + back)]),
        _shortcut(ins, outs, place.out),
    )


def _bottleneck(variant: Variant, place: _Place, ins: Cells, mids: Cells, outs: Cells) -> SubLayer:
    fan_low, fan_high = _fans(variant.group_width, mids)
    entry = _part(
        _log_gains(tuple(ins.hi.tolist()), 1, place.side, 1, place.convention)[:, None],
        _conv(ins.lo[:, None], mids.lo[None, :], 1, place.side),
    )
    down = _conv(mids.lo[:, None], outs.lo[None, :], 1, place.out)
    down_gain = place.gains(mids.hi.tolist(), 1)[:, None]
    up = _conv(outs.lo[None, :], mids.lo[:, None], 1, place.out)
    up_gain = place.gains(outs.hi.tolist(), 1)[None, :]
    first, more = [], []
    for kernel in variant.kernels:
        inner = _conv(fan_low, mids.lo, kernel, place.out)
        inner = _Work(inner.params[:, None], inner.macs[:, None])
        unit = up + inner + down
        strided = place.gains(fan_high, kernel, strided=True)[:, None]
        plain = up_gain + place.gains(fan_high, kernel)[:, None] + down_gain
        first.append(_part(strided + down_gain + plain, inner + down + unit))
        more.append(_part(2 * plain, unit + unit))
    return SubLayer(entry, _stack(first), _stack(more), _shortcut(ins, outs, place.out))


def _mbconv(variant: Variant, place: _Place, ins: Cells, mids: Cells, outs: Cells) -> SubLayer:
    # The pair's first unit is `mids` wide, its second `outs`; inside they are `expansion` times as wide.
    low_1, high_1 = (_expand(variant.expansion, width) for width in (mids.lo, mids.hi))
    low_2, high_2 = (_expand(variant.expansion, width) for width in (outs.lo, outs.hi))
    shortcut = _conv(ins.lo[:, None], mids.lo[None, :], 1, place.out)
    entry = _part(
        _log_gains(tuple(ins.hi.tolist()), 1, place.side, 1, place.convention)[:, None],
        _conv(ins.lo[:, None], low_1[None, :], 1, place.side) + shortcut,
    )
    apart = (mids.hi[:, None] < outs.lo[None, :]) | (outs.hi[None, :] < mids.lo[:, None])
    down_1 = _conv(low_1, mids.lo, 1, place.out)
    down_1 = _Work(down_1.params[:, None], down_1.macs[:, None])
    second = _conv(mids.lo[:, None], low_2[None, :], 1, place.out) + _conv(low_2, outs.lo, 1, place.out)
    second = second + _masked(_conv(mids.lo[:, None], outs.lo[None, :], 1, place.out), apart)
    up = _conv(outs.lo[None, :], low_1[:, None], 1, place.out)
    up = up + _masked(_conv(outs.lo[None, :], mids.lo[:, None], 1, place.out), apart)
    up_gain = place.gains(outs.hi.tolist(), 1)[None, :]
    one = torch.ones(1, dtype=torch.int64)
    first, more = [], []
    for kernel in variant.kernels:
        deep_1, deep_2 = (_conv(one, width, kernel, place.out) for width in (low_1, low_2))
        work = _Work(deep_1.params[:, None], deep_1.macs[:, None]) + deep_2 + down_1 + second
        rest = place.gains(high_1.tolist(), 1) + place.gains(mids.hi.tolist(), 1) + place.gains([1], kernel)
        tail = rest[:, None] + place.gains(high_2.tolist(), 1)[None, :]
        if variant.twins:
            tail = tail.masked_fill(apart, -math.inf)
        first.append(_part(place.gains([1], kernel, strided=True) + tail, work))
        more.append(_part(up_gain + place.gains([1], kernel) + tail, up + work))
    none = torch.zeros(1, 1, dtype=torch.float64)
    return SubLayer(entry, _stack(first), _stack(more), Part(none, none, none))


def _shortcut(ins: Cells, outs: Cells, side: int) -> Part:
    """The projection of a block's first unit: a 1x1 convolution that the score does not see."""
    return _part(torch.zeros(1, 1, dtype=torch.float64), _conv(ins.lo[:, None], outs.lo[None, :], 1, side))


def _fans(group_width: int, mids: Cells) -> tuple[Tensor, list[int]]:
    """Channels in of a k x k convolution: the least, int64 [M], and the most (0 where no mid width of the cell can
    have such groups; one group of the whole width is `group_width` 0).
    """
    if not group_width:
        return mids.lo, mids.hi.tolist()
    last = mids.hi // group_width * group_width
    fits = (last >= mids.lo) & (last >= 2 * group_width)
    return torch.full_like(mids.lo, group_width), torch.where(fits, group_width, 0).tolist()


def _expand(expansion: int, widths: Tensor) -> Tensor:
    return torch.tensor([round_to_8(expansion, width) for width in widths.tolist()], dtype=torch.int64)


def _masked(work: _Work, mask: Tensor) -> _Work:
    return _Work(work.params * mask, work.macs * mask)


def _stack(parts: list[Part]) -> Part:
    """Parts over kernels, [K, M, W]."""
    shape = torch.Size(max(one.shape[axis] for part in parts for one in part) for axis in (0, 1))
    return Part(*(torch.stack([one.expand(shape) for one in rows]) for rows in zip(*parts, strict=True)))


def _log_gains(fan_in: tuple[int, ...], kernel: int, side: int, stride: int, convention: str) -> Tensor:
    rows = [_layer_gain(each, kernel, side, stride, convention) for each in fan_in]
    return torch.tensor(rows, dtype=torch.float64)


@lru_cache(maxsize=262_144)
def _layer_gain(fan_in: int, kernel: int, side: int, stride: int, convention: str, image: bool = False) -> float:
    if not fan_in:
        return -math.inf
    half = kernel // 2
    layer = ConvLayer(fan_in, 1, (kernel, kernel), (side, side), (stride, stride), (half, half))
    return log_gain(layer, LINEAR if image else RELU, convention)


def stem_part(problem: Problem, widths: Cells) -> Part:
    """The stem by its width, [C]."""
    gene, side, ins = problem.stem, problem.seed.resolution, problem.seed.in_channels
    out = problem.stages[0].side
    first = _layer_gain(ins, gene.kernel, side, gene.stride, problem.convention, image=True)
    work = _conv(torch.tensor([ins]), widths.lo, gene.kernel, out)
    again = _log_gains(tuple(widths.hi.tolist()), gene.kernel, out, 1, problem.convention)
    repeats = gene.depth - 1
    more = _conv(widths.lo, widths.lo, gene.kernel, out)
    return Part(first + repeats * again, work.params + repeats * more.params, work.macs + repeats * more.macs)


def head_part(problem: Problem, ins: Cells, widths: Cells) -> Part:
    """The head, the classifier and the last map's share of log Delta, by width in and the head's width, [I, C]."""
    gene, side, classes = problem.head, problem.stages[-1].side, problem.seed.num_classes
    out = (side - 1) // gene.stride + 1
    gain = _log_gains(tuple(ins.hi.tolist()), gene.kernel, side, gene.stride, problem.convention)[:, None]
    repeats = gene.depth - 1
    again = _log_gains(tuple(widths.hi.tolist()), gene.kernel, out, 1, problem.convention)[None, :]
    maps = torch.tensor([math.log(width * out * out) for width in widths.hi.tolist()], dtype=torch.float64)
    work = _conv(ins.lo[:, None], widths.lo[None, :], gene.kernel, out)
    more = _conv(widths.lo, widths.lo, gene.kernel, out)
    linear = (widths.lo * classes).double()
    return Part(
        gain + repeats * again + problem.log_map_factor * maps[None, :],
        work.params + (repeats * more.params + linear + classes)[None, :],
        work.macs + (repeats * more.macs + linear)[None, :],
    )
