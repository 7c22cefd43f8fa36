"""The rows that flow between commands: frozen, closed models, and their bytes."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, TypeAlias, get_args

import orjson
from pydantic import BaseModel, ConfigDict, Field

from ..errors import UsageError, nearest
from ..net.counting import Cost
from ..net.spec import ArchSpec

SCHEMA: Literal["zen-score/1"] = "zen-score/1"

Estimator: TypeAlias = Literal["monte-carlo", "mean-field"]
Convention: TypeAlias = Literal["paper", "zennas"]
Norm: TypeAlias = Literal["frobenius", "l1"]
PrecisionMode: TypeAlias = Literal["auto", "float64", "float32", "tf32", "float16", "bfloat16"]

DEFAULT_NORM: dict[Convention, Norm] = {"paper": "frobenius", "zennas": "l1"}
DEFAULT_DRAWS = 4
DOUBLE_BELOW_ALPHA = 1e-3
MIN_ALPHA: dict[PrecisionMode, float] = {"float32": 1e-5, "tf32": 5e-3, "float16": 5e-3, "bfloat16": 5e-2}

Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class ScoreSettings(_Row):
    """What defines a Zen-score besides the architecture; `check` turns wishes into one of these."""

    estimator: Estimator = "monte-carlo"
    convention: Convention = "paper"
    norm: Norm = "frobenius"
    alpha: Annotated[float, Field(gt=0, le=1e3, allow_inf_nan=False)] = 0.01
    batch_size: Annotated[int, Field(ge=1, le=65_536)] = 16
    draws: Annotated[int, Field(ge=1, le=1_000_000)] = DEFAULT_DRAWS
    precision: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    precision_mode: PrecisionMode = "auto"
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    device: str = "auto"


def check_settings(
    *,
    estimator: str = "monte-carlo",
    convention: str = "paper",
    norm: str | None = None,
    alpha: float = 0.01,
    batch_size: int = 16,
    draws: int | None = None,
    precision: float | None = None,
    precision_mode: str = "auto",
    seed: int = 0,
    device: str = "auto",
) -> ScoreSettings:
    """Settings from what a user wrote; the norm follows the convention where it is not given.

    Raises:
        UsageError: a value that cannot be, or `draws` together with `precision`.
    """
    _among("--estimator", estimator, ("monte-carlo", "mean-field"))
    _among("--convention", convention, tuple(DEFAULT_NORM))
    chosen = norm if norm is not None else DEFAULT_NORM[convention]  # type: ignore[index]  # checked above
    _among("--norm", chosen, ("frobenius", "l1"))
    if not re.fullmatch(r"auto|cpu|cuda(:\d{1,3})?", device):
        raise UsageError(f"--device: unknown {device!r}; use auto, cpu, cuda or cuda:0")
    if draws is not None and precision is not None:
        raise UsageError("--draws: given together with --precision; keep one of the two")
    _among("--precision-mode", precision_mode, get_args(PrecisionMode))
    for name, value, low, high in (
        ("--batch-size", batch_size, 1, 65_536),
        ("--draws", DEFAULT_DRAWS if draws is None else draws, 1, 1_000_000),
        ("--seed", seed, 0, 2**63 - 1),
        ("--alpha", alpha, 1e-12, 1000),
        ("--precision", 1 if precision is None else precision, 1e-6, 1_000_000),
    ):
        if not low <= value <= high:
            raise UsageError(f"{name}: {value} is out of range; use {low} to {high}")
    least = MIN_ALPHA.get(precision_mode, 0.0)  # type: ignore[call-overload]  # checked above
    if alpha < least:
        raise UsageError(
            f"--precision-mode: {precision_mode} rounds away a perturbation of {alpha:g}; "
            f"use --alpha {least:g} or more, or --precision-mode auto"
        )
    return ScoreSettings.model_validate(
        {
            "estimator": estimator,
            "convention": convention,
            "norm": chosen,
            "alpha": alpha,
            "batch_size": batch_size,
            "draws": draws or DEFAULT_DRAWS,
            "precision": precision,
            "precision_mode": precision_mode,
            "seed": seed,
            "device": device,
        }
    )


class Zen(_Row):
    """A Zen-score in nats and all that defines it.

    `std_error` is the standard error of the mean over draws: null for a single draw, and for the closed form, whose
    `batch_size`, `draws`, `seed`, `device` and `precision_mode` are null as well because nothing is drawn.
    """

    value: Finite
    std_error: Finite | None
    estimator: Estimator
    convention: Convention
    norm: Norm
    alpha: Finite
    batch_size: int | None = None
    draws: int | None = None
    seed: int | None = None
    device: str | None = None
    precision_mode: PrecisionMode | None = None


class ProxyRow(_Row):
    """Another zero-shot score: its value, its standard error (null where there is none), and which way is better.

    Beside these stand the settings that define it, as flat values.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, str | int | Finite | bool | None]

    value: Finite
    std_error: Finite | None
    direction: Literal["higher", "lower"]


class CostRow(_Row):
    """Exact cost of the training form for one image."""

    params: int
    macs: int
    activations: int
    layers: int
    sublayers: int

    @classmethod
    def of(cls, cost: Cost) -> CostRow:
        """The row of a cost."""
        return cls(**cost._asdict())


class LayerRow(_Row):
    """One layer of a breakdown; `decorrelation` is 1 - c of the two halves behind it, in 0 to 1."""

    layer: int
    kernel: int
    stride: int
    groups: int
    in_width: int
    out_width: int
    out_side: int
    log_sigma: Finite
    total: Finite
    decorrelation: Finite


class Breakdown(_Row):
    """The score layer by layer: running totals of log sigma, then log Delta on top, by the closed form.

    `saturation_layer` is the first layer behind which the halves have lost half of their correlation.
    """

    log_delta: Finite
    saturation_layer: int | None
    layers: tuple[LayerRow, ...]


class SearchRow(_Row):
    """How a search found an architecture; everything in it follows from the settings, so the same seed gives the same.

    `score` is what the search maximised, by `proxy` or else the Zen-score of `estimator`; `bound` is what no network of
    the space exceeds under the budgets, and `gap` how far above `score` it is, as a share of `score`.
    """

    space: str
    algorithm: str
    estimator: str
    proxy: str | None
    budgets: dict[str, int | float]
    seed: int
    evaluations: int
    stopped: str
    score: Finite
    bound: Finite | None = None
    gap: Finite | None = None


class ScoreRecord(_Row):
    """One scored architecture."""

    schema_: Literal["zen-score/1"] = Field(default=SCHEMA, alias="schema")
    id: str
    name: str | None
    zen: Zen
    proxies: dict[str, ProxyRow] | None = None
    cost: CostRow
    breakdown: Breakdown | None = None
    arch: ArchSpec
    search: SearchRow | None = None


_OPTIONAL = ("proxies", "breakdown", "search")


def to_dict(record: ScoreRecord) -> dict[str, Any]:
    """A record as JSON types; parts that were not asked for are left out."""
    row = record.model_dump(by_alias=True, exclude={"arch"})
    for key in _OPTIONAL:
        if row[key] is None:
            del row[key]
    row["arch"] = record.arch.to_dict()
    search = row.pop("search", None)
    if search is not None:
        row["search"] = {key: value for key, value in search.items() if value is not None}
    return row


def to_bytes(record: ScoreRecord, *, indent: bool = False) -> bytes:
    """A record as JSON, one line unless indented; numbers are finite, or the record would not exist."""
    return orjson.dumps(to_dict(record), option=orjson.OPT_INDENT_2 if indent else 0)


def _among(option: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UsageError(f"{option}: unknown {value!r}; {nearest(value, known)}")
