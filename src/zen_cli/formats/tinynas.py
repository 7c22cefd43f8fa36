"""Structures of TinyNAS (DeepMAD, MAE-DET, DAMO-YOLO): lists of blocks with `class`, `in` and `out`.

    ConvKXBNRELU, ConvKXBN                    a plain k x k convolution
    SuperResK1KXK1                            L bottleneck units of `btn` channels inside
    SuperResKXKX                              L basic units
    SuperResK1DWK1, SuperResK1DWSEK1          L inverted residuals, the latter with squeeze-and-excitation
    SuperResK1KX                              L pairs of a 1x1 and a k x k convolution

A class may lack `Super` (one unit), and have `Quant` or `Conv` inside its name, as in DAMO-YOLO. Source: the structures
that lightweight-neural-architecture-search and DAMO-YOLO publish, and what their code builds from them.
"""

from __future__ import annotations

import re
from typing import Any

from ..errors import SpecError
from ..net.ops.details import divisible
from ..net.spec import parse_spec
from .base import Context, Format, Note, Reading, assumed_input
from .fields import Fields

_CLASS = re.compile(r"(Super)?(?:Quant)?Res(?:Conv)?(K1KXK1|KXKX|K1DWK1|K1DWSEK1|K1KX)|(ConvKXBN)(RELU)?")
_EXAMPLES = "ConvKXBNRELU, SuperResKXKX, SuperResK1KXK1, SuperResK1KX, SuperResK1DWK1 and SuperResK1DWSEK1"
_KEYS = frozenset(
    [
        "class",
        "inner_class",
        "in",
        "out",
        "k",
        "s",
        "p",
        "g",
        "L",
        "btn",
        "act",
        "nbitsA",
        "nbitsW",
        "force_resproj_skip",
    ]
)
_LISTS = ("best_structures", "structure_info")
MAX_UNITS = 1000
RATIO, DIVISOR = 0.25, 8  # of squeeze-and-excitation

_BITS = "left out the numbers of bits (nbitsA, nbitsW): a spec has no quantisation"
_PAIRS = "wrote units K1KX as two convolutions, without their shortcuts"
_SECOND = "put the stride of units KXKX on their first convolution, where a spec has it"
_POOLED = "wrote shortcuts that pool before they project as projections with a stride"
_IDENTITY = "left out the shortcuts of inverted residuals that pool and keep their channels"
_SQUEEZE = "rounded widths of squeeze-and-excitation to the nearest multiple of 8, where the structure rounds down"
_ACTIVATIONS = {"relu": "relu", "relu6": "relu6", "swish": "silu"}


class TinyNasStructure(Format):
    """A list of such blocks, alone or several in `best_structures`."""

    title = "a TinyNAS structure"

    def recognises(self, value: Any) -> bool:
        if isinstance(value, list):
            return bool(value) and all(map(_is_block, value))
        return isinstance(value, dict) and (any(key in value for key in _LISTS) or _is_block(value))

    def parts(self, value: Any) -> tuple[str, list[Any] | None]:
        key = next((key for key in _LISTS if isinstance(value, dict) and key in value), "")
        found = value[key] if key else None
        if isinstance(found, list) and found and all(map(_is_block, found)):
            return key, [found]
        return key, found if isinstance(found, list) and found else None

    def read(self, value: Any, context: Context) -> Reading:
        if isinstance(value, dict) and not _is_block(value):
            raise SpecError(f"{context.where}: best_structures: must hold lists of blocks with class, in and out")
        rows = value if isinstance(value, list) else [value]
        blocks: list[dict[str, Any]] = []
        losses: dict[str, None] = {}
        width = None
        for index, row in enumerate(rows):
            fields = Fields(row, f"{context.where}: [{index}]", _KEYS)
            in_width = fields.whole("in")
            if width is not None and in_width != width:
                raise fields.fault("in", f"{in_width} is not {width}, which the block before gives; make them equal")
            blocks += _blocks(fields, losses)
            width = fields.whole("out")
        document = {"in_channels": rows[0]["in"], "blocks": blocks, **context.fields}
        if context.name is not None:
            document["name"] = context.name
        spec = parse_spec(document, f"{context.where}: as a spec")
        return Reading(spec, (*assumed_input(spec, context, self.title), *map(Note, losses)))


def _is_block(value: Any) -> bool:
    return isinstance(value, dict) and {"class", "in", "out"} <= value.keys()


def _blocks(fields: Fields, losses: dict[str, None]) -> list[dict[str, Any]]:
    """The blocks of a spec that one block of a structure is; adds to `losses` what they do not say."""
    name = fields.get("class")
    match = _CLASS.fullmatch(name) if isinstance(name, str) else None
    if match is None:
        raise fields.fault("class", f"{str(name)[:40]!r} is not known; known: {_EXAMPLES}")
    kernel, stride, width = fields.whole("k", 3), fields.whole("s", 1), fields.whole("out")
    if fields.whole("p", kernel // 2, least=0) != kernel // 2:
        raise fields.fault("p", f"a spec pads k // 2, here {kernel // 2}; leave it out")
    if fields.whole("g", 1) != 1:
        raise fields.fault("g", "groups in every convolution of a block cannot be written as a spec; use 1")
    if "nbitsA" in fields or "nbitsW" in fields:
        losses[_BITS] = None
    default = "swish" if match[2] == "K1DWSEK1" else "relu"
    activation = _ACTIVATIONS[fields.word("act", _ACTIVATIONS, default)]
    common: dict[str, Any] = {"kernel": kernel, "width": width, "stride": stride}
    common |= {} if activation == "relu" else {"activation": activation}
    if match[3]:
        return [{"op": "conv", **common, **({} if match[4] else {"linear": True})}]
    depth, inside = fields.whole("L", 1) if match[1] else 1, fields.whole("btn")
    if depth > MAX_UNITS:
        raise fields.fault("L", f"{depth} units are too many; use at most {MAX_UNITS}")
    return _units(match[2], {**common, "depth": depth}, inside, fields.whole("in"), losses)


def _units(
    shape: str, common: dict[str, Any], inside: int, in_width: int, losses: dict[str, None]
) -> list[dict[str, Any]]:
    """The blocks of `depth` units of one shape."""
    stride, depth = common["stride"], common["depth"]
    if shape == "K1KX":
        losses[_PAIRS] = None
        wide = {"op": "conv", **common, "depth": 1}
        narrow = {**wide, "kernel": 1, "width": inside, "stride": 1}
        return [row for index in range(depth) for row in (narrow, wide if index == 0 else {**wide, "stride": 1})]
    if stride > 1 and not shape.startswith("K1DW"):
        losses[_POOLED] = None
    if shape == "K1KXK1":
        return [{"op": "bottleneck", **common, "mid_width": inside}]
    if shape == "KXKX":
        if stride > 1:
            losses[_SECOND] = None
        return [{"op": "basic", **common, "mid_width": inside}]
    if stride > 1 and in_width == common["width"]:
        losses[_IDENTITY] = None
    unit = {"op": "mbconv", **common, "mid_width": inside, "shortcut": "identity"}
    if shape == "K1DWK1":
        return [unit]
    if divisible(RATIO * inside, DIVISOR) != max(1, round(RATIO * inside) // DIVISOR) * DIVISOR:
        losses[_SQUEEZE] = None
    return [{**unit, "se": {"ratio": RATIO, "divisor": DIVISOR, "activation": "silu"}}]
