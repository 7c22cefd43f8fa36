"""EfficientNet, EfficientNet-Lite and TinyNet: one network at many scales; EfficientNetV2."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from .base import Accuracy, Published, conv, document, inverted, to_8s

PAPER = "EfficientNet, arXiv 1905.11946"
LITE = "EfficientNet-Lite, github.com/tensorflow/tpu"
TINY = "Model Rubik's Cube, arXiv 2010.14819"
EDGE = "EfficientNet-EdgeTPU, github.com/tensorflow/tpu"
V2 = "EfficientNetV2, arXiv 2104.00298"

_PAGE = "github.com/pytorch/vision/tree/main/references/classification"
_V1 = "torchvision IMAGENET1K_V1"

# (kernel, expansion, width, units, stride)
STAGES = (
    (3, 1, 16, 1, 1),
    (3, 6, 24, 2, 2),
    (5, 6, 40, 2, 2),
    (3, 6, 80, 3, 2),
    (5, 6, 112, 3, 1),
    (5, 6, 192, 4, 2),
    (3, 6, 320, 1, 1),
)
# Size: (times wider, times deeper, resolution, top-1).
SCALES: dict[str, tuple[float, float, int, float | None]] = {
    "b0": (1.0, 1.0, 224, 77.692),
    "b1": (1.0, 1.1, 240, 78.642),
    "b2": (1.1, 1.2, 288, 80.608),
    "b3": (1.2, 1.4, 300, 82.008),
    "b4": (1.4, 1.8, 380, 83.384),
    "b5": (1.6, 2.2, 456, 83.444),
    "b6": (1.8, 2.6, 528, 84.008),
    "b7": (2.0, 3.1, 600, 84.122),
    "b8": (2.2, 3.6, 672, None),
    "l2": (4.3, 5.3, 800, None),
}
LITES: dict[str, tuple[float, float, int, float | None]] = {
    "lite0": (1.0, 1.0, 224, 74.83),
    "lite1": (1.0, 1.1, 240, 76.644),
    "lite2": (1.1, 1.2, 260, 77.464),
    "lite3": (1.2, 1.4, 300, 79.808),
    "lite4": (1.4, 1.8, 380, None),
}
TINIES: dict[str, tuple[float, float, int, float | None]] = {
    "a": (1.0, 1.2, 192, 77.658),
    "b": (0.75, 1.1, 188, 74.978),
    "c": (0.54, 0.85, 184, 71.24),
    "d": (0.54, 0.695, 152, 66.974),
    "e": (0.51, 0.6, 106, 59.866),
}

GATE = {"ratio": 0.25, "of": "input", "bias": True, "activation": "silu"}
# Size of V2: (stem, resolution, top-1).
V2_SIZES = {"s": (24, 384, 84.228), "m": (24, 480, 85.112), "l": (32, 480, 85.808), "xl": (32, 512, None)}
# Size of V2: (times wider, times deeper, resolution, top-1).
V2_SCALES = {
    "b0": (1.0, 1.0, 224, 78.358),
    "b1": (1.0, 1.1, 240, 79.462),
    "b2": (1.1, 1.2, 260, 80.194),
    "b3": (1.2, 1.4, 300, None),
}
V2_BASE = ((1, 16, 1, 1), (4, 32, 2, 2), (4, 48, 2, 2), (4, 96, 3, 2), (6, 112, 5, 1), (6, 192, 8, 2))
# Size of V2: stages of (expansion, width, units, stride); the first three are fused.
V2_STAGES: dict[str, tuple[tuple[int, int, int, int], ...]] = {
    "s": ((1, 24, 2, 1), (4, 48, 4, 2), (4, 64, 4, 2), (4, 128, 6, 2), (6, 160, 9, 1), (6, 256, 15, 2)),
    "m": (
        *((1, 24, 3, 1), (4, 48, 5, 2), (4, 80, 5, 2)),
        *((4, 160, 7, 2), (6, 176, 14, 1), (6, 304, 18, 2), (6, 512, 5, 1)),
    ),
    "l": (
        *((1, 32, 4, 1), (4, 64, 7, 2), (4, 96, 7, 2)),
        *((4, 192, 10, 2), (6, 224, 19, 1), (6, 384, 25, 2), (6, 640, 7, 1)),
    ),
    "xl": (
        *((1, 32, 4, 1), (4, 64, 8, 2), (4, 96, 8, 2)),
        *((4, 192, 16, 2), (6, 256, 24, 1), (6, 512, 32, 2), (6, 640, 8, 1)),
    ),
}
# Size for Edge TPUs: (times wider, times deeper, resolution, top-1, weights).
EDGES: dict[str, tuple[float, float, int, float, str]] = {
    "es": (1.0, 1.0, 224, 78.054, "ra_in1k"),
    "em": (1.0, 1.1, 240, 79.24, "ra2_in1k"),
    "el": (1.2, 1.4, 300, 81.312, "ra_in1k"),
}
# (kernel, expansion, width, units, stride), after a first stage of units of 24 channels; the first two are fused.
EDGE_STAGES = ((3, 8, 32, 2, 2), (3, 8, 48, 4, 2), (5, 8, 96, 5, 2), (5, 8, 144, 4, 1), (5, 8, 192, 2, 2))


def efficientnets() -> Iterator[Published]:
    """B0 to B7, L2, and the Lite ones, which have neither squeeze-and-excitation nor a scaled stem and end."""
    for size, (wider, deeper, resolution, top1) in SCALES.items():
        blocks = _stages(wider, [math.ceil(deeper * row[3]) for row in STAGES], se=GATE)
        blocks = [conv(to_8s(wider * 32), 3, 2), *blocks, conv(to_8s(wider * 1280), 1)]
        accuracy = None if top1 is None else Accuracy(top1, _V1, f"{_PAGE}#efficientnet-v1")
        name = f"efficientnet_{size}"
        spec = document(blocks, resolution=resolution, activation="silu")
        yield Published(name, spec, PAPER, accuracy, (f"tf_{name}",))
    for size, (wider, deeper, resolution, top1) in LITES.items():
        inner = [math.ceil(deeper * row[3]) for row in STAGES[1:-1]]
        blocks = _stages(wider, [STAGES[0][3], *inner, STAGES[-1][3]])
        name = f"efficientnet_{size}"
        spec = document([conv(32, 3, 2), *blocks, conv(1280, 1)], resolution=resolution, activation="relu6")
        accuracy = None if top1 is None else Accuracy(top1, f"timm tf_{name}.in1k")
        yield Published(name, spec, LITE, accuracy, (f"tf_{name}",))


def tinynets() -> Iterator[Published]:
    """TinyNet-A to E: EfficientNet made smaller, the stem as it is."""
    for size, (wider, deeper, resolution, top1) in TINIES.items():
        blocks = _stages(wider, [max(1, round(deeper * row[3])) for row in STAGES], se=GATE)
        blocks = [conv(32, 3, 2), *blocks, conv(max(1280, to_8s(wider * 1280)), 1)]
        name = f"tinynet_{size}"
        accuracy = None if top1 is None else Accuracy(top1, f"timm {name}.in1k")
        yield Published(name, document(blocks, resolution=resolution, activation="silu"), TINY, accuracy)


def efficientnets_v2() -> Iterator[Published]:
    """EfficientNetV2-S to XL, and B0 to B3."""
    for size, (stem, resolution, top1) in V2_SIZES.items():
        spec = _v2(stem, V2_STAGES[size], 1280, resolution)
        accuracy = None if top1 is None else Accuracy(top1, _V1, f"{_PAGE}#efficientnet-v2")
        aliases = (f"efficientnetv2_{size}", f"tf_efficientnetv2_{size}")
        yield Published(f"efficientnet_v2_{size}", spec, V2, accuracy, aliases)
    for size, (wider, deeper, resolution, top1) in V2_SCALES.items():
        rows = tuple(
            (expansion, _nearest_8(wider * width), math.ceil(deeper * depth), stride)
            for expansion, width, depth, stride in V2_BASE
        )
        spec = _v2(_nearest_8(wider * 32), rows, _nearest_8(wider * 1280), resolution)
        name = f"tf_efficientnetv2_{size}"
        accuracy = None if top1 is None else Accuracy(top1, f"timm {name}.in1k")
        yield Published(f"efficientnetv2_{size}", spec, V2, accuracy, (name,))


def edge_efficientnets() -> Iterator[Published]:
    """EfficientNet-EdgeTPU: ReLU, no squeeze-and-excitation, and fused units at the beginning."""
    for size, (wider, deeper, resolution, top1, weights) in EDGES.items():
        first = to_8s(wider * 24)
        keys: dict[str, Any] = {"op": "fused", "mid_width": 4 * first, "shortcut": "none"}
        blocks = [conv(to_8s(wider * 32), 3, 2), inverted(first, math.ceil(deeper), **keys)]
        for index, (kernel, expansion, width, depth, stride) in enumerate(EDGE_STAGES):
            keys = {"op": "fused"} if index < 2 else {}
            blocks.append(inverted(to_8s(wider * width), math.ceil(deeper * depth), stride, kernel, expansion, **keys))
        name = f"efficientnet_{size}"
        spec = document([*blocks, conv(to_8s(wider * 1280), 1)], resolution=resolution)
        yield Published(name, spec, EDGE, Accuracy(top1, f"timm {name}.{weights}"), (f"tf_{name}",))


def _v2(stem: int, rows: tuple[tuple[int, int, int, int], ...], last: int, resolution: int) -> dict[str, Any]:
    stages = []
    for index, (expansion, width, depth, stride) in enumerate(rows):
        kind: dict[str, Any] = {"op": "fused"} if index < 3 else {"se": GATE}
        stages.append(inverted(width, depth, stride, 3, expansion, **kind))
    return document([conv(stem, 3, 2), *stages, conv(last, 1)], resolution=resolution, activation="silu")


def _nearest_8(width: float) -> int:
    """The nearest multiple of 8, with no share of the width to keep."""
    return max(8, int(width + 4) // 8 * 8)


def _stages(wider: float, depths: Sequence[int], **keys: Any) -> list[dict[str, Any]]:
    """The stages, with widths times `wider` and these numbers of units."""
    return [
        inverted(to_8s(wider * width), units, stride, kernel, expansion, **keys)
        for (kernel, expansion, width, _, stride), units in zip(STAGES, depths, strict=True)
    ]
