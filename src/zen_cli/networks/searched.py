"""Networks that searches found: MnasNet, Single-Path NAS, FBNet and HardCoRe-NAS."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .base import Accuracy, Published, conv, document, inverted, to_8s

MNASNET = "MnasNet, arXiv 1807.11626"
SPNASNET = "Single-Path NAS, arXiv 1904.02877"
HARDCORE = "HardCoRe-NAS, arXiv 2102.11646"
FBNET = "FBNet, arXiv 1812.03443"

_V1 = "torchvision IMAGENET1K_V1"
_TRAINER = "github.com/1e100/mnasnet_trainer"
_PULL = "github.com/pytorch/vision/pull/6019"
ACCURACIES = {
    "mnasnet0_5": Accuracy(67.734, _V1, _TRAINER),
    "mnasnet0_75": Accuracy(71.18, _V1, _PULL),
    "mnasnet1_0": Accuracy(73.456, _V1, _TRAINER),
    "mnasnet1_3": Accuracy(76.506, _V1, _PULL),
    "semnasnet_075": Accuracy(72.992, "timm semnasnet_075.rmsp_in1k"),
    "semnasnet_100": Accuracy(75.45, "timm semnasnet_100.rmsp_in1k"),
    "spnasnet_100": Accuracy(74.086, "timm spnasnet_100.rmsp_in1k"),
    "fbnetc_100": Accuracy(75.13, "timm fbnetc_100.rmsp_in1k"),
}

# Stages of (kernel, expansion, width, units, stride) after the first, which has 16 channels.
B1 = ((3, 3, 24, 3, 2), (5, 3, 40, 3, 2), (5, 6, 80, 3, 2), (3, 6, 96, 2, 1), (5, 6, 192, 4, 2), (3, 6, 320, 1, 1))
A1 = ((3, 6, 24, 2, 2), (5, 3, 40, 3, 2), (3, 6, 80, 4, 2), (3, 6, 112, 2, 1), (5, 6, 160, 3, 2), (3, 6, 320, 1, 1))
A1_WITH_SE = (40, 112, 160)
SMALL = ((3, 3, 16, 1, 2), (3, 6, 16, 2, 2), (5, 6, 32, 4, 2), (3, 6, 32, 3, 1), (5, 6, 88, 3, 2), (3, 6, 144, 1, 1))
SINGLE_PATH = (
    (3, 3, 24, 3, 2),
    (5, 6, 40, 1, 2),
    (3, 3, 40, 3, 1),
    (5, 6, 80, 1, 2),
    (3, 3, 80, 3, 1),
    (5, 6, 96, 1, 1),
    (5, 3, 96, 3, 1),
    (5, 6, 192, 4, 2),
    (3, 6, 320, 1, 1),
)
FBNET_C = (
    (3, 6, 24, 1, 2),
    (3, 1, 24, 2, 1),
    (5, 6, 32, 1, 2),
    (5, 3, 32, 1, 1),
    (5, 6, 32, 1, 1),
    (3, 6, 32, 1, 1),
    (5, 6, 64, 1, 2),
    (5, 3, 64, 1, 1),
    (5, 6, 64, 2, 1),
    (5, 6, 112, 3, 1),
    (5, 3, 112, 1, 1),
    (5, 6, 184, 4, 2),
    (3, 6, 352, 1, 1),
)
# Units of the stages of HardCoRe-NAS: kernel, expansion, and an s where they have squeeze-and-excitation.
HARDCORE_UNITS = {
    "a": ("53 53s", "53 56s", "56s 56s", "56s 56s", "56s 56s"),
    "b": ("53 53s 33", "53 53 53", "53 53 33 33", "53 33 33 33", "56s 56s 33s"),
    "c": ("53 53s", "53 53 53 53", "54 56s 33 33", "56s 33 33 33", "56s 56s 33s"),
    "d": ("53s 53s", "53s 54s 33s", "54s 33s 33s 33s", "34s 54s 33s 53s", "56s 56s 56s 36s"),
    "e": ("53s 53s", "56s 54s 54s 33s", "54s 36s", "56s 56s 56s 53s", "56s 56s 56s 36s"),
    "f": ("53s 53s", "56s 56s", "56s 56s 33s 33s", "36s 56s 56s 33s", "56s 56s 36s 36s"),
}
# Stages of (width, stride, hard swish).
HARDCORE_STAGES = ((24, 2, False), (40, 2, False), (80, 2, True), (112, 1, True), (192, 2, True))
HARDCORE_TOP1 = {"a": 75.93, "b": 76.536, "c": 77.058, "d": 77.44, "e": 77.784, "f": 78.098}
GATE = {"ratio": 0.25, "of": "input", "bias": True}

Stages = tuple[tuple[int, int, int, int, int], ...]


def searched() -> Iterator[Published]:
    """All of them."""
    for name, share in (("mnasnet0_5", 50), ("mnasnet0_75", 75), ("mnasnet1_0", 100), ("mnasnet1_3", 130)):
        spec = _network(B1, share / 100)
        yield Published(name, spec, MNASNET, ACCURACIES[name], (f"mnasnet_{share:03d}",))
    yield Published("mnasnet_140", _network(B1, 1.4), MNASNET)
    for share in (50, 75, 100, 140):
        name = f"semnasnet_{share:03d}"
        yield Published(name, _network(A1, share / 100, with_se=A1_WITH_SE), MNASNET, ACCURACIES.get(name))
    small = [conv(8, 3, 2), inverted(8, 1, 1, 3, 1), *_stages(SMALL, 1, (32, 88)), conv(1280, 1)]
    yield Published("mnasnet_small", document(small), MNASNET)
    yield Published("spnasnet_100", _network(SINGLE_PATH), SPNASNET, ACCURACIES["spnasnet_100"])
    # FBNet keeps the first convolution of a unit that does not expand.
    blocks = [inverted(16, 1, 1, 3, 1), *_stages(FBNET_C, 1, ())]
    blocks = [{**block, "skip_expansion": False} for block in blocks]
    spec = document([conv(16, 3, 2), *blocks, conv(1984, 1)])
    yield Published("fbnetc_100", spec, FBNET, ACCURACIES["fbnetc_100"])


def hardcore() -> Iterator[Published]:
    """HardCoRe-NAS A to F."""
    smooth: dict[str, Any] = {"activation": "hard_swish"}
    gate = {"ratio": 0.25, "divisor": 8, "bias": True, "gate": "hard_sigmoid"}
    for size, stages in HARDCORE_UNITS.items():
        blocks = [conv(32, 3, 2, **smooth), inverted(16, 1, 1, 3, 1)]
        for (width, stride, is_smooth), units in zip(HARDCORE_STAGES, stages, strict=True):
            for index, unit in enumerate(units.split()):
                keys = (smooth if is_smooth else {}) | ({"se": gate} if unit.endswith("s") else {})
                blocks.append(inverted(width, 1, 1 if index else stride, int(unit[0]), int(unit[1]), **keys))
        name = f"hardcorenas_{size}"
        spec = document([*blocks, conv(960, 1, **smooth)], head=[1280], head_activation="hard_swish")
        yield Published(name, spec, HARDCORE, Accuracy(HARDCORE_TOP1[size], f"timm {name}.miil_green_in1k"))


def _network(stages: Stages, share: float = 1, with_se: tuple[int, ...] = ()) -> dict[str, Any]:
    first = inverted(to_8s(share * 16), 1, 1, 3, 1)
    return document([conv(to_8s(share * 32), 3, 2), first, *_stages(stages, share, with_se), conv(1280, 1)])


def _stages(stages: Stages, share: float, with_se: tuple[int, ...]) -> list[dict[str, Any]]:
    return [
        inverted(to_8s(share * width), depth, stride, kernel, expansion, **({"se": GATE} if width in with_se else {}))
        for kernel, expansion, width, depth, stride in stages
    ]
