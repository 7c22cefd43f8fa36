"""What a published network is here, and the blocks that published families share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from ..net.ops.details import divisible
from ..net.spec import ArchSpec, parse_spec


class Accuracy(NamedTuple):
    """A published top-1 accuracy on ImageNet-1k.

    Attributes:
        top1: in percent, at the network's own resolution.
        source: where it is published: a paper, or the weights of a library.
        recipe: how these weights were trained, as far as that is published; None where it is not known.
    """

    top1: float
    source: str
    recipe: str | None = None


@dataclass(frozen=True)
class Published:
    """A published network.

    Attributes:
        name: what it is called: as in torchvision, or else as in timm.
        document: its spec as JSON types.
        paper: where it is described.
        accuracy: what it reaches, or None where that is not known.
        aliases: other names of the same network.
    """

    name: str
    document: Mapping[str, Any]
    paper: str
    accuracy: Accuracy | None = None
    aliases: tuple[str, ...] = ()

    @cached_property
    def spec(self) -> ArchSpec:
        """The network."""
        return self.spec_as(self.name)

    def spec_as(self, name: str) -> ArchSpec:
        """The network as the library builds it that knows it by one of its names."""
        return parse_spec({"name": self.name, **_library_keys(name), **self.document}, name)


# Names whose batch normalisations have another epsilon than usual; those of TensorFlow have it, and its padding.
_LARGER = {"mobilenet_v3_large", "mobilenet_v3_small", "mobilenetv3_rw"}
_LARGER |= {f"efficientnet_{size}" for size in ("b5", "b6", "b7")}
_LARGER |= {f"efficientnet_v2_{size}" for size in ("s", "m", "l")}


def _library_keys(name: str) -> dict[str, Any]:
    if name.startswith("tf_"):
        return {"bn_eps": 1e-3, "padding": "same"}
    return {"bn_eps": 1e-3} if name in _LARGER else {}


def to_8s(width: float) -> int:
    """The nearest multiple of 8, at least nine tenths of a width."""
    return divisible(width, 8)


def conv(width: int, kernel: int = 3, stride: int = 1, **keys: Any) -> dict[str, Any]:
    """A plain convolution."""
    return {"op": "conv", "kernel": kernel, "width": width, "stride": stride, **keys}


def basic(width: int, depth: int) -> dict[str, Any]:
    """Pairs of 3x3 convolutions with a shortcut."""
    return {"op": "basic", "kernel": 3, "width": width, "mid_width": width, "depth": depth}


def bottleneck(groups: int, base: int, width: int, depth: int) -> dict[str, Any]:
    """A 3x3 convolution of so many groups of `base` channels between 1x1 ones, with a shortcut."""
    row = {"op": "bottleneck", "kernel": 3, "width": width, "mid_width": groups * base, "depth": depth}
    return {**row, "group_width": base} if groups > 1 else row


def inverted(
    width: int, depth: int = 1, stride: int = 1, kernel: int = 3, expansion: int | None = None, **keys: Any
) -> dict[str, Any]:
    """Inverted residuals as in MobileNetV2: linear, with a shortcut only where nothing changes.

    An `expansion` is of the channels that a unit reads; without one, `keys` hold a `mid_width`.
    """
    row = {"op": "mbconv", "kernel": kernel, "width": width, "depth": depth, "stride": stride}
    row |= {} if expansion is None else {"expansion": expansion, "expansion_of": "input"}
    return row | {"shortcut": "identity", "skip_expansion": True, "linear": True, **keys}


def separable(width: int, depth: int = 1, stride: int = 1, kernel: int = 3, **keys: Any) -> dict[str, Any]:
    """Depthwise and pointwise convolutions as in MobileNetV1, each with its activation and without a shortcut."""
    return inverted(width, depth, stride, kernel, 1, **{"shortcut": "none", "linear": False, **keys})


def document(blocks: Sequence[Mapping[str, Any]], **keys: Any) -> dict[str, Any]:
    """The spec of a network for ImageNet, as JSON types."""
    return {**keys, "blocks": list(blocks)}
