"""GENet: residual networks that are fast on a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .base import Accuracy, Published, basic, bottleneck, conv, document

PAPER = "Neural Architecture Design for GPU-Efficient Networks, arXiv 2006.14090"
_TOP1 = {"gernet_s": 76.91, "gernet_m": 80.734, "gernet_l": 81.354}
ACCURACIES = {name: Accuracy(top1, f"timm {name}.idstcv_in1k") for name, top1 in _TOP1.items()}

# name: (stem, width at the end, resolution)
GENETS = {"gernet_s": (13, 1920, 224), "gernet_m": (32, 2560, 224), "gernet_l": (32, 2560, 256)}
# name: stages of (width, units, stride, width inside or 0 for basic units, whether depthwise)
GENET_STAGES: dict[str, tuple[tuple[int, int, int, int, bool], ...]] = {
    "gernet_s": (
        *((48, 1, 2, 0, False), (48, 3, 2, 0, False), (384, 7, 2, 96, False)),
        *((560, 2, 2, 1680, True), (256, 1, 1, 768, True)),
    ),
    "gernet_m": (
        *((128, 1, 2, 0, False), (192, 2, 2, 0, False), (640, 6, 2, 160, False)),
        *((640, 4, 2, 1920, True), (640, 1, 1, 1920, True)),
    ),
    "gernet_l": (
        *((128, 1, 2, 0, False), (192, 2, 2, 0, False), (640, 6, 2, 160, False)),
        *((640, 5, 2, 1920, True), (640, 4, 1, 1920, True)),
    ),
}


def genets() -> Iterator[Published]:
    """GENet in three sizes."""
    for name, (stem, last, resolution) in GENETS.items():
        stages: list[dict[str, Any]] = []
        for width, depth, stride, inside, depthwise in GENET_STAGES[name]:
            stage = bottleneck(1, inside, width, depth) if inside else basic(width, depth)
            stages.append({**stage, "stride": stride, "shortcut": "needed"} | ({"group_width": 1} if depthwise else {}))
        blocks = [conv(stem, 3, 2), *stages, conv(last, 1)]
        yield Published(name, document(blocks, resolution=resolution), PAPER, ACCURACIES.get(name))
