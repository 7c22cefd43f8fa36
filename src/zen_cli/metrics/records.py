"""The rows that flow between commands: frozen, closed models, and their bytes."""

from __future__ import annotations

from html import escape
from typing import Annotated, Any, Literal, NamedTuple

import orjson
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..errors import SpecError
from ..net.counting import Cost
from ..net.layers import Chain, Pair
from ..net.network import Network
from ..net.notation import notation
from ..net.spec import ArchSpec
from ..net.traced import chain_rows
from ..target.memory import footprint
from .columns import FlatRow, Scalar, columns_of
from .settings import Convention, Dtype, Estimator, Norm, PrecisionMode

SCHEMA: Literal["zen-score/1"] = "zen-score/1"

Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


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


class MetricRow(_Row):
    """A metric beside the Zen-score: its value, its standard error (null where there is none), and which way is better.

    The settings that define it follow as flat values.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, str | int | Finite | bool | None]

    value: Finite
    std_error: Finite | None
    direction: Literal["higher", "lower"]


class CostRow(_Row):
    """Exact cost of the training form for one image, and of the inference form in bytes.

    `weights` and `memory` (the peak of live activations) are those of `dtype`; null where a network is not written as
    blocks. See `target.memory`.
    """

    params: int
    macs: int
    activations: int
    layers: int
    sublayers: int
    weights: int | None = None
    memory: int | None = None
    dtype: Dtype | None = None

    @classmethod
    def of(cls, network: Network, cost: Cost, dtype: Dtype) -> CostRow:
        """The row of a network with this cost."""
        spec = network.spec
        if spec is None:
            return cls(**cost._asdict())
        found = footprint(spec.genes, spec.in_channels, spec.resolution, spec.classifier).bytes(dtype)
        if max(found) >= 2**63:
            raise SpecError(f"{network.name or network.id}: needs {max(found):.1e} bytes; use smaller widths")
        return cls(**cost._asdict(), weights=found.weights, memory=found.peak, dtype=dtype)


class LayerRow(_Row):
    """One layer of a breakdown; `decorrelation` is 1 - c of the clean and the perturbed copy after it, in 0 to 1.

    `module` is what the source of a network that is not written as blocks calls it. A kernel, stride or side is a pair,
    of height and width, where these differ.
    """

    layer: int
    module: str | None = None
    kernel: int | Pair
    stride: int | Pair
    groups: int
    in_width: int
    out_width: int
    out_side: int | Pair
    log_sigma: Finite
    total: Finite
    decorrelation: Finite


class Breakdown(_Row):
    """The score layer by layer: running totals of log sigma, then log Delta on top, by the closed form.

    `saturation_layer` is the first layer after which the copies have lost half of their correlation.
    """

    log_delta: Finite
    saturation_layer: int | None
    layers: tuple[LayerRow, ...]


class EvennessRow(_Row):
    """Where a network is in the band of evenness of its search; see `evenness.Evenness` for the numbers.

    `best` is E*, the largest evenness under the same limits: `best_is` `found` by searches, or `proven`.
    """

    value: Finite
    best: Finite
    best_is: Literal["found", "proven"]
    width: Finite
    units: int
    residual_units: int
    best_units: Finite
    most_units: Finite
    shares: dict[str, Finite]
    effective_side: Finite
    map_ratio: Finite


class RaceRow(_Row):
    """How sure it is that the first verified network is the best of the verified ones; see `nas.race`.

    `ending` is `certain` (the best, at 95%), `tolerance` (within the tolerance of the best, at 95%), or what ended
    the race before: `draws`, `time` or `interrupted`. `below` is how far the best may be above the first at 95%, in
    nats, `rivals` how many networks may still be better, `draws` how many were made of all of them.
    """

    ending: Literal["certain", "tolerance", "draws", "time", "interrupted"]
    tolerance: Finite
    below: Finite
    rivals: int
    draws: int


class MeasuredTime(NamedTuple):
    """Milliseconds on a device, the spread between rounds as a share, and how many times longer a network like this
    takes than it would have taken in the profile of the device, by references; None where that is not known.
    """

    ms: float
    spread: float
    drift: float | None = None


class LatencyRow(_Row):
    """What a network takes on the target of a search, in milliseconds a batch; `margin` is the share by which the limit
    was lowered. Measured times are there where the target is the machine of the search; `spread` is between rounds, and
    `drift` how many times longer than in the profile a network like this takes at that time, by known networks that
    were measured in both.
    """

    target: str
    predicted_ms: Finite
    margin: Finite
    measured_ms: Finite | None = None
    spread: Finite | None = None
    drift: Finite | None = None


class SearchRow(_Row):
    """How a search found an architecture; everything in it follows from the settings, so the same seed gives the same.

    `score` is what the search maximised, by `proxy` or else the Zen-score of `estimator`; `bound` is what no network of
    the space exceeds within the limits, and `gap` how far above `score` it is, as a share of `score`. In a front over
    the costs `front`, the limits and the bound are those of the network itself. The network that a search began from,
    and did not find, has the `role` `original`.
    """

    space: str
    algorithm: str
    estimator: str
    proxy: str | None = None
    front: tuple[str, ...] | None = None
    limits: dict[str, int | float]
    budget: dict[str, int | float]
    seed: int
    evaluations: int
    stopped: str
    score: Finite
    bound: Finite | None = None
    gap: Finite | None = None
    evenness: EvennessRow | None = None
    race: RaceRow | None = None
    role: Literal["original"] | None = None
    latency: LatencyRow | None = None


class ScoreRecord(FlatRow, _Row):  # type: ignore[misc]  # pydantic iterates over pairs of fields
    """One scored network. One that is not written as blocks has its `chain` and its `source` in place of `arch`."""

    schema_: Literal["zen-score/1"] = Field(default=SCHEMA, alias="schema")
    id: str
    name: str | None
    zen: Zen
    proxies: dict[str, MetricRow] | None = None
    cost: CostRow
    breakdown: Breakdown | None = None
    arch: ArchSpec | None = None
    source: str | None = None
    chain: Chain | None = None
    search: SearchRow | None = None

    @model_validator(mode="after")
    def _check_network(self) -> ScoreRecord:
        if (self.arch is None) == (self.chain is None):
            raise ValueError("arch: give either arch or chain, and not both")
        return self

    @classmethod
    def of(cls, network: Network, **parts: Any) -> ScoreRecord:
        """The record of a network with these parts."""
        spec = network.spec
        return cls(
            id=network.id,
            name=network.name,
            arch=spec,
            source=network.source,
            chain=network.chain if spec is None else None,
            **parts,
        )

    @property
    def structure(self) -> str:
        """The network on one line, see `notation`; empty where it is not written as blocks."""
        return "" if self.arch is None else notation(self.arch)

    def row(self) -> dict[str, Scalar]:
        """The record as one flat row: the columns of CSV, those of its proxies and of its search included."""
        proxies = [(name, row.direction) for name, row in (self.proxies or {}).items()]
        columns = columns_of(proxies, search=self.search is not None)
        return {name: column.of(self) for name, column in columns.items()}

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON types; parts that are not there are left out."""
        row = self.model_dump(by_alias=True, exclude={"arch", "chain"})
        for key in _OPTIONAL:
            if row[key] is None:
                del row[key]
        if self.arch is not None:
            row["arch"] = self.arch.to_dict()
        if self.chain is not None:
            row["chain"] = chain_rows(self.chain)
        for layer in (row.get("breakdown") or {}).get("layers", ()):
            if layer["module"] is None:
                del layer["module"]
        search = row.pop("search", None)
        if search is not None:
            row["search"] = {key: value for key, value in search.items() if value is not None}
        return row

    def to_bytes(self, *, indent: bool = False) -> bytes:
        """The record as JSON, one line unless indented; numbers are finite, or the record would not exist."""
        return orjson.dumps(self.to_dict(), option=orjson.OPT_INDENT_2 if indent else 0)

    def __repr__(self) -> str:
        error = "" if self.zen.std_error is None else f" ± {self.zen.std_error:.2f}"
        name = self.name or self.id
        cost = f"{self.cost.params:,} params, {self.cost.macs:,} MACs"
        return f"<ScoreRecord {name}: {self.zen.value:.2f}{error} nats, {cost}>"

    def __str__(self) -> str:
        return repr(self)

    def _repr_html_(self) -> str:
        """A table for notebooks; names in it are text."""
        rows = ((escape(str(key)), escape(str(value))) for key, value in self.row().items() if value is not None)
        body = "".join(f"<tr><th>{key}</th><td>{value}</td></tr>" for key, value in rows)
        return f"<table>{body}</table>"


_OPTIONAL = ("proxies", "breakdown", "search", "source")
