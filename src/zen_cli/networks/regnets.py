"""RegNetX, Y and Z: widths on a quantised line (Designing Network Design Spaces, arXiv 2003.13678, section 3.3)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from ..net.ops.details import divisible
from .base import Accuracy, Published, conv, document

PAPER = "Designing Network Design Spaces, arXiv 2003.13678"
PAPER_Z = "Fast and Accurate Model Scaling, arXiv 2103.06877"
SOURCE = "pycls MODEL_ZOO, mean of 5 runs"
RECIPE = "100 epochs, SGD with momentum, cosine schedule, no enhancements"

# Size: (units, w_0, w_a, w_m, channels of a group, top-1 error in percent or None).
Row = tuple[int, int, float, float, int, float | None]
X: dict[str, Row] = {
    "200mf": (13, 24, 36.44, 2.49, 8, 31.1),
    "400mf": (22, 24, 24.48, 2.54, 16, 27.3),
    "600mf": (16, 48, 36.97, 2.24, 24, 25.9),
    "800mf": (16, 56, 35.73, 2.28, 16, 24.8),
    "1_6gf": (18, 80, 34.01, 2.25, 24, 23.0),
    "3_2gf": (25, 88, 26.31, 2.25, 48, 21.7),
    "4gf": (23, 96, 38.65, 2.43, 40, 21.4),
    "6_4gf": (17, 184, 60.83, 2.07, 56, 20.8),
    "8gf": (23, 80, 49.56, 2.88, 120, 20.7),
    "12gf": (19, 168, 73.36, 2.37, 112, 20.3),
    "16gf": (22, 216, 55.59, 2.1, 128, 20.0),
    "32gf": (23, 320, 69.86, 2.0, 168, 19.5),
}
Y: dict[str, Row] = {
    "200mf": (13, 24, 36.44, 2.49, 8, 29.6),
    "400mf": (16, 48, 27.89, 2.09, 8, 25.9),
    "600mf": (15, 48, 32.54, 2.32, 16, 24.5),
    "800mf": (14, 56, 38.84, 2.4, 16, 23.7),
    "1_6gf": (27, 48, 20.71, 2.65, 24, 22.0),
    "3_2gf": (21, 80, 42.63, 2.66, 24, 21.0),
    "4gf": (22, 96, 31.41, 2.24, 64, 20.6),
    "6_4gf": (25, 112, 33.22, 2.27, 72, 20.1),
    "8gf": (17, 192, 76.82, 2.19, 56, 20.1),
    "12gf": (19, 168, 73.36, 2.37, 112, 19.7),
    "16gf": (18, 200, 106.23, 2.48, 112, 19.6),
    "32gf": (20, 232, 115.89, 2.53, 232, 19.0),
    "64gf": (20, 352, 147.48, 2.4, 328, None),
    "128gf": (27, 456, 160.83, 2.52, 264, None),
    "256gf": (27, 640, 230.83, 2.53, 373, None),
}


# Size: the row, the width of a last 1x1 convolution, and the resolution.
Z: dict[str, tuple[Row, int | None, int]] = {
    "005": ((21, 16, 10.7, 2.51, 4, None), 1024, 224),
    "040": ((28, 48, 14.5, 2.226, 8, None), None, 256),
    "040_h": ((28, 48, 14.5, 2.226, 8, None), 1536, 256),
}


TORCHVISION = ("400mf", "800mf", "1_6gf", "3_2gf", "8gf", "16gf", "32gf", "128gf")


def regnets() -> Iterator[Published]:
    """All sizes. Where torchvision rounds widths to whole groups in another way than the paper, both are given."""
    for letter, sizes in (("x", X), ("y", Y)):
        for size, row in sizes.items():
            error = row[-1]
            accuracy = None if error is None else Accuracy(round(100 - error, 1), SOURCE, RECIPE)
            name, short = f"regnet_{letter}_{size}", f"regnet{letter}_{_number(size)}"
            published, torchvision = (_spec(row, has_se=letter == "y", as_in_torchvision=by) for by in (False, True))
            if published == torchvision or size not in TORCHVISION:
                yield Published(name, published, PAPER, accuracy, (short,))
            else:
                yield Published(name, torchvision, PAPER, None, (f"{short}_tv",))
                yield Published(short, published, PAPER, accuracy)


def regnetzs() -> Iterator[Published]:
    """RegNetZ as timm builds it: four times wider inside, linear ends, and a shortcut only where nothing changes."""
    for size, (row, features, resolution) in Z.items():
        group = row[4]
        gate = {"ratio": 0.25, "of": "input", "bias": True, "activation": "silu"}
        keys: dict[str, Any] = {"op": "bottleneck", "kernel": 3, "group_width": group, "stride": 2, "se": gate}
        keys |= {"shortcut": "identity", "linear": True}
        stages = [{**keys, "width": width, "mid_width": 4 * width, "depth": depth} for width, depth in _widths(row)]
        end = [conv(features, 1)] if features else []
        if not features:  # the last unit has its activation
            last = stages.pop()
            stages += [{**last, "depth": last["depth"] - 1}, {**last, "depth": 1, "stride": 1, "linear": False}]
        spec = document([conv(32, 3, 2), *stages, *end], activation="silu", resolution=resolution)
        yield Published(f"regnetz_{size}", spec, PAPER_Z)


def _widths(row: Row) -> Iterator[tuple[int, int]]:
    """The width and the number of units of each stage: a line of widths, each rounded to a power of a ratio."""
    units, first, slope, ratio, _, _ = row
    steps = [round(math.log((first + slope * index) / first) / math.log(ratio)) for index in range(units)]
    for width, run in groupby(round(first * ratio**step / 8) * 8 for step in steps):
        yield width, len(list(run))


def _number(size: str) -> str:
    """The size in hundreds of millions of MACs, in three digits or more."""
    number = float(size[:-2].replace("_", ".")) * (10 if size.endswith("gf") else 0.01)
    return f"{round(number):03d}"


def _spec(row: Row, *, has_se: bool, as_in_torchvision: bool) -> dict[str, Any]:
    group, stages = row[4], []
    for width, depth in _widths(row):
        channels = min(group, width)
        # The paper's code takes the nearest number of groups, torchvision one that keeps nine tenths of the width.
        whole = divisible(width, channels) if as_in_torchvision else round(width / channels) * channels
        stage = {"op": "bottleneck", "kernel": 3, "width": whole, "mid_width": whole, "group_width": channels}
        stage |= {"depth": depth, "stride": 2, "shortcut": "needed"}
        stages.append(stage | ({"se": {"ratio": 0.25, "of": "input", "bias": True}} if has_se else {}))
    return document([conv(32, 3, 2), *stages])
