"""Codes of networks of TransNAS-Bench-101's macro space, such as `64-41414-basic`.

    width of the stem - one digit a stage: 1 keeps, 2 doubles the width, 3 halves the map, 4 does both - basic

Each stage is two basic units, after a stem of two 3x3 convolutions with stride 2. Source: TransNAS-Bench-101 (arXiv
2105.11871) and what its code builds.
"""

from __future__ import annotations

import re
from typing import Any

from ..errors import SpecError
from ..net.spec import parse_spec
from ..net.validation import show
from .base import Context, Format, Reading

_CODE = re.compile(r"\s*([1-9][0-9]{0,5})-([1-4]{1,20})-(basic|[0-9_]{1,40})\s*")
NUM_CLASSES = 75  # of its classification of scenes and of objects
UNITS = 2


class TransNasCode(Format):
    """A code on one line."""

    title = "a TransNAS code"

    def recognises(self, value: Any) -> bool:
        return isinstance(value, str) and _CODE.fullmatch(value) is not None

    def read(self, value: Any, context: Context) -> Reading:
        match = _CODE.fullmatch(value)
        assert match is not None  # or it would not be recognised
        width, stages, cell = int(match[1]), match[2], match[3]
        if cell != "basic":
            raise SpecError(f"{context.where}: {show(value)} has cells, which blocks cannot express; end it in -basic")
        if width % 2:
            raise SpecError(f"{context.where}: {show(value)}: width {width} is odd; use an even one")
        blocks: list[dict[str, Any]] = [
            {"op": "conv", "width": width // 2, "stride": 2},
            {"op": "conv", "width": width, "stride": 2},
        ]
        for index, digit in enumerate(map(int, stages)):
            width *= 2 if digit % 2 == 0 else 1
            if digit == 1 and index:
                blocks[-1]["depth"] += UNITS  # the same units again
                continue
            stride = 2 if digit > 2 else 1
            rule = {"shortcut": "needed"} if digit == 1 else {}  # elsewhere the shapes differ, so that all rules agree
            blocks.append({"op": "basic", "width": width, "mid_width": width, "stride": stride, "depth": UNITS, **rule})
        document = {"num_classes": NUM_CLASSES, "name": value.strip(), "blocks": blocks, **context.fields}
        return Reading(parse_spec(document, f"{context.where}: as a spec"))
