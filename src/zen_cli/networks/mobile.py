"""MobileNet V1 to V3, MobileNet-EdgeTPU, and PP-LCNet."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from .base import Accuracy, Published, conv, document, inverted, separable, to_8s

V1 = "MobileNets, arXiv 1704.04861"
V2 = "MobileNetV2, arXiv 1801.04381"
V3 = "Searching for MobileNetV3, arXiv 1905.02244"
EDGE = "MobileNet-EdgeTPU, arXiv 2003.02838"
LCNET = "PP-LCNet, arXiv 2109.15099"

_PAGE = "github.com/pytorch/vision/tree/main/references/classification"
_V1 = "torchvision IMAGENET1K_V1"
ACCURACIES = {
    "mobilenetv1_100": Accuracy(70.6, V1),
    "mobilenetv1_075": Accuracy(68.4, V1),
    "mobilenetv1_050": Accuracy(63.7, V1),
    "mobilenet_v2": Accuracy(71.878, _V1, f"{_PAGE}#mobilenetv2"),
    "mobilenetv2_050": Accuracy(65.95, "timm mobilenetv2_050.lamb_in1k"),
    "mobilenetv2_140": Accuracy(76.52, "timm mobilenetv2_140.ra_in1k"),
    "mobilenetv2_110d": Accuracy(75.056, "timm mobilenetv2_110d.ra_in1k"),
    "mobilenetv2_120d": Accuracy(77.302, "timm mobilenetv2_120d.ra_in1k"),
    "mobilenet_v3_large": Accuracy(74.042, _V1, f"{_PAGE}#mobilenetv3-large--small"),
    "mobilenet_v3_small": Accuracy(67.668, _V1, f"{_PAGE}#mobilenetv3-large--small"),
    "mobilenetv3_large_075": Accuracy(73.432, "timm tf_mobilenetv3_large_075.in1k"),
    "mobilenetv3_small_050": Accuracy(57.91, "timm mobilenetv3_small_050.lamb_in1k"),
    "mobilenetv3_small_075": Accuracy(65.234, "timm mobilenetv3_small_075.lamb_in1k"),
    "mobilenetv3_small_minimal_100": Accuracy(62.89, "timm tf_mobilenetv3_small_minimal_100.in1k"),
    "mobilenetv3_large_minimal_100": Accuracy(72.258, "timm tf_mobilenetv3_large_minimal_100.in1k"),
    "lcnet_050": Accuracy(63.12, "timm lcnet_050.ra2_in1k"),
    "lcnet_075": Accuracy(68.782, "timm lcnet_075.ra2_in1k"),
    "lcnet_100": Accuracy(72.096, "timm lcnet_100.ra2_in1k"),
}

# (width, units, stride)
V1_STAGES = ((64, 1, 1), (128, 2, 2), (256, 2, 2), (512, 6, 2), (1024, 2, 2))
# (expansion, width, units, stride)
V2_STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
# (kernel, expansion, width, stride, squeeze-and-excitation, hard swish)
V3_LARGE = (
    (3, 1, 16, 1, False, False),
    (3, 4, 24, 2, False, False),
    (3, 3, 24, 1, False, False),
    (5, 3, 40, 2, True, False),
    *[(5, 3, 40, 1, True, False)] * 2,
    (3, 6, 80, 2, False, True),
    (3, 2.5, 80, 1, False, True),
    *[(3, 2.3, 80, 1, False, True)] * 2,
    *[(3, 6, 112, 1, True, True)] * 2,
    (5, 6, 160, 2, True, True),
    *[(5, 6, 160, 1, True, True)] * 2,
)
V3_DEEPER = (0, 2, 5, 7, 11, 14)  # the units that the large one of timm's depth 1.2 has twice
V3_SMALL = (
    (3, 1, 16, 2, True, False),
    (3, 4.5, 24, 2, False, False),
    (3, 3.67, 24, 1, False, False),
    (5, 4, 40, 2, True, True),
    *[(5, 6, 40, 1, True, True)] * 2,
    *[(5, 3, 48, 1, True, True)] * 2,
    (5, 6, 96, 2, True, True),
    *[(5, 6, 96, 1, True, True)] * 2,
)
# (kernel, width, units, stride)
LCNET_STAGES = ((3, 32, 1, 1), (3, 64, 2, 2), (3, 128, 2, 2), (3, 256, 1, 2), (5, 256, 5, 1))

# (op, kernel, expansion of the channels in, width, units, stride, other keys)
EDGE_STAGES: tuple[tuple[str, int, int, int, int, int, dict[str, Any]], ...] = (
    ("fused", 3, 8, 32, 1, 2, {}),
    ("fused", 3, 4, 32, 3, 1, {}),
    ("fused", 3, 8, 48, 1, 2, {}),
    ("fused", 3, 4, 48, 3, 1, {}),
    ("mbconv", 3, 8, 96, 1, 2, {}),
    ("mbconv", 3, 4, 96, 3, 1, {}),
    ("mbconv", 3, 8, 96, 1, 1, {"shortcut": "none"}),
    ("mbconv", 3, 4, 96, 3, 1, {}),
    ("mbconv", 5, 8, 160, 1, 2, {}),
    ("mbconv", 5, 4, 160, 3, 1, {}),
    ("mbconv", 3, 8, 192, 1, 1, {}),
)

LCNET_GATE = {"ratio": 0.25, "bias": True, "gate": "hard_sigmoid"}
GATE = {**LCNET_GATE, "divisor": 8}


def mobilenets() -> Iterator[Published]:
    """MobileNetV1, V2 and V3 in several widths."""
    for share in (50, 75, 100, 125):
        yield _named(f"mobilenetv1_{share:03d}", _v1(share / 100), V1, *["mobilenet_v1"] * (share == 100))
    wider = _v1(1)
    yield _named("mobilenetv1_100h", {**wider, "blocks": [*wider["blocks"], conv(1024, 1)]}, V1)
    for share in (35, 50, 75, 100, 140):
        names = ["mobilenet_v2"] * (share == 100) + [f"mobilenetv2_{share:03d}"]
        yield _named(names[0], _v2(share / 100), V2, *names[1:])
    for share, depth in ((110, 1.2), (120, 1.4)):
        yield _named(f"mobilenetv2_{share}d", _v2(share / 100, depth), V2)
    for size, shares in (("large", (75, 100)), ("small", (50, 75, 100))):
        for share in shares:
            short = f"mobilenetv3_{size}_{share:03d}"
            names = [f"mobilenet_v3_{size}"] * (share == 100) + [short, f"tf_{short}"]
            yield _named(names[0], _v3(size == "large", share / 100), V3, *names[1:])
        if size == "large":
            yield _named("mobilenetv3_rw", _v3_rw(), V3)
            yield _named("mobilenetv3_large_150d", {**_v3(True, 1.5, deeper=V3_DEEPER), "resolution": 256}, V3)
        name = f"mobilenetv3_{size}_minimal_100"
        yield _named(name, _v3(size == "large", 1, is_minimal=True), V3, f"tf_{name}")


def edge_mobilenets() -> Iterator[Published]:
    """MobileNet-EdgeTPU."""
    stages = [
        inverted(width, units, stride, kernel, expansion, op=op, skip_expansion=False, **keys)
        for op, kernel, expansion, width, units, stride, keys in EDGE_STAGES
    ]
    yield _named("mobilenet_edgetpu_100", document([conv(32, 3, 2), conv(16, 1), *stages, conv(1280, 1)]), EDGE)


def lcnets() -> Iterator[Published]:
    """PP-LCNet in several widths."""
    for share in (35, 50, 75, 100, 150):
        yield _named(f"lcnet_{share:03d}", _lcnet(share / 100), LCNET)


def _named(name: str, spec: dict[str, Any], paper: str, *aliases: str) -> Published:
    return Published(name, spec, paper, ACCURACIES.get(name), aliases)


def _v1(share: float) -> dict[str, Any]:
    stages = [separable(to_8s(share * width), depth, stride) for width, depth, stride in V1_STAGES]
    return document([conv(to_8s(share * 32), 3, 2), *stages], activation="relu6")


def _v2(share: float, deeper: float | None = None) -> dict[str, Any]:
    """With `deeper`, stages between the first and the last have more units, and stem and end keep their width."""
    stages = []
    for index, (expansion, width, depth, stride) in enumerate(V2_STAGES):
        units = depth if deeper is None or index in (0, len(V2_STAGES) - 1) else -int(-depth * deeper // 1)
        stages.append(inverted(to_8s(share * width), units, stride, 3, expansion))
    stem, last = (32, 1280) if deeper else (to_8s(share * 32), max(1280, to_8s(share * 1280)))
    return document([conv(stem, 3, 2), *stages, conv(last, 1)], activation="relu6")


def _v3(is_large: bool, share: float, *, is_minimal: bool = False, deeper: Collection[int] = ()) -> dict[str, Any]:
    """The minimal form has neither squeeze-and-excitation, nor hard swish, nor kernels above 3.

    Those of the units with an index in `deeper` come twice, and the last convolution then, too.
    """
    stem = 16 if share < 0.75 else to_8s(share * 16)
    smooth: dict[str, Any] = {} if is_minimal else {"activation": "hard_swish"}
    blocks, width_in = [conv(stem, 3, 2, **smooth)], stem
    rows = [row for index, row in enumerate(V3_LARGE if is_large else V3_SMALL) for _ in range(1 + (index in deeper))]
    for kernel, expansion, width, stride, has_se, is_smooth in rows:
        keys: dict[str, Any] = {"mid_width": to_8s(expansion * width_in)} | (smooth if is_smooth else {})
        keys |= {"se": GATE} if has_se and not is_minimal else {}
        width_in = to_8s(share * width)
        blocks.append(inverted(width_in, 1, stride, 3 if is_minimal else kernel, **keys))
    last, hidden = (960, 1280) if is_large else (576, 1024)
    head = {"head": [hidden], "head_activation": "relu" if is_minimal else "hard_swish"}
    return document([*blocks, conv(to_8s(share * last), 1, depth=1 + bool(deeper), **smooth)], **head)


def _v3_rw() -> dict[str, Any]:
    """The large one with other widths of gates, no bias in the hidden layer and no shortcut in the first unit."""
    spec = _v3(True, 1)
    blocks = []
    for block in spec["blocks"]:
        smooth = {"activation": block["activation"]} if "activation" in block else {}
        blocks.append({**block, "se": {**LCNET_GATE, **smooth}} if "se" in block else block)
    blocks[1] = {**blocks[1], "shortcut": "none"}
    return {**spec, "blocks": blocks, "head_bias": False}


def _lcnet(share: float) -> dict[str, Any]:
    stages = [separable(to_8s(share * width), depth, stride, kernel) for kernel, width, depth, stride in LCNET_STAGES]
    stages += [separable(to_8s(share * 512), 1, stride, 5, se=LCNET_GATE) for stride in (2, 1)]
    blocks = [conv(to_8s(share * 16), 3, 2), *stages]
    return document(blocks, activation="hard_swish", head=[1280], head_activation="hard_swish")
