"""Configurations of pycls, in YAML or JSON: `MODEL.TYPE` anynet, regnet, resnet or effnet, and the section of that.

Source: the configurations that pycls publishes, and what its code builds from them; what a configuration leaves out has
the default of pycls.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from ..net.spec import parse_spec
from .base import Context, Format, Reading
from .fields import Fields

Blocks = list[dict[str, Any]]

_ACTIVATIONS = {"relu": "relu", "silu": "silu", "swish": "silu", "gelu": "gelu"}
_STEMS = {
    "simple_stem_in": {"op": "conv", "kernel": 3, "stride": 2},
    "res_stem_cifar": {"op": "conv", "kernel": 3},
    "res_stem_in": {"op": "conv", "kernel": 7, "stride": 2},  # and then `_POOL`
}
_POOL = {"pool": {"kind": "max", "kernel": 3, "stride": 2}}
_BLOCKS = ("res_bottleneck_block", "res_basic_block", "vanilla_block")
_DEPTHS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
_OF_TRAINING = ("ZERO_INIT_FINAL_TRANSFORM_BN", "ZERO_INIT_FINAL_GAMMA")  # how weights begin
_COMMON = ("STEM_TYPE", "STEM_W", "BLOCK_TYPE", "SE_ON", "SE_R", "HEAD_W")


class PyclsConfig(Format):
    """An object with the section `MODEL` and its `TYPE`; sections about training are skipped."""

    title = "a pycls configuration"

    def recognises(self, value: Any) -> bool:
        return isinstance(value, dict) and isinstance(value.get("MODEL"), dict) and "TYPE" in value["MODEL"]

    def read(self, value: Any, context: Context) -> Reading:
        fields = Fields(value, context.where)
        model = fields.inner("MODEL")
        type_ = model.word("TYPE", _TYPES)
        if model.number("SCALING_FACTOR", 1.0) != 1.0:
            raise model.fault(
                "SCALING_FACTOR", "a scaled network is not computed here; write out its widths and depths"
            )
        default = "silu" if type_ == "effnet" else "relu"
        activation = _ACTIVATIONS[model.word("ACTIVATION_FUN", _ACTIVATIONS, default)]
        train = fields.inner("TRAIN") if "TRAIN" in fields else Fields({}, f"{context.where}.TRAIN")
        document: dict[str, Any] = {
            "resolution": train.whole("IM_SIZE", 224),
            "num_classes": model.whole("NUM_CLASSES", 10),
            "blocks": _TYPES[type_](fields),
            **({} if activation == "relu" else {"activation": activation}),
            **({} if context.name is None else {"name": context.name}),
        }
        spec = parse_spec({**document, **context.fields}, f"{context.where}: as a spec")
        return Reading(spec)


def _section(fields: Fields, name: str, known: Iterable[str]) -> Fields:
    return fields.inner(name, known) if name in fields else Fields({}, f"{fields.place}.{name}")


def _head(width: int) -> Blocks:
    return [{"op": "conv", "kernel": 1, "width": width}] if width else []


def _stage(in_width: int, width: int, stride: int, depth: int, **keys: Any) -> dict[str, Any]:
    """A block of residual units with a projection only where shapes differ; a spec's own rule says the same mostly."""
    needed = {"shortcut": "needed"} if stride == 1 and in_width == width else {}
    return {"width": width, "stride": stride, "depth": depth, **keys, **needed}


def _anynet(fields: Fields) -> Blocks:
    own = ("DEPTHS", "WIDTHS", "STRIDES", "BOT_MULS", "GROUP_WS")
    section = _section(fields, "ANYNET", (*_COMMON, *own))
    depths = section.wholes("DEPTHS")
    count = len(depths)
    shapes = zip(depths, section.wholes("WIDTHS", count), section.wholes("STRIDES", count), strict=True)
    multipliers = _numbers(section, "BOT_MULS", count)
    groups = section.wholes("GROUP_WS", count) if section.get("GROUP_WS") else [0] * count
    rows = [(*shape, ratio, group) for shape, ratio, group in zip(shapes, multipliers, groups, strict=True)]
    return _stages(section, rows)


def _numbers(section: Fields, key: str, count: int) -> list[float]:
    """Numbers above 0, one a stage; ones where there are none."""
    if not section.get(key):
        return [1.0] * count
    values = section.items(key)
    if len(values) != count or not all(type(value) in (int, float) and 0 < value < 64 for value in values):
        raise section.fault(key, f"must be {count} numbers above 0; give one a stage")
    return [float(value) for value in values]


def _regnet(fields: Fields) -> Blocks:
    own = ("STRIDE", "DEPTH", "W0", "WA", "WM", "GROUP_W", "BOT_MUL")
    section = _section(fields, "REGNET", (*_COMMON, *own))
    depth, start, factor = section.whole("DEPTH", 10), section.number("W0", 32), section.number("WM", 2.5)
    slope, ratio, group = section.number("WA", 5.0), section.number("BOT_MUL", 1.0), section.whole("GROUP_W", 16)
    if depth > 1000 or start < 8 or factor <= 1 or not 0 < ratio < 64:
        raise section.fault("DEPTH", "needs at most 1000 units, W0 of at least 8, WM above 1 and BOT_MUL above 0")
    powers = [round(math.log((start + slope * unit) / start) / math.log(factor)) for unit in range(depth)]
    widths = [round(start * factor**power / 8) * 8 for power in powers]
    stride = section.whole("STRIDE", 2)
    rows = []
    for width in dict.fromkeys(widths):
        inside = max(1, int(width * ratio))
        own_group = min(group, inside)
        inside = max(own_group, round(inside / own_group) * own_group)
        rows.append((widths.count(width), int(inside / ratio), stride, ratio, own_group))
    return _stages(section, rows)


def _stages(section: Fields, rows: Iterable[tuple[int, int, int, float, int]]) -> Blocks:
    """Stem, stages of (units, width, stride, width inside over width, group width or 0), and head."""
    kind = section.word("BLOCK_TYPE", _BLOCKS, "res_bottleneck_block")
    gate: dict[str, Any] = {}
    if section.flag("SE_ON"):
        gate = {"se": {"ratio": section.number("SE_R", 0.25), "of": "input", "bias": True}}
    stem = section.word("STEM_TYPE", _STEMS, "simple_stem_in")
    in_width = section.whole("STEM_W", 32)
    blocks: Blocks = [{**_STEMS[stem], "width": in_width}]
    for depth, width, stride, ratio, group in rows:
        if kind == "vanilla_block":
            blocks.append({"op": "conv", "width": width, "stride": stride, "depth": 2 * depth})
        elif kind == "res_basic_block":
            blocks.append({"op": "basic", **_stage(in_width, width, stride, depth, mid_width=width)})
        else:
            inside = round(width * ratio)
            groups = {"group_width": group} if group and group != inside else {}
            blocks.append(
                {"op": "bottleneck", **_stage(in_width, width, stride, depth, mid_width=inside, **groups, **gate)}
            )
        if stem == "res_stem_in" and len(blocks) == 2:
            blocks[-1] |= _POOL
        in_width = width
    return blocks + _head(section.whole("HEAD_W", 0, least=0))


def _resnet(fields: Fields) -> Blocks:
    known = ("TRANS_FUN", "NUM_GROUPS", "WIDTH_PER_GROUP", "STRIDE_1X1", *_OF_TRAINING)
    section = _section(fields, "RESNET", known)
    shape = section.word("TRANS_FUN", ("basic_transform", "bottleneck_transform"), "basic_transform")
    model = fields.inner("MODEL")
    depth, data = model.whole("DEPTH", 0, least=0), _section(fields, "TRAIN", ()) if "TRAIN" not in fields else None
    name = fields.inner("TRAIN").get("DATASET", "imagenet") if data is None else "imagenet"
    if name == "cifar10":
        if shape != "basic_transform" or (depth - 2) % 6 or depth < 8:
            raise model.fault("DEPTH", f"{depth} is no ResNet for CIFAR; use basic units and 6 n + 2 layers")
        section = Fields({"STEM_TYPE": "res_stem_cifar", "STEM_W": 16, "BLOCK_TYPE": "res_basic_block"}, section.place)
        return _stages(section, [((depth - 2) // 6, 16 << stage, 1 + (stage > 0), 1.0, 0) for stage in range(3)])
    if shape != "bottleneck_transform" or depth not in _DEPTHS:
        raise model.fault(
            "DEPTH", f"{depth} is no ResNet for ImageNet; use bottlenecks and {', '.join(map(str, _DEPTHS))}"
        )
    group, count = section.whole("WIDTH_PER_GROUP", 64), section.whole("NUM_GROUPS", 1)
    first = {"stride_in": True} if section.flag("STRIDE_1X1", True) else {}
    blocks: Blocks = [{**_STEMS["res_stem_in"], "width": 64}]
    for stage, units in enumerate(_DEPTHS[depth]):
        stride = 1 + (stage > 0)
        groups = {"groups": count} if count > 1 else {}
        groups |= first if stride > 1 else {}
        row = _stage(0, 256 << stage, stride, units, mid_width=group * count << stage, **groups)
        blocks.append({"op": "bottleneck", **row, **({} if stage else _POOL)})
    return blocks


def _effnet(fields: Fields) -> Blocks:
    own = (
        "STEM_W",
        "STRIDES",
        "DEPTHS",
        "WIDTHS",
        "EXP_RATIOS",
        "KERNELS",
        "HEAD_W",
        "SE_R",
        "DC_RATIO",
        "DROPOUT_RATIO",
    )
    section = _section(fields, "EN", own)
    depths = section.wholes("DEPTHS")
    count = len(depths)
    rows = [section.wholes(key, count) for key in ("WIDTHS", "STRIDES", "KERNELS", "EXP_RATIOS")]
    gate = {"ratio": section.number("SE_R", 0.25), "of": "input", "bias": True, "activation": "silu"}
    unit = {"expansion_of": "input", "skip_expansion": True, "shortcut": "identity", "linear": True, "se": gate}
    blocks: Blocks = [{"op": "conv", "width": section.whole("STEM_W", 32), "stride": 2}]
    for depth, width, stride, kernel, expansion in zip(depths, *rows, strict=True):
        shape = {"width": width, "stride": stride, "kernel": kernel, "depth": depth, "expansion": expansion}
        blocks.append({"op": "mbconv", **shape, **unit})
    return blocks + _head(section.whole("HEAD_W", 1280))


_TYPES: dict[str, Callable[[Fields], Blocks]] = {
    "anynet": _anynet,
    "regnet": _regnet,
    "resnet": _resnet,
    "effnet": _effnet,
}
