"""FBNetV3, as timm builds it: squeeze widths and hidden layers without bias differ from those of other families."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .base import Published, conv, document, inverted

FBNETV3 = "FBNetV3, arXiv 2006.02049"

# Size: width of the stem; width and units of the first stage; later ones: (kernel, expansion, width, units, stride,
# squeeze-and-excitation). Expansions are of the channels that a unit reads.
SIZES: dict[str, tuple[int, int, int, tuple[tuple[int, int, int, int, int, bool], ...]]] = {
    "b": (
        16,
        16,
        2,
        (
            (5, 4, 24, 1, 2, False),
            (5, 2, 24, 3, 1, False),
            (5, 5, 40, 1, 2, True),
            (5, 3, 40, 4, 1, True),
            (5, 5, 72, 1, 2, False),
            (3, 3, 72, 4, 1, False),
            (3, 5, 120, 1, 1, True),
            (5, 3, 120, 5, 1, True),
            (3, 6, 184, 1, 2, True),
            (5, 4, 184, 5, 1, True),
            (5, 6, 224, 1, 1, True),
        ),
    ),
    "d": (
        24,
        16,
        2,
        (
            (3, 5, 24, 1, 2, False),
            (3, 2, 24, 5, 1, False),
            (5, 4, 40, 1, 2, True),
            (3, 3, 40, 4, 1, True),
            (3, 5, 72, 1, 2, False),
            (3, 3, 72, 4, 1, False),
            (3, 5, 128, 1, 1, True),
            (5, 3, 128, 6, 1, True),
            (3, 6, 208, 1, 2, True),
            (5, 5, 208, 5, 1, True),
            (5, 6, 240, 1, 1, True),
        ),
    ),
    "g": (
        32,
        24,
        3,
        (
            (5, 4, 40, 1, 2, False),
            (5, 2, 40, 4, 1, False),
            (5, 4, 56, 1, 2, True),
            (5, 3, 56, 4, 1, True),
            (5, 5, 104, 1, 2, False),
            (3, 3, 104, 4, 1, False),
            (3, 5, 160, 1, 1, True),
            (5, 3, 160, 8, 1, True),
            (3, 6, 264, 1, 2, True),
            (5, 5, 264, 6, 1, True),
            (5, 6, 288, 1, 1, True),
            (5, 6, 288, 1, 1, True),
        ),
    ),
}
SIDES = {"b": 256, "d": 256, "g": 288}
LAST_EXPANSION = 6


def fbnets() -> Iterator[Published]:
    """The three sizes that timm has."""
    for size, (stem, width, units, rows) in SIZES.items():
        blocks = [conv(stem, 3, 2), inverted(width, units, expansion=1)]
        for kernel, expansion, out, depth, stride, has_se in rows:
            gate = {"se": _gate(width)} if has_se else {}
            blocks.append(inverted(out, depth, stride, kernel, expansion, **gate))
            width = out
        blocks.append(conv(LAST_EXPANSION * width, 1))
        ending = {"head": [1984], "head_bias": False, "activation": "hard_swish"}
        yield Published(f"fbnetv3_{size}", document(blocks, resolution=SIDES[size], **ending), FBNETV3)


def _gate(width: int) -> dict[str, Any]:
    """A gate of a quarter of the channels that a unit reads, in multiples of 8 and at least 95% of that."""
    wanted = width / 4
    squeeze = max(8, int(wanted + 4) // 8 * 8)
    squeeze += 8 * (squeeze < 0.95 * wanted)
    keys = {"of": "input", "bias": True, "activation": "hard_swish", "gate": "hard_sigmoid"}
    return {"ratio": squeeze / width, **keys}
