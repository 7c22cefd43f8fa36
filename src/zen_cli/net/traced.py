"""A network that is not written as blocks: its chain of layers, its cost, and where it came from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..errors import PRINTABLE, SpecError
from .classifier import Classifier
from .counting import Cost, fits
from .layers import BN_EPS, Chain, ConvLayer, Pool
from .ops import Unit
from .validation import excess_size, first_fault

if TYPE_CHECKING:
    from torch import nn

MAX_LAYERS = 10_000
_Size = Annotated[int, Field(ge=1, le=1_000_000)]
_Margin = Annotated[int, Field(ge=0, le=1_000_000)]
_Count = Annotated[int, Field(ge=0, lt=2**63)]


class Outline(NamedTuple):
    """What a chain leaves out and a spec needs.

    units: the units of the network, without the blocks that they come in.
    classifier: what follows the last map; 0 classes where it has no linear layers.
    bn_eps: the epsilon of its batch normalisations.
    padding: of its convolutions with a stride, as in a spec.
    folded: whether the source has merged batch normalisations into convolutions, so that parameters are missing in it.
    fault: the first thing that units cannot express; the rest is empty then.
    """

    units: tuple[Unit, ...] = ()
    classifier: Classifier = Classifier(0)
    bn_eps: float = BN_EPS
    padding: str = "even"
    folded: bool = False
    fault: str = ""


@dataclass(frozen=True)
class TracedNetwork:
    """What was read from a module or from another program's file.

    Attributes:
        name: what people call it.
        source: where it came from, such as `timm:resnet50`.
        chain: the layers that a score sees.
        cost: counted on the module or the file.
        layer_names: what the source calls each layer of the chain; empty where that is not known.
        notes: what the chain leaves out, a line each.
        outline: what a spec needs beside the chain; None where that is not known.
        module: the module that it was traced from, if it is still there.
    """

    name: str | None
    source: str
    chain: Chain
    cost: Cost
    layer_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    outline: Outline | None = field(default=None, compare=False)
    module: nn.Module | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        fits(self.cost, self.name or self.source)

    @property
    def spec(self) -> None:
        """None: it is not written as blocks."""

    @cached_property
    def id(self) -> str:
        """16 hex digits: SHA-256 of the chain and the cost."""
        text = f"zen-chain/1|{tuple(self.cost)}|{';'.join(map(_layer_key, self.chain))}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _layer_key(layer: ConvLayer) -> str:
    pool = "" if layer.pool is None else repr(tuple(layer.pool))
    return repr((*layer[:8], pool, layer.activation))


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _PoolRow(_Closed):
    """A pooling as JSON."""

    kind: Annotated[str, Field(pattern="^(max|avg)$")]
    kernel: Annotated[tuple[_Size, _Size], Field(strict=False)]
    stride: Annotated[tuple[_Size, _Size], Field(strict=False)]
    padding: Annotated[tuple[_Margin, _Margin], Field(strict=False)]


class _LayerRow(_Closed):
    """A layer as JSON: what is as usual may be left out."""

    in_width: _Size
    out_width: _Size
    kernel: Annotated[tuple[_Size, _Size], Field(strict=False)]
    in_size: Annotated[tuple[_Size, _Size], Field(strict=False)]
    stride: Annotated[tuple[_Size, _Size], Field(strict=False)] = (1, 1)
    padding: Annotated[tuple[_Margin, _Margin], Field(strict=False)] = (0, 0)
    dilation: Annotated[tuple[_Size, _Size], Field(strict=False)] = (1, 1)
    groups: _Size = 1
    pool: _PoolRow | None = None
    activation: bool = True

    @model_validator(mode="after")
    def _check(self) -> _LayerRow:
        if self.in_width % self.groups or self.out_width % self.groups:
            raise ValueError(f"groups: {self.groups} does not divide the widths {self.in_width} and {self.out_width}")
        if min(self.layer().out_size) < 1:
            raise ValueError("kernel: is larger than the padded map; use a smaller one")
        if self.pool is not None and any(2 * self.pool.padding[axis] > self.pool.kernel[axis] for axis in (0, 1)):
            raise ValueError("pool: has a padding of more than half of its kernel; use a smaller one")
        return self

    def layer(self) -> ConvLayer:
        values = {name: getattr(self, name) for name in ConvLayer._fields if name != "pool"}
        return ConvLayer(**values, pool=None if self.pool is None else Pool(**dict(self.pool)))


class _Document(_Closed):
    """The parts of a record that a network is read from."""

    name: Annotated[str, Field(max_length=200, pattern=PRINTABLE)] | None = None
    source: Annotated[str, Field(max_length=1000, pattern=PRINTABLE)]
    chain: Annotated[tuple[_LayerRow, ...], Field(min_length=1, max_length=MAX_LAYERS, strict=False)]
    cost: dict[str, _Count]

    @model_validator(mode="after")
    def _check(self) -> _Document:
        if self.cost.keys() != set(Cost._fields):
            raise ValueError(f"cost: must hold {', '.join(Cost._fields)}")
        if not self.chain[-1].activation:
            raise ValueError("chain: ends with a layer without activation; a score needs one")
        return self


def parse_chain(data: Mapping[str, Any], where: str) -> TracedNetwork:
    """A network from the parts of a record that hold it: `name`, `source`, `chain`, `cost`.

    Raises:
        SpecError: one line that names the place, the fault and what would be right; starts with `where`.
    """
    parts = {key: data[key] for key in ("name", "source", "chain", "cost") if key in data}
    if isinstance(parts.get("cost"), dict):  # a record may hold other costs beside
        parts["cost"] = {key: value for key, value in parts["cost"].items() if key in Cost._fields}
    if fault := _excess(parts):
        raise SpecError(f"{where}: {fault}")
    try:
        row = _Document.model_validate(parts)
    except ValidationError as error:
        raise SpecError(f"{where}: {first_fault(error, {}, _Document)}") from None
    chain = tuple(layer.layer() for layer in row.chain)
    return TracedNetwork(row.name, row.source, chain, Cost(**row.cost))


def _excess(parts: dict[str, Any]) -> str:
    """As `excess_size`, of which a chain may hold more items than a list of blocks."""
    rows = parts["chain"] if isinstance(parts["chain"], list) else []
    if len(rows) > MAX_LAYERS:
        return f"chain: holds {len(rows)} layers; use at most {MAX_LAYERS}"
    faults = (excess_size(row) for row in rows if isinstance(row, dict))
    return excess_size({**parts, "chain": []}) or next(filter(None, faults), "")


def chain_rows(chain: Chain) -> list[dict[str, Any]]:
    """A chain as JSON types, without what is as usual: `parse_chain` reads it."""
    defaults = ConvLayer._field_defaults
    rows = []
    for layer in chain:
        row = {key: value for key, value in layer._asdict().items() if key not in defaults or value != defaults[key]}
        if layer.pool is not None:
            row["pool"] = layer.pool._asdict()
        rows.append(row)
    return rows
