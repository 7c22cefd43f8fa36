"""Cells: sets of neighbouring widths that the bound treats as one.

Gains and costs both grow with every width. A cell that gains like its widest member and costs like its narrowest one
is therefore never worth less than any of its members: what is proven of the cell is proven of them all. Cells that
matter are split until they hold one width each, and then nothing is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...space import WidthRange


@dataclass(frozen=True)
class Cells:
    """Disjoint intervals of widths, ascending: the multiples of `step` from `lo` to `hi`, int64 [C] each."""

    lo: Tensor
    hi: Tensor
    step: int

    @property
    def count(self) -> int:
        """C, the number of cells."""
        return self.lo.numel()

    @property
    def single(self) -> Tensor:
        """Which cells hold one width only, bool [C]."""
        return self.lo == self.hi

    def keep(self, which: Tensor) -> Cells:
        """The cells of a mask, bool [C]."""
        return Cells(self.lo[which], self.hi[which], self.step)

    def split(self) -> tuple[Cells, Tensor]:
        """Every cell that holds several widths cut in two, and the cell that each part was in, int64 [C']."""
        middle = (self.lo + self.hi) // (2 * self.step) * self.step
        several = ~self.single
        lo = torch.cat([self.lo, (middle + self.step)[several]])
        hi = torch.cat([torch.where(several, middle, self.hi), self.hi[several]])
        parents = torch.arange(self.count)
        parents = torch.cat([parents, parents[several]])
        order = torch.argsort(lo)
        return Cells(lo[order], hi[order], self.step), parents[order]

    def inside(self, index: int) -> int:
        """A width of a cell: the one in its middle."""
        lo, hi = int(self.lo[index]), int(self.hi[index])
        return (lo + hi) // (2 * self.step) * self.step if lo < hi else lo


def cover(span: WidthRange, ratio: float) -> Cells:
    """Cells that hold every width of a range; the widest of a cell is at most `ratio` times the narrowest."""
    lo, hi = [], []
    width = span.min
    while width <= span.max:
        end = max(width, min(span.max, int(width * ratio) // span.step * span.step))
        lo.append(width)
        hi.append(end)
        width = end + span.step
    return Cells(torch.tensor(lo), torch.tensor(hi), span.step)


def points(span: WidthRange, ratio: float) -> Cells:
    """Single widths of a range, each about `ratio` times the one before."""
    widths, width = [], span.min
    while width <= span.max:
        widths.append(width)
        width = max(width + span.step, int(width * ratio) // span.step * span.step)
    return singles(widths, span.step)


def singles(widths: Sequence[int], step: int) -> Cells:
    """One cell for each of these widths."""
    rows = torch.tensor(sorted(set(widths)))
    return Cells(rows, rows, step)
