"""What defines a score besides the network: the one home of the words, the bounds and the defaults of its settings."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..devices import DEVICE_EXAMPLES, DEVICE_PATTERN
from ..errors import UsageError
from ..target.model import Target
from .fields import usage_error

Estimator: TypeAlias = Literal["monte-carlo", "mean-field"]
Convention: TypeAlias = Literal["paper", "zennas"]
Norm: TypeAlias = Literal["frobenius", "l1"]
Dtype: TypeAlias = Literal["float32", "float16", "int8"]
PrecisionMode: TypeAlias = Literal["auto", "float64", "float32", "tf32", "float16", "bfloat16"]

DEPLOYMENT = ("dtype", "target")  # what says on what a network runs, and not how it is scored
DEFAULT_NORM: dict[str, Norm] = {"paper": "frobenius", "zennas": "l1"}
DEFAULT_DRAWS = 4
DOUBLE_BELOW_ALPHA = 1e-3
MIN_ALPHA: dict[PrecisionMode, float] = {"float32": 1e-5, "tf32": 5e-3, "float16": 5e-3, "bfloat16": 5e-2}


class ScoreSettings(BaseModel):
    """What defines a metric's value besides the network. Each metric uses some of these, see `Metric.uses`.

    Where there is a `precision`, it decides how many draws are made, and `draws` is for metrics that know no precision.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    estimator: Estimator = Field(
        default="monte-carlo",
        description="Random networks with an error bar, or the closed form, which needs milliseconds and no torch.",
    )
    convention: Convention = Field(
        default="paper", description="The definition of the paper, or what its published code computes."
    )
    norm: Norm = Field(
        default="frobenius", description="Norm of the difference (default: frobenius for paper, l1 for zennas)."
    )
    alpha: float = Field(default=0.01, ge=1e-12, le=1e3, allow_inf_nan=False, description="Size of the perturbation.")
    batch_size: int = Field(default=16, ge=1, le=65_536, description="Images in a draw.")
    draws: int = Field(default=DEFAULT_DRAWS, ge=1, le=1_000_000, description="Independent draws to average.")
    precision: float | None = Field(
        default=None,
        ge=1e-6,
        le=1e6,
        allow_inf_nan=False,
        description="Draw until the standard error is this small, in nats.",
    )
    precision_mode: PrecisionMode = Field(
        default="auto",
        description="What a draw is computed in (auto: float32, or float64 for a tiny alpha); a GPU has the others.",
    )
    seed: int = Field(default=0, ge=0, le=2**63 - 1, description="Seed of all random numbers.")
    device: str = Field(
        default="auto",
        pattern=DEVICE_PATTERN,
        examples=[DEVICE_EXAMPLES],
        description="Where to compute; cuda: all GPUs.",
    )
    dtype: Dtype = Field(default="float32", description="What weights and activations are on the device.")
    target: Target | None = Field(default=None, description="The device that a network is for.")

    @model_validator(mode="before")
    @classmethod
    def _follow_convention(cls, data: Any) -> Any:
        """The norm is that of the convention, and the dtype that of the target, where they are not given."""
        if isinstance(data, dict) and data.get("norm") is None:
            data = {**data, "norm": DEFAULT_NORM.get(str(data.get("convention", "paper")), "frobenius")}
        target = data.get("target") if isinstance(data, dict) else None
        if isinstance(target, Target) and target.dtype is not None and data.get("dtype") is None:
            data = {**data, "dtype": target.dtype}
        return data

    @model_validator(mode="after")
    def _check_rounding(self) -> ScoreSettings:
        least = MIN_ALPHA.get(self.precision_mode, 0.0)
        if self.alpha < least:
            raise ValueError(
                f"precision_mode: {self.precision_mode} rounds away a perturbation of {self.alpha:g}; "
                f"use an alpha of {least:g} or more, or auto"
            )
        return self

    @model_validator(mode="after")
    def _check_target(self) -> ScoreSettings:
        target = self.target
        if target is not None and target.dtype not in (None, self.dtype):
            raise ValueError(
                f"dtype: {self.dtype} is asked for and {target.name} is of {target.dtype}; use one of the two"
            )
        return self


def resolved_mode(settings: ScoreSettings) -> PrecisionMode:
    """The mode that `auto` stands for: float32, but float64 where alpha is so small that float32 would be noise."""
    if settings.precision_mode != "auto":
        return settings.precision_mode
    return "float64" if settings.alpha < DOUBLE_BELOW_ALPHA else "float32"


def check_settings(**values: Any) -> ScoreSettings:
    """Settings from what a user wrote; what is None is left at its default.

    Args:
        values: fields of `ScoreSettings`.

    Raises:
        UsageError: a value that cannot be, an unknown name, or `draws` together with `precision`; `field: fault; fix`.
    """
    given = {name: value for name, value in values.items() if value is not None}
    if "draws" in given and "precision" in given:
        raise UsageError("draws: given together with precision; keep one of the two")
    try:
        return ScoreSettings.model_validate(given)
    except ValidationError as error:
        raise usage_error(error, ScoreSettings) from None
