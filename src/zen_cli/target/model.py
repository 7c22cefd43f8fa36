"""A device as a file, `zen-target/1`: what fits into it, and a model of how long a network takes on it.

`zen profile` writes it with all that was measured. One written by hand needs no more than a name and what is known:
`memory` and `weights` in bytes, and for times `clock` in Hz with `macs_per_cycle`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import orjson
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, model_validator

from ..errors import SourceError, shorten
from .graph import KINDS
from .terms import Terms

SCHEMA: Literal["zen-target/1"] = "zen-target/1"
MOST = 2**63 - 1

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)]
Text = Annotated[str, Field(max_length=200)]
Bytes = Annotated[int, Field(ge=1, le=MOST)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


Law: TypeAlias = dict[str, NotNegative]
"""Milliseconds of one operation: the sum of its terms, each times its rate; the names are those of `Terms`."""


class Cold(_Part):
    """What weights cost that no cache keeps from run to run: those of a network of `least` weights are all kept, of
    one of `most` weights none are, and between the share grows evenly. `rate` is in milliseconds of a weight.
    """

    least: NotNegative
    most: Positive
    rate: NotNegative = 0.0

    def share(self, weights: float) -> float:
        """The share of the weights of a network of so many that is not kept."""
        return min(1.0, max(0.0, (weights - self.least) / (self.most - self.least)))

    @model_validator(mode="after")
    def _check(self) -> Cold:
        if self.least >= self.most:
            raise ValueError(f"cold: least {self.least:g} has to be below most {self.most:g}")
        return self


class LatencyModel(_Part):
    """Milliseconds of a network: `start`, its operations, each by the law of its kind, and its cold weights."""

    laws: dict[str, Law]
    start: NotNegative = 0.0
    cold: tuple[Cold, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> LatencyModel:
        for kind, law in self.laws.items():
            if kind not in KINDS:
                raise ValueError(f"laws: unknown kind {kind!r}; use {', '.join(KINDS)}")
            for name in law:
                if name not in Terms._fields:
                    raise ValueError(f"laws.{kind}: unknown term {name!r}; use {', '.join(Terms._fields)}")
        if not self.laws:
            raise ValueError("laws: there is none; give the law of one kind of operation at least")
        return self


class ErrorRow(_Part):
    """How far predictions were from measurements of `n` other networks, as shares; `spread` between measurements."""

    median: Share
    p90: Share
    rank_correlation: Annotated[float, Field(ge=-1, le=1, allow_inf_nan=False)]
    n: Annotated[int, Field(ge=1)]
    spread: Share


class Target(_Part):
    """A device; times are of one batch of `batch_size` images. `references` are milliseconds of published networks, by
    `name@resolution`: measured again later, they say how much slower the machine is than it was in its profile.
    """

    schema_: Literal["zen-target/1"] = Field(default=SCHEMA, alias="schema")
    name: Annotated[str, Field(min_length=1, max_length=200)]
    memory: Bytes | None = None
    weights: Bytes | None = None
    clock: Positive | None = None
    macs_per_cycle: Positive | None = None
    host: Text | None = None
    processor: Text | None = None
    versions: dict[str, Text] = {}
    backend: Text | None = None
    threads: Annotated[int, Field(ge=1, le=4096)] | None = None
    dtype: Literal["float32", "float16", "int8"] | None = None
    batch_size: Annotated[int, Field(ge=1, le=65_536)] = 1
    model: LatencyModel | None = None
    error: ErrorRow | None = None
    references: dict[Text, Positive] = {}
    ranges: dict[str, tuple[NotNegative, NotNegative]] = {}
    protocol: dict[str, int | float | str] = {}
    seed: int | None = None

    _blocks: dict[Any, Any] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _check(self) -> Target:
        if (self.macs_per_cycle is None) != (self.clock is None) and self.macs_per_cycle is not None:
            raise ValueError("clock: is missing beside macs_per_cycle; give the clock in Hz")
        if self.model is not None and self.error is None:
            raise ValueError("error: is missing beside model; give the error that the model was validated to have")
        return self

    @property
    def predicts(self) -> bool:
        """Whether it says how long a network takes."""
        return self.model is not None or self.macs_per_cycle is not None

    @property
    def margin(self) -> float:
        """The share by which nine in ten measurements are at most above predictions; 0 where that was not measured."""
        return 0.0 if self.error is None else self.error.p90

    def __str__(self) -> str:
        return self.name

    def to_bytes(self) -> bytes:
        """The file."""
        row = self.model_dump(by_alias=True, exclude_none=True)
        return orjson.dumps(row, option=orjson.OPT_INDENT_2) + b"\n"


def parse_target(data: bytes, where: str) -> Target:
    """A target from the bytes of a file.

    Raises:
        SourceError: it was cut off, or is no target; names the place and the fault.
    """
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise SourceError(f"{where}: is no JSON, {error}; it may be cut off, make it again") from None
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise SourceError(f'{where}: is no target; it needs "schema": "{SCHEMA}", as zen profile writes it')
    try:
        return Target.model_validate(document)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        if fault["type"] == "value_error":
            raise SourceError(f"{where}: {fault['ctx']['error']}") from None
        place = ".".join(str(step) for step in fault["loc"])
        what = shorten(repr(fault["input"]))
        raise SourceError(f"{where}: {place}: {what} cannot be, {fault['msg'].lower()}; see docs/devices.md") from None
