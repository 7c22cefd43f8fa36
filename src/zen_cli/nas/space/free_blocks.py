"""What moves need to know of a space of free blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ...net.ops import Gene, SearchBounds
from .genes import Genome
from .inside import Ratios
from .ranges import DepthRange, WidthRange
from .rules import Rules


class FreeBlocks(SearchBounds, Protocol):
    """What the moves need to know of a space."""

    @property
    def ops(self) -> Sequence[str]:
        """Ops of blocks between stem and head."""

    @property
    def stem_span(self) -> WidthRange | None:
        """Widths of the stem; None where it is fixed."""

    @property
    def head_span(self) -> WidthRange | None:
        """Widths of the head; None where it is fixed."""

    @property
    def stem_blocks(self) -> int:
        """How many blocks the stem has."""

    @property
    def heads(self) -> int:
        """How many blocks the head has."""

    @property
    def ratios(self) -> Ratios:
        """How widths inside follow widths."""

    @property
    def fixed_blocks(self) -> bool:
        """Whether blocks keep their number and ops."""

    @property
    def counts_units(self) -> bool:
        """Whether depths count units."""

    def inner(self, genome: Genome) -> range:
        """The indices of the blocks between stem and head."""

    def end_span(self, index: int) -> WidthRange | None:
        """The widths of a block of stem or head; None where it is fixed."""

    def tied(self, index: int) -> range:
        """The blocks that have one width with a block, itself included."""

    def depth_of(self, gene: Gene) -> int:
        """The depth of a block as the space counts it."""

    def deepened(self, gene: Gene, depth: int) -> Gene:
        """The block with another depth."""

    @property
    def depth(self) -> DepthRange:
        """Depths of a block."""

    @property
    def split_at(self) -> int | None:
        """Sub-layers at which a block splits in two."""

    @property
    def max_blocks(self) -> int:
        """Blocks of a member, stem and head included."""

    @property
    def rules(self) -> Rules | None:
        """Design rules that every member keeps."""
