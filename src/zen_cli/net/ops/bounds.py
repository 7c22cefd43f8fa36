"""What an op asks of a space of free blocks: the values that a search may choose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Span(Protocol):
    """A range of widths that a search may take; see `nas.space.ranges`."""

    @property
    def min(self) -> int:
        """The least width."""

    @property
    def max(self) -> int:
        """The greatest width."""

    @property
    def step(self) -> int:
        """All widths are multiples of this."""

    def __contains__(self, width: int) -> bool:
        """Whether a width is in the range."""

    def clip(self, width: float) -> int:
        """The nearest width of the range."""

    def moves(self, width: int) -> tuple[int, ...]:
        """The widths that one move reaches."""


class SearchBounds(Protocol):
    """What a search may choose for a block; a space of free blocks has these fields."""

    @property
    def kernels(self) -> Sequence[int]:
        """Sides of kernels."""

    @property
    def expansions(self) -> Sequence[int]:
        """Widths inside over widths, of inverted residuals."""

    @property
    def group_widths(self) -> Sequence[int]:
        """Channels per group of bottlenecks; 0 for one group."""

    @property
    def pair_widths(self) -> bool:
        """Whether the units of a pair may differ in width."""

    @property
    def width(self) -> Span:
        """Widths of blocks."""

    @property
    def mid_width(self) -> Span:
        """Widths inside units."""
