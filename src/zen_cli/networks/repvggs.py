"""RepVGG, in the form in which it is trained."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from .base import Accuracy, Published, document

REPVGG = "RepVGG, arXiv 2101.03697"
WIDTHS = (64, 128, 256, 512)
SMALL, LARGE = (2, 4, 14, 1), (4, 6, 16, 1)


class Kind(NamedTuple):
    """One of the family: units of each stage, how many times wider the first three are and the last one, groups, top-1.

    Every second unit of a stage has the groups.
    """

    units: tuple[int, int, int, int]
    wider: float
    last: float
    groups: int = 1
    top1: float | None = None


FAMILY = {
    "a0": Kind(SMALL, 0.75, 2.5, top1=72.41),
    "a1": Kind(SMALL, 1, 2.5, top1=74.46),
    "a2": Kind(SMALL, 1.5, 2.75, top1=76.48),
    "b0": Kind(LARGE, 1, 2.5, top1=75.14),
    "b1": Kind(LARGE, 2, 4, top1=78.37),
    "b1g4": Kind(LARGE, 2, 4, 4, top1=77.58),
    "b2": Kind(LARGE, 2.5, 5, top1=78.78),
    "b2g4": Kind(LARGE, 2.5, 5, 4),
    "b3": Kind(LARGE, 3, 5, top1=80.52),
    "b3g4": Kind(LARGE, 3, 5, 4),
}


def repvggs() -> Iterator[Published]:
    """All of the family but the one with squeeze-and-excitation."""
    for name, kind in FAMILY.items():
        accuracy = None if kind.top1 is None else Accuracy(kind.top1, REPVGG)
        blocks = [_block(min(64, int(64 * kind.wider)), 1, 2)]
        for index, (width, units) in enumerate(zip(WIDTHS, kind.units, strict=True)):
            blocks += _stage(int(width * (kind.last if index == 3 else kind.wider)), units, kind.groups)
        yield Published(f"repvgg_{name}", document(blocks), REPVGG, accuracy)


def _stage(width: int, units: int, groups: int) -> Iterator[dict[str, Any]]:
    if groups == 1:
        yield _block(width, units, 2)
        return
    for unit in range(units):
        keys = {"group_width": width // groups} if unit % 2 else {}
        yield {**_block(width, 1, 1 if unit else 2), **keys}


def _block(width: int, units: int, stride: int) -> dict[str, Any]:
    return {"op": "repvgg", "kernel": 3, "width": width, "stride": stride, "depth": units}
