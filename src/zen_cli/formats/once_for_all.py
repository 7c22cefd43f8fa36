"""Network configurations of Once-for-All, ProxylessNAS and MCUNet: `first_conv`, `blocks`, `classifier` by class names.

Source: the configurations that these projects publish, and what their code builds from them.
"""

from __future__ import annotations

from typing import Any

from ..net.spec import parse_spec
from .base import Context, Format, Note, Reading, assumed_input
from .fields import Fields

_ACTIVATIONS = {
    "relu": "relu", "relu6": "relu6", "h_swish": "hard_swish", "swish": "silu", "silu": "silu", "gelu": "gelu",
}  # fmt: skip
_INVERTED = ("MBInvertedConvLayer", "MBConvLayer")
_SQUEEZE = {"ratio": 0.25, "divisor": 8, "bias": True, "gate": "hard_sigmoid"}
_BIAS = "gave the hidden layer of the head a bias, which a spec has there and the configuration does not"


class OnceForAllConfig(Format):
    """A network with `first_conv` and blocks by class names."""

    title = "a network configuration of Once-for-All"

    def recognises(self, value: Any) -> bool:
        return isinstance(value, dict) and {"first_conv", "blocks"} <= value.keys()

    def read(self, value: Any, context: Context) -> Reading:
        fields = Fields(value, context.where)
        stem = fields.inner("first_conv")
        blocks = [_conv(stem)]
        for row in fields.inners("blocks"):
            blocks += _unit(row, blocks[-1]["width"])
        document: dict[str, Any] = {"in_channels": stem.whole("in_channels", 3), "blocks": blocks}
        losses = _end(fields, document)
        for key, place in (("num_classes", "classifier"), ("resolution", "resolution")):
            if place in fields:
                inner = fields.inner(place).whole("out_features") if place == "classifier" else fields.whole(place)
                document[key] = inner
        unsaid = [key for key in ("resolution", "num_classes") if key not in document]
        if context.name is not None:
            document["name"] = context.name
        spec = parse_spec({**document, **context.fields}, f"{context.where}: as a spec")
        return Reading(spec, (*(assumed_input(spec, context, self.title, *unsaid) if unsaid else ()), *losses))


def _end(fields: Fields, document: dict[str, Any]) -> tuple[Note, ...]:
    """Adds what comes after the blocks: 1x1 convolutions, the last one after the pooling where there are two."""
    last = [key for key in ("final_expand_layer", "feature_mix_layer") if key in fields]
    for key in last[:1]:
        document["blocks"].append(_conv(fields.inner(key)))
    if len(last) < 2:
        return ()
    mix = fields.inner(last[1])
    document["head"] = [mix.whole("out_channels")]
    document["head_activation"] = _activation(mix, "relu")
    return () if mix.flag("bias") else (Note(_BIAS),)


def _activation(fields: Fields, default: str) -> str:
    return _ACTIVATIONS[fields.word("act_func", _ACTIVATIONS, default)]


def _kernel(fields: Fields) -> int:
    value = fields.get("kernel_size", 3)
    if isinstance(value, list) and len(value) == 2 and value[0] == value[1]:
        return Fields({"kernel_size": value[0]}, fields.place).whole("kernel_size")
    return fields.whole("kernel_size", 3)


def _conv(fields: Fields) -> dict[str, Any]:
    """A convolution with its BN and activation."""
    for key, plain in (("groups", 1), ("dilation", 1)):
        if fields.whole(key, 1) != plain:
            raise fields.fault(key, f"{fields.get(key)} cannot be written as a spec; use 1")
    for key in ("has_shuffle", "use_se", "bias"):
        if fields.flag(key):
            raise fields.fault(key, "true cannot be written as a spec; use false")
    row = {"op": "conv", "kernel": _kernel(fields), "width": fields.whole("out_channels"), **_styled(fields, "relu")}
    return {**row, "stride": fields.whole("stride", 1)}


def _styled(fields: Fields, default: str) -> dict[str, str]:
    found = _activation(fields, default)
    return {} if found == "relu" else {"activation": found}


def _unit(row: Fields, in_width: int) -> list[dict[str, Any]]:
    """The block of one unit; none for a layer that does nothing."""
    key = "mobile_inverted_conv" if "mobile_inverted_conv" in row else "conv"
    layer = row.inner(key)
    if layer.get("name") == "ZeroLayer":
        return []
    layer.word("name", _INVERTED)
    if layer.whole("in_channels") != in_width:
        raise layer.fault("in_channels", f"{layer.get('in_channels')} is not {in_width}, which the block before gives")
    ratio, width, stride = layer.number("expand_ratio", 6), layer.whole("out_channels"), layer.whole("stride", 1)
    if "groups" in layer and layer.whole("groups") != 1:
        raise layer.fault("groups", "cannot be written as a spec; leave it out")
    inside = in_width if ratio == 1 else layer.whole("mid_channels", max(1, round(in_width * ratio)))
    has_shortcut = "shortcut" in row and row.inner("shortcut").get("name") != "ZeroLayer"
    if has_shortcut and (stride > 1 or in_width != width):
        raise row.fault("shortcut", "is an identity where shapes differ; leave it out")
    unit = {
        "op": "mbconv",
        "kernel": _kernel(layer),
        "width": width,
        "stride": stride,
        "mid_width": inside,
        "shortcut": "identity" if has_shortcut else "none",
        "linear": True,
        **_styled(layer, "relu6"),
    }
    return [
        {
            **unit,
            **({"skip_expansion": True} if ratio == 1 else {}),
            **({"se": _SQUEEZE} if layer.flag("use_se") else {}),
        }
    ]
