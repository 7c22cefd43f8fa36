"""ResNet, ResNeXt, Wide ResNet, ResNet-C, -D, -S and -T, SE-ResNet, ResNet-RS."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from .base import Accuracy, Published, basic, bottleneck, conv, document

RESNET = "Deep Residual Learning, arXiv 1512.03385"
RESNEXT = "Aggregated Residual Transformations, arXiv 1611.05431"
WIDE = "Wide Residual Networks, arXiv 1605.07146"
RESNET_D = "Bag of Tricks, arXiv 1812.01187"
SE = "Squeeze-and-Excitation Networks, arXiv 1709.01507"
RS = "Revisiting ResNets, arXiv 2103.07579"

BASIC = {10: (1, 1, 1, 1), 18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}
BOTTLENECK = {
    14: (1, 1, 1, 1),
    26: (2, 2, 2, 2),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
    200: (3, 24, 36, 3),
    269: (3, 30, 48, 8),
    270: (4, 29, 53, 4),
    350: (4, 36, 72, 4),
    420: (4, 44, 87, 4),
}
# Widths of the three convolutions of a deep stem; without one a 7x7 convolution of 64 channels.
DEEP, TIERED, WIDER = (32, 32, 64), (24, 32, 64), (64, 64, 128)


class Kind(NamedTuple):
    """One of the family.

    Attributes:
        depth: which row of units it has.
        paper: where it is described.
        groups, base: of the convolutions inside, and their channels per group in the first stage.
        stem: widths of a deep stem.
        pools: whether shortcuts average where they have a stride.
        se: ratio of squeeze-and-excitation, 0 for none.
        strides: whether a convolution takes the place of the maximum pooling.
    """

    depth: int
    paper: str
    groups: int = 1
    base: int = 64
    stem: tuple[int, ...] = ()
    pools: bool = False
    se: float = 0.0
    strides: bool = False

    @property
    def d(self) -> Kind:
        """With a deep stem and pooled shortcuts."""
        return self._replace(stem=DEEP, pools=True)

    @property
    def t(self) -> Kind:
        """With a tiered stem and pooled shortcuts."""
        return self._replace(stem=TIERED, pools=True)


def _resnet(depth: int) -> Kind:
    return Kind(depth, RESNET)


def _resnext(depth: int, groups: int, base: int) -> Kind:
    return Kind(depth, RESNEXT, groups, base)


def _with_se(kind: Kind) -> Kind:
    return kind._replace(paper=SE, se=1 / 16)


FAMILY: dict[str, Kind] = {
    **{f"resnet{depth}": _resnet(depth) for depth in (18, 26, 34, 50, 101, 152, 200)},
    **{f"resnet{depth}c": Kind(depth, RESNET_D, stem=DEEP) for depth in (50, 101, 152)},
    **{f"resnet{depth}d": Kind(depth, RESNET_D).d for depth in (18, 26, 34, 50, 101, 152, 200)},
    **{f"resnet{depth}s": Kind(depth, RESNET_D, stem=WIDER) for depth in (50, 101, 152)},
    **{f"resnet{depth}t": Kind(depth, RESNET_D).t for depth in (10, 14, 26, 50)},
    **{f"seresnet{depth}": _with_se(_resnet(depth)) for depth in (18, 34, 50, 101, 152)},
    **{f"seresnet{depth}d": _with_se(_resnet(depth)).d for depth in (152, 200, 269)},
    "seresnet50t": _with_se(_resnet(50)).t,
    **{f"resnext{depth}_32x4d": _resnext(depth, 32, 4) for depth in (50, 101)},
    **{f"resnext101_32x{base}d": _resnext(101, 32, base) for base in (8, 16, 32)},
    "resnext101_64x4d": _resnext(101, 64, 4),
    "resnext50d_32x4d": _resnext(50, 32, 4).d,
    **{f"seresnext{depth}_32x4d": _with_se(_resnext(depth, 32, 4)) for depth in (50, 101)},
    "seresnext101_32x8d": _with_se(_resnext(101, 32, 8)),
    "seresnext101_64x4d": _with_se(_resnext(101, 64, 4)),
    "seresnext26d_32x4d": _with_se(_resnext(26, 32, 4)).d,
    "seresnext26t_32x4d": _with_se(_resnext(26, 32, 4)).t,
    "seresnext101d_32x8d": _with_se(_resnext(101, 32, 8)).d,
    **{f"wide_resnet{depth}_2": Kind(depth, WIDE, base=128) for depth in (50, 101)},
    **{f"resnetrs{depth}": Kind(depth, RS, se=0.25, strides=True).d for depth in (50, 101, 152, 200, 270, 350, 420)},
}

_PAGE = "github.com/pytorch/vision/tree/main/references/classification"
_RECIPE = f"{_PAGE}#resnet"
_TORCHVISION = {
    "resnet18": (69.758, _RECIPE),
    "resnet34": (73.314, _RECIPE),
    "resnet50": (76.13, _RECIPE),
    "resnet101": (77.374, _RECIPE),
    "resnet152": (78.312, _RECIPE),
    "resnext50_32x4d": (77.618, f"{_PAGE}#resnext"),
    "resnext101_32x8d": (79.312, f"{_PAGE}#resnext"),
    "resnext101_64x4d": (83.246, "github.com/pytorch/vision/pull/5935"),
    "wide_resnet50_2": (78.468, "github.com/pytorch/vision/pull/912"),
    "wide_resnet101_2": (78.848, "github.com/pytorch/vision/pull/912"),
}
# What timm measured at 224 x 224, and the weights that it measured.
_TIMM = {
    "resnet10t": (68.358, "c3_in1k"),
    "resnet14t": (72.254, "c3_in1k"),
    "resnet50c": (78.012, "gluon_in1k"),
    "resnet101c": (79.542, "gluon_in1k"),
    "resnet152c": (79.91, "gluon_in1k"),
    "resnet50d": (79.078, "gluon_in1k"),
    "resnet101d": (80.426, "gluon_in1k"),
    "resnet152d": (80.476, "gluon_in1k"),
    "resnet50s": (78.718, "gluon_in1k"),
    "resnet101s": (80.302, "gluon_in1k"),
    "resnet152s": (81.002, "gluon_in1k"),
    "resnext101_32x4d": (80.34, "gluon_in1k"),
    "seresnet50": (77.028, "a3_in1k"),
    "seresnext50_32x4d": (79.91, "gluon_in1k"),
    "seresnext101_32x4d": (80.892, "gluon_in1k"),
    "seresnext101_64x4d": (80.896, "gluon_in1k"),
    "resnetrs50": (79.896, "tf_in1k"),
}
_V1 = "torchvision IMAGENET1K_V1"
ACCURACIES = {name: Accuracy(top1, _V1, recipe) for name, (top1, recipe) in _TORCHVISION.items()}
ACCURACIES |= {name: Accuracy(top1, f"timm {name}.{weights}") for name, (top1, weights) in _TIMM.items()}


def resnets() -> Iterator[Published]:
    """All of the family."""
    for name, kind in FAMILY.items():
        stages = _stages(kind)
        for index, stage in enumerate(stages):
            stage |= {"stride": min(index + 1, 2), "shortcut": "pooled" if kind.pools else "needed"}
            stage |= {"se": {"ratio": kind.se, "divisor": 8, "bias": True, "place": "end"}} if kind.se else {}
        first = [conv(width, 3, 2 - min(index, 1)) for index, width in enumerate(kind.stem)] or [conv(64, 7, 2)]
        if kind.strides:
            first.append(conv(64, 3, 2))
        else:
            stages[0]["pool"] = {"kind": "max", "kernel": 3, "stride": 2}
        yield Published(name, document([*first, *stages]), kind.paper, ACCURACIES.get(name))


def _stages(kind: Kind) -> list[dict[str, Any]]:
    if kind.depth in BASIC:
        return [basic(64 << index, units) for index, units in enumerate(BASIC[kind.depth])]
    rows = enumerate(BOTTLENECK[kind.depth])
    return [bottleneck(kind.groups, kind.base << index, 256 << index, units) for index, units in rows]
