"""The architecture spec `zen-arch/1`: a frozen, closed, bounded model, and the identity of a network.

A spec is a list of blocks (`ops/`). `ArchSpec.units` is the network unit by unit with every number resolved: counting,
building, scoring and exporting start from there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, Union

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError, model_validator

from ..errors import PRINTABLE, SpecError
from .chain import chain_of
from .classifier import Classifier
from .counting import Cost, cost_of, fits
from .layers import Chain, Pair, Side, shrink, side_key, side_of, side_text, size_of
from .ops import MAX_WIDTH, OPS, Activation, Block, Gene, Unit, Width, block_units, repeated_units, walk
from .ops.details import PoolKeys
from .validation import MAX_ITEMS, excess_size, first_fault, kind, show

SCHEMA: Literal["zen-arch/1"] = "zen-arch/1"
MAX_UNITS = 10_000

MAX_SIDE = 16_384
_ImageSide: TypeAlias = Annotated[int, Field(ge=1, le=MAX_SIDE)]
Resolution: TypeAlias = Annotated[
    Annotated[_ImageSide, Tag("side")]
    | Annotated[tuple[_ImageSide, _ImageSide], Field(strict=False), AfterValidator(side_of), Tag("size")],
    Discriminator(lambda value: "size" if isinstance(value, (list, tuple)) else "side"),
]

if TYPE_CHECKING:
    AnyBlock: TypeAlias = Block
else:
    AnyBlock = Annotated[Union[tuple(OPS.values())], Field(discriminator="op")]  # noqa: UP007 - of a table


class ArchSpec(BaseModel):
    """A network: its blocks, the side of its input, and the classifier after global average pooling."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, populate_by_name=True, json_schema_extra={"title": SCHEMA}
    )

    schema_: Literal["zen-arch/1"] = Field(default=SCHEMA, alias="schema")
    name: str | None = Field(default=None, max_length=200, pattern=PRINTABLE)
    resolution: Resolution = Field(default=224, description="side of the input image, or [height, width]")
    in_channels: int = Field(default=3, ge=1, le=MAX_WIDTH, description="channels of the input image")
    num_classes: int = Field(
        default=1000, ge=0, le=10_000_000, description="outputs of the linear classifier; 0: pooled features"
    )
    activation: Activation | None = Field(default=None, description="of all blocks that say nothing (default relu)")
    bn_eps: float | None = Field(
        default=None, gt=0, le=1, allow_inf_nan=False, description="epsilon of batch normalisations (default 1e-5)"
    )
    padding: Literal["even", "same"] | None = Field(
        default=None, description="of convolutions with a stride: even (default), or same as in TensorFlow"
    )
    head: tuple[Width, ...] | None = Field(
        default=None, max_length=8, strict=False, description="widths of hidden layers before the classifier"
    )
    head_activation: Activation | None = Field(default=None, description="after these (default: that of the blocks)")
    head_bias: bool | None = Field(default=None, description="whether these have a bias (default true)")
    head_pool: PoolKeys | None = Field(default=None, description="a pooling after the last block")
    head_parts: int | None = Field(
        default=None,
        ge=1,
        le=64,
        description="the classifier reads means of so many parts a side (default 1)",
    )
    blocks: tuple[AnyBlock, ...] = Field(min_length=1, max_length=MAX_ITEMS, strict=False)

    @model_validator(mode="wrap")
    @classmethod
    def _check_once(cls, value: Any, validate: Callable[[Any], ArchSpec]) -> ArchSpec:
        if isinstance(value, ArchSpec):  # frozen, as part of a record
            return value
        spec = validate(value)
        spec._check()
        return spec

    def _check(self) -> None:
        """Raises ValueError, as `field: fault; fix`, where parts contradict each other."""
        side: Side = self.resolution
        for index, block in enumerate(self.blocks):
            if block.gene.stride > 1 and 1 in size_of(side):
                raise ValueError(
                    f"blocks[{index}].stride: {block.gene.stride} on a {side_text(side)} map shrinks it to nothing; "
                    f"use stride 1 here or a resolution above {side_key(self.resolution)}"
                )
            _check_pool(block.pool, side, f"blocks[{index}].pool")
            if self.padding == "same" and block.is_parallel:
                raise ValueError(
                    f"padding: with same, the branches of blocks[{index}] would read other positions; leave it out"
                )
            _check_groups(block.gene, self.blocks[index - 1].width if index else self.in_channels, f"blocks[{index}]")
            side = shrink(side, block.gene.stride)
        _check_pool(self.head_pool, side, "head_pool")
        if self.head and not self.num_classes:
            raise ValueError("head: hidden layers without a classifier; leave them out, or give num_classes")
        if (self.head_parts or 1) > 1 and not self.num_classes:
            raise ValueError("head_parts: has no effect without a classifier; leave it out, or give num_classes")
        for key in ("head_activation", "head_bias"):
            if getattr(self, key) is not None and not self.head:
                raise ValueError(f"{key}: has no effect without head; leave it out")
        units = sum(block.depth for block in self.blocks)
        if units > MAX_UNITS:
            raise ValueError(f"blocks: {units} units in all, more than {MAX_UNITS}; use fewer or shallower blocks")

    @cached_property
    def units(self) -> tuple[Unit, ...]:
        """The network unit by unit, from the image to the head."""
        blocks = walk(self.genes, self.in_channels, self.resolution)
        return tuple(unit for gene, in_width, _ in blocks for unit in block_units(gene, in_width))

    @cached_property
    def genes(self) -> tuple[Gene, ...]:
        """The blocks as bare tuples."""
        if self.activation in (None, "relu"):
            return tuple(block.gene for block in self.blocks)
        return tuple(block.gene_with(self.activation) for block in self.blocks)

    @property
    def image_size(self) -> Pair:
        """Height and width of the input image."""
        return size_of(self.resolution)

    @property
    def side(self) -> int:
        """Side of the input image, of a network for square images.

        Raises:
            SpecError: it takes images that are not square.
        """
        if isinstance(self.resolution, tuple):
            size = side_text(self.resolution)
            raise SpecError(f"resolution: a search takes square images, not {size}; give one side")
        return self.resolution

    @cached_property
    def classifier(self) -> Classifier:
        """What follows the last map."""
        return Classifier(
            self.num_classes,
            self.head or (),
            (self.head_activation or self.activation or "relu") if self.head else "relu",
            self.head_bias is not False,
            None if self.head_pool is None else self.head_pool.to_pooling(),
            self.head_parts or 1,
        )

    @cached_property
    def chain(self) -> Chain:
        """The layers that a score sees, from the image to the last feature map."""
        return chain_of(self.genes, self.in_channels, self.resolution)

    @cached_property
    def cost(self) -> Cost:
        """Exact parameters, MACs, activations, layers and sub-layers of the training form, for one image.

        Raises:
            SpecError: a number that does not fit into 64 bits, which readers of JSON could not hold.
        """
        total = cost_of(self.genes, self.in_channels, self.resolution, self.classifier)
        return fits(total, self.name or self.id)

    @property
    def spec(self) -> ArchSpec:
        """Itself: as a `Network`, the one that is written as blocks."""
        return self

    @property
    def module(self) -> None:
        """None: the module of a spec is what `build` makes."""

    @property
    def layer_names(self) -> tuple[str, ...]:
        """Empty: layers of blocks have no names of their own."""
        return ()

    @property
    def source(self) -> None:
        """None: a spec is all that there is to say about where it came from."""

    @cached_property
    def id(self) -> str:
        """16 hex digits that name the network: equal for equal networks, however they are written.

        SHA-256 of the resolved units, resolution, channels in and classes; the name, `bn_eps`, `padding`, the order of
        keys, defaults written out, `groups` or `group_width` for the same convolution, and an inverted residual written
        as a bottleneck with as many groups as channels make no difference.
        """
        rows = ";".join(map(_unit_key, self.units))
        text = f"{SCHEMA}|{side_key(self.resolution)}|{self.in_channels}|{self.num_classes}|{rows}{self.classifier.key}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def sublayers(self) -> int:
        """Sub-layers as published searches count them."""
        return sum(block.sublayers for block in self.blocks)

    def to_dict(self) -> dict[str, Any]:
        """The spec as JSON types, without what is unset."""
        return self.model_dump(by_alias=True, exclude_none=True)

    def replace(self, **changes: Any) -> ArchSpec:
        """The spec with some of its fields changed, checked again.

        Raises:
            SpecError: the changed spec contradicts itself.
        """
        return parse_spec({**self.to_dict(), **changes})


def _check_groups(gene: Gene, in_width: int, place: str) -> None:
    """Raises ValueError where groups do not divide the channels in and out of their convolutions."""
    for unit, _ in repeated_units(gene, in_width) if gene.group_width else ():
        for width in {width for layer in unit.kind.layers(unit, 1) if layer.groups > 1 for width in layer[:2]}:
            if width % unit.groups:
                count = f"{unit.groups} groups, which do not divide {width} channels"
                raise ValueError(f"{place}.group_width: makes {count}; use another")


def _check_pool(pool: PoolKeys | None, side: Side, place: str) -> None:
    """Raises ValueError where even windows, which have no padding, do not tile a map of this side."""
    if pool is None or pool.kernel % 2:
        return
    window = f"{place}: a window of {pool.kernel} with stride {pool.stride}"
    if pool.kernel > pool.stride:
        raise ValueError(f"{window} leaves a smaller map than one of that stride; use an odd kernel or a larger stride")
    if any(length % pool.stride for length in size_of(side)):
        raise ValueError(
            f"{window} leaves a rest on a map of {side_text(side)}; use an odd kernel or another resolution"
        )


@lru_cache(maxsize=65_536)
def _unit_key(unit: Unit) -> str:
    details = () if unit.details is None else (unit.details.key,)
    return ",".join([unit.kind.hashed_as, *(str(int(value)) for value in unit[1:9]), *details])


def parse_spec(data: object, where: str = "") -> ArchSpec:
    """An `ArchSpec` from JSON types.

    Args:
        data: what a JSON document holds.
        where: what the message starts with, such as a file and a line.

    Raises:
        SpecError: one line that names the place in the document, what is wrong with it, and what would be right.
    """
    prefix = f"{where}: " if where else ""
    if not isinstance(data, dict):
        raise SpecError(f"{prefix}an architecture is a JSON object with blocks, not {kind(data)}")
    version = data.get("schema", SCHEMA)
    if version != SCHEMA:
        raise SpecError(f'{prefix}schema: {show(version)} is not known; this version of zen reads "{SCHEMA}"')
    if fault := excess_size(data):
        raise SpecError(prefix + fault)
    try:
        return ArchSpec.model_validate(data)
    except ValidationError as error:
        raise SpecError(prefix + first_fault(error, OPS, ArchSpec)) from None


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a spec, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **ArchSpec.model_json_schema(by_alias=True)}
