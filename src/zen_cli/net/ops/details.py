"""What the units of published networks have beyond those of the ZenNets: shortcuts, activations, gates, pooling.

`Style` is what a block says, `Details` what one unit has, with every choice resolved. Both are None where all is as in
the ZenNets, so that searches through those carry nothing along.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

Activation: TypeAlias = Literal["relu", "relu6", "silu", "hard_swish", "gelu", "leaky_relu"]
Shortcut: TypeAlias = Literal["first", "needed", "pooled", "identity", "none"]
ExpansionOf: TypeAlias = Literal["width", "input"]


class Gate(NamedTuple):
    """What squeeze-and-excitation is like beside its ratio.

    of: whether the ratio is of the width that the gate scales (`inside`) or of the unit's input (`input`).
    divisor: what its width is rounded to a multiple of, at least nine tenths of it; 0 for the nearest whole number.
    bias: biases in place of batch normalisation.
    activation, gate: after its first and its second convolution.
    place: after the k x k convolution (`inner`) or after the last one (`end`).
    """

    of: str = "inside"
    divisor: int = 0
    bias: bool = False
    activation: str = "relu"
    gate: str = "sigmoid"
    place: str = "inner"

    def squeeze(self, ratio: float, inside: int, in_width: int, width: int) -> int:
        """The width of its bottleneck."""
        base = in_width if self.of == "input" else width if self.place == "end" else inside
        return divisible(ratio * base, self.divisor) if self.divisor else max(1, round(ratio * base))


class Pooling(NamedTuple):
    """A pooling before a block."""

    kind: str
    kernel: int
    stride: int
    padding: int

    @property
    def keys(self) -> dict[str, object]:
        """As an object in a spec."""
        return {"kind": self.kind, "kernel": self.kernel, "stride": self.stride}


class Style(NamedTuple):
    """What a block says of its units; the defaults are those of the ZenNets."""

    shortcut: str = "first"
    linear: bool = False
    activation: str = "relu"
    skip_expansion: bool = False
    expansion_of: str = "width"
    gate: Gate = Gate()
    pool: Pooling | None = None
    bias: bool = False
    norm: bool = True
    stride_in: bool = False

    @classmethod
    def of_row(cls, row: Sequence[Any]) -> Style:
        """A style from the JSON array that it is written as."""
        style = cls(*row)
        pool = None if style.pool is None else Pooling(*style.pool)
        return style._replace(gate=Gate(*style.gate), pool=pool)

    @property
    def or_none(self) -> Style | None:
        """None where it is the default."""
        return None if self == _PLAIN else self


class Details(NamedTuple):
    """What one unit has; the defaults are those of the ZenNets.

    has_shortcut: whether its input, or a projection of it, is added to its output.
    pools_shortcut: whether its shortcut averages pairs of positions instead of passing over them.
    linear: whether nothing follows the last BN, or the addition.
    activation: after all other convolutions, and at the end.
    skips_first: whether it has no first 1x1 convolution.
    gate: how squeeze-and-excitation is.
    pool: a pooling before it.
    adds_norm: whether its input is added after a BN of its own.
    bias, norm: whether a plain convolution has a bias, and a BN.
    stride_in: whether the first convolution of a bottleneck has the stride.
    """

    has_shortcut: bool = True
    pools_shortcut: bool = False
    linear: bool = False
    activation: str = "relu"
    skips_first: bool = False
    gate: Gate = Gate()
    pool: Pooling | None = None
    bias: bool = False
    norm: bool = True
    stride_in: bool = False
    adds_norm: bool = False

    @property
    def key(self) -> str:
        """What the id of a network says of it."""
        rows = [(name, value) for name, value in self._asdict().items() if value != getattr(_USUAL, name)]
        return ";".join(f"{name}={_text(value)}" for name, value in rows)


def _text(value: object) -> str:
    """A value in an id: of a gate what a network has of it, not how its width was written."""
    if isinstance(value, Gate):
        return f"{value.bias},{value.activation},{value.gate},{value.place}"
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


_PLAIN, _USUAL = Style(), Details()


class GateKeys(BaseModel):
    """Squeeze-and-excitation as an object in a spec."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    ratio: float = Field(gt=0, le=1, allow_inf_nan=False, description="squeeze-and-excitation ratio")
    of: Literal["inside", "input"] | None = Field(default=None, description="what the ratio is of")
    divisor: int | None = Field(default=None, ge=1, le=1024, description="what its width is a multiple of")
    bias: bool | None = Field(default=None, description="biases in place of batch normalisation")
    activation: Activation | None = Field(default=None, description="after its first convolution")
    gate: Literal["sigmoid", "hard_sigmoid"] | None = Field(default=None, description="after its second convolution")
    place: Literal["inner", "end"] | None = Field(default=None, description="after which convolution it is")

    def to_gate(self) -> Gate:
        """Its numbers."""
        given = self.model_dump(exclude_none=True, exclude={"ratio"})
        return Gate(**given)


class PoolKeys(BaseModel):
    """A pooling before a block, as an object in a spec."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    kind: Literal["max", "avg"] = Field(description="maximum or average")
    kernel: Annotated[int, Field(ge=1, le=31, description="side of its window")] = 3
    stride: Annotated[int, Field(ge=1, le=16, description="its stride")] = 2

    def to_pooling(self) -> Pooling:
        """Its numbers; odd windows reach over the border by half, even ones take sides that the stride divides."""
        return Pooling(self.kind, self.kernel, self.stride, self.kernel // 2 if self.kernel % 2 else 0)


def divisible(value: float, divisor: int) -> int:
    """The nearest multiple of a divisor, at least the divisor and nine tenths of the value (MobileNetV2's rule)."""
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor * (rounded < 0.9 * value)


def gate_keys(ratio: float, gate: Gate) -> float | dict[str, object]:
    """Squeeze-and-excitation as a spec writes it: a number where all else is the default."""
    usual = Gate()
    changed = {name: value for name, value in gate._asdict().items() if value != getattr(usual, name)}
    return {"ratio": ratio, **changed} if changed else ratio


def round_to_8(expansion: int, width: int) -> int:
    """`expansion * width` as the nearest multiple of 8, at least 8, as the published inverted residuals round it.

    Plain arithmetic, because the exact search has arrays for widths.
    """
    rounded = (expansion * width + 4) // 8 * 8
    return rounded + 8 * (rounded == 0)
