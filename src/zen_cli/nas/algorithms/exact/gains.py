"""Shares of the score, of the costs and of evenness as arrays over cells, and what they are worth at prices."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple, cast

import numpy as np

from ....metrics.mean_field import Moments, gain, log_sigma
from ....net.layers import ConvLayer
from .graph import Bools, Cells, Floats


class Rates(NamedTuple):
    """What things are worth, in nats: a parameter and a multiply-add cost, evenness gains.

    params, macs: for each.
    unit: for each nat of log M_u, with M_u the MACs of a unit; 0 where evenness is not wanted.
    levels: for each multiply-add of the chain, by the stage at whose resolution it is.
    """

    params: float
    macs: float
    unit: float = 0.0
    levels: tuple[float, ...] = ()

    def level(self, stage: int) -> float:
        """For each multiply-add of the chain at the resolution of a stage."""
        return self.levels[stage] if self.levels else 0.0


class GainCost(NamedTuple):
    """A share of the score in nats, of the costs and of evenness; float64 arrays that broadcast against each other.

    units: the sum of log M_u.
    read, made: MACs of the chain at the resolution that is read and at that of the output, where evenness is wanted.
    """

    gain: Any
    params: Any
    macs: Any
    units: Any = 0.0
    read: Any = 0.0
    made: Any = 0.0

    def plus(self, other: GainCost, times: int = 1) -> GainCost:
        """This share and so many times the other."""
        return GainCost(*(mine + times * its for mine, its in zip(self, other, strict=True)))

    def shaped(self, *shape: int) -> GainCost:
        """The arrays broadcast to a shape, without its axes of length 0."""
        full = tuple(max(1, length) for length in shape)
        where = tuple(slice(None) if length else 0 for length in shape)
        return GainCost(*(np.broadcast_to(each, full)[where] for each in self))

    def at(self, rates: Rates, read: float = 0.0, made: float = 0.0) -> Floats:
        """The gain less the costs at these rates; `read` and `made` are those of the two resolutions."""
        worth = self.gain - (rates.params * self.params + rates.macs * self.macs)
        if rates.levels:
            worth = worth + (rates.unit * self.units + read * self.read + made * self.made)
        return cast(Floats, worth)


NOTHING = GainCost(0.0, 0.0, 0.0)


class Spread(NamedTuple):
    """The MACs that a convolution, or a unit of several, can have over cells; float64 arrays.

    A cell gains like its widest member and costs like its narrowest, as if M_u were great and small at once. Together
    they are worth less: log M <= log t - 1 + M/t for every t > 0, where each multiply-add is worth a constant more.

    least: the fewest MACs.
    read, made: how many more there can be at the resolution that is read and at that of the output.
    """

    least: Any
    read: Any = 0.0
    made: Any = 0.0

    def plus(self, least: Floats, most: Floats, reads: Bools) -> Spread:
        """These and a convolution of so many MACs, at the resolution that is read or at that of the output."""
        more = most - least
        return Spread(self.least + least, self.read + np.where(reads, more, 0), self.made + np.where(reads, 0, more))

    def shaped(self, *shape: int) -> Spread:
        """As `GainCost.shaped`."""
        return Spread(*GainCost(*self).shaped(*shape)[:3])

    def at(self, rates: Rates, read: float, made: float) -> Floats:
        """What log M_u is worth at these rates, less what `GainCost.at` has counted twice."""
        most = self.least + self.read + self.made
        price = rates.macs - made
        tangent = np.clip(rates.unit / price, self.least, most) if price > 0 else most
        worth = rates.unit * (np.log(tangent) - 1 + self.least / tangent)
        return cast(Floats, worth + self.surplus(rates, read, made, rates.unit / tangent))

    def surplus(self, rates: Rates, read: float, made: float, more: Any = 0.0) -> Floats:
        """What the MACs above the fewest change, if each is worth so much more."""
        more = more - rates.macs
        return cast(Floats, np.maximum(more, -read) * self.read + np.maximum(more, -made) * self.made)


class Ends(NamedTuple):
    """Both ends of cells as float64 arrays, which do not overflow and are exact below 2^53.

    Where every cell is one width, both are the same array, so that what follows from them is computed once.
    """

    lo: Floats
    hi: Floats

    @classmethod
    def along(cls, cells: Cells, axis: int) -> Ends:
        """Cells along one axis of [K, I, M, W]."""
        shape = [1, 1, 1, 1]
        shape[axis] = cells.count
        lo = cells.lo.reshape(shape).astype(np.float64)
        return cls(lo, lo if cells.single.all() else cells.hi.reshape(shape).astype(np.float64))

    @property
    def are_one(self) -> bool:
        """Whether every cell is known to be one width."""
        return self.lo is self.hi

    def apart(self, other: Ends) -> Bools:
        """Where no width of one is a width of the other."""
        return (self.hi < other.lo) | (other.hi < self.lo)


def total_of(parts: Sequence[GainCost]) -> GainCost:
    """The sum of several shares."""
    total = NOTHING
    for part in parts:
        total = total.plus(part)
    return total


def log_gains(layer: ConvLayer, moments: Moments, convention: str) -> Floats:
    """Log gains of a layer for each of its kernels and widths in."""
    fan_in = np.asarray(layer.fan_in)
    widths, rows = tuple(fan_in.ravel().tolist()), []
    one = layer._replace(in_width=1, out_width=1, groups=1)
    for high, wide, above, left in np.broadcast(*layer.kernel, *layer.padding):
        one = one._replace(kernel=(int(high), int(wide)), padding=(int(above), int(left)))
        rows.append(_log_sigmas(widths, gain(one, moments), convention).reshape(fan_in.shape))
    return rows[0] if len(rows) == 1 else np.concatenate(rows)


@lru_cache(maxsize=8192)
def _log_sigmas(fan_in: tuple[float, ...], channel: float, convention: str) -> Floats:
    """The standard library's logarithm, one by one: that of numpy differs in its last digit from machine to machine."""
    return np.array([log_sigma(each * channel, convention) for each in fan_in])
