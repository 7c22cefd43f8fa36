"""What an op is: one class that knows all about one kind of block.

An op is a model (the keys of a block in a spec) and, as class attributes and class methods, what the
rest of the program needs to know of its units: widths, convolutions, module, drawing, structure string, mutation rules.
`@register` adds it to the table `OPS`; an op that is not in the table is an error everywhere.

Three forms of one thing: a `Block` is validated and written in a spec; its `Gene` is the same as a bare tuple, which
counting, scores and searches use; a `Unit` is one of its units with every number resolved.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from ..layers import Chain, Side, shrink, square_pool
from .bounds import SearchBounds, Span
from .details import Activation, Details, Gate, GateKeys, PoolKeys, Style, gate_keys

if TYPE_CHECKING:
    from torch import nn

MAX_WIDTH = 65_536
SqueezeAndExcitation: TypeAlias = Annotated[
    Annotated[float, Field(gt=0, le=1, allow_inf_nan=False), Tag("number")] | Annotated[GateKeys, Tag("object")],
    Discriminator(lambda value: "object" if isinstance(value, (dict, GateKeys)) else "number"),
]
Width: TypeAlias = Annotated[int, Field(ge=1, le=MAX_WIDTH)]

OPS: dict[str, type[Block]] = {}


class Unit(NamedTuple):
    """One unit of a network with every number resolved.

    `mid_width` is the width of the k x k convolution inside (the unit's own width for `conv`), `squeeze` the width of
    the squeeze-and-excitation bottleneck (0: none), `projection` whether the shortcut is a 1x1 convolution.
    """

    op: str
    kernel: int
    stride: int
    in_width: int
    mid_width: int
    width: int
    groups: int
    squeeze: int
    projection: bool
    details: Details | None = None

    @property
    def has_shortcut(self) -> bool:
        """Whether it has a shortcut around its convolutions."""
        return self.has_branches and (self.details is None or self.details.has_shortcut)

    @property
    def has_branches(self) -> bool:
        """Whether its module names its convolutions, as something may be beside them."""
        return self.kind.is_residual or self.kind.is_parallel

    @property
    def adds_norm(self) -> bool:
        """Whether its input is added after a BN of its own."""
        return self.details is not None and self.details.adds_norm

    @property
    def gate(self) -> Gate:
        """How its squeeze-and-excitation is, if it has it."""
        return Gate() if self.details is None else self.details.gate

    def squeezed_width(self) -> int:
        """The width that its squeeze-and-excitation scales."""
        skips = self.details is not None and self.details.skips_first
        inside = self.kind.inside_width(self.mid_width, self.width, skips_first=skips)
        return self.width if self.gate.place == "end" or not self.kind.is_residual else inside

    def squeezed_layer(self, count: int) -> int:
        """The index of the convolution, of `count`, that its squeeze-and-excitation follows."""
        if self.details is None:
            return self.kind.squeeze_after
        inner = self.kind.squeeze_after - self.details.skips_first
        return count - 1 if self.gate.place == "end" else min(count - 1, inner)

    def enter(self, side: Side) -> tuple[Side, int]:
        """The side that its convolutions read of a map of `side`, and their stride: both after the pooling if any."""
        pool = None if self.details is None else self.details.pool
        return (side, self.stride) if pool is None else (shrink(side, pool.stride), self.stride // pool.stride)

    @property
    def kind(self) -> type[Block]:
        """Its op."""
        return OPS[self.op]

    def layers(self, side: Side) -> Chain:
        """Its convolutions in order on a map of this side, without shortcut and squeeze-and-excitation."""
        if self.details is None or self.details.pool is None:
            return OPS[self.op].layers(self, side)
        pool = self.details.pool
        inside, stride = self.enter(side)
        unit = self._replace(stride=stride, details=self.details._replace(pool=None))
        first, *rest = OPS[self.op].layers(unit, inside)
        return (first._replace(pool=square_pool(*pool)), *rest)


class Gene(NamedTuple):
    """A block as a bare tuple: hashable and quick to make. Zeros where an op has no such number.

    mid: `mid_width` of basic and bottleneck units; of inverted residuals the width of the 1st, 3rd, ... unit.
    expansion, inside: of inverted residuals, the width inside over the unit's width, or the width inside itself.
    group_width: channels per group of a bottleneck; 0 for one group.
    """

    op: str
    kernel: int
    width: int
    stride: int
    depth: int
    mid: int = 0
    expansion: int = 0
    group_width: int = 0
    se: float | None = None
    inside: int = 0
    style: Style | None = None

    @property
    def kind(self) -> type[Block]:
        """Its op."""
        return OPS[self.op]

    @classmethod
    def of_row(cls, row: Sequence[Any]) -> Gene:
        """A gene from the JSON array that it is written as."""
        gene = cls(*row)
        return gene if gene.style is None else gene._replace(style=Style.of_row(gene.style))

    @property
    def sublayers(self) -> int:
        """Sub-layers as published searches count them."""
        return -(-self.depth // OPS[self.op].units_per_sublayer)

    def widths(self, index: int) -> tuple[int, int, int]:
        """(mid_width, width, groups) of unit `index`."""
        return OPS[self.op].unit_widths(self, index)

    def resized(self, width: int, mid: int) -> Gene:
        """The gene with these widths; searches call this often, and `_replace` takes twice as long."""
        op, kernel, _, stride, depth, _, expansion, group_width, se, inside, style = self
        return Gene(op, kernel, width, stride, depth, mid, expansion, group_width, se, inside, style)

    def with_sublayers(self, sublayers: int) -> Gene:
        """The gene with another depth."""
        return self._replace(depth=sublayers * OPS[self.op].units_per_sublayer)

    def to_block(self) -> dict[str, Any]:
        """The block of a spec, as JSON types."""
        row: dict[str, Any] = {"op": self.op, "kernel": self.kernel, "width": self.width, "stride": self.stride}
        row |= {"depth": self.depth, **OPS[self.op].own_keys(self)}
        style = self.style
        if style is not None:
            row |= OPS[self.op].style_keys(style)
            if style.pool is not None:
                row["stride"] //= style.pool.stride
        if self.se is None:
            return row
        return {**row, "se": self.se if style is None else gate_keys(self.se, style.gate)}


class Block(BaseModel):
    """What every block has: `depth` units of `kernel` x `kernel`; the first unit has the stride.

    Class attributes of an op:
        letter: in the short notation.
        title: in legends.
        color: of bars in drawings.
        chart_style: in flow charts.
        units_per_sublayer: units that published searches count as one sub-layer.
        is_residual: whether a unit has a shortcut around its convolutions.
        is_parallel: whether a 1x1 convolution and, where nothing changes, a BN are beside the convolution of a unit.
        hashed_as: the op whose name is used in ids; another one where the units are a special case of its units.
        squeeze_after: the index of the convolution after which squeeze-and-excitation is placed.
        is_searchable: whether a space may contain it between stem and head.
        has_mid: whether its genes have a `mid`.
        has_pairs: whether `mid` of its genes is a unit's width, so that units alternate between two widths.
        is_monotone: whether no gain and no cost of a unit falls where a width grows, and the widths of units repeat
            after `units_per_sublayer` of them: what the exact search needs to know. It refuses other ops.
        groups_input: whether its groups divide the channels that it reads as well, so that no width may change alone.
        is_depthwise: whether its k x k convolutions have one channel a group.
        ratio_rule: the design rule that limits `mid` of its genes, `inside_over_width` or `width_over_inside`, if any.
        structure: matches its name in a published structure string; None if it has none.
        structure_example: such a name.
        structure_numbers: what the numbers after in, out and stride are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    letter: ClassVar[str]
    title: ClassVar[str]
    color: ClassVar[str]
    chart_style: ClassVar[str]
    units_per_sublayer: ClassVar[int] = 1
    is_residual: ClassVar[bool] = True
    is_parallel: ClassVar[bool] = False
    hashed_as: ClassVar[str]
    squeeze_after: ClassVar[int] = 0
    is_searchable: ClassVar[bool] = True
    has_mid: ClassVar[bool] = True
    has_pairs: ClassVar[bool] = False
    is_monotone: ClassVar[bool] = False
    groups_input: ClassVar[bool] = False
    is_depthwise: ClassVar[bool] = False
    ratio_rule: ClassVar[str] = ""
    structure: ClassVar[re.Pattern[str] | None] = None
    structure_example: ClassVar[str] = ""
    structure_numbers: ClassVar[tuple[str, ...]] = ("mid", "depth")

    op: str
    kernel: int = Field(default=3, ge=1, le=31, description="side of the convolution kernel, odd")
    width: Width = Field(description="channels out")
    stride: int = Field(default=1, ge=1, le=16, description="stride of the first unit")
    depth: int = Field(default=1, ge=1, le=1000, description="number of units")
    se: SqueezeAndExcitation | None = Field(
        default=None, description="squeeze-and-excitation ratio, 0.25 as published, or an object that says more"
    )
    activation: Activation | None = Field(default=None, description="after convolutions (default: that of the spec)")
    linear: bool | None = Field(default=None, description="nothing follows the last BN of a unit, or the addition")
    pool: PoolKeys | None = Field(default=None, description="a pooling before the block")

    @model_validator(mode="after")
    def _check(self) -> Block:
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel: {self.kernel} is even; use an odd kernel such as 3, 5 or 7")
        self.check()
        return self

    def check(self) -> None:
        """Raises ValueError, as `field: fault; fix`, where fields contradict each other."""

    @cached_property
    def gene(self) -> Gene:
        """The block as a bare tuple."""
        return self.gene_with(None)

    def gene_with(self, activation: str | None) -> Gene:
        """The block as a bare tuple, where a spec has this activation by default."""
        ratio = self.se.ratio if isinstance(self.se, GateKeys) else self.se
        style = self.style(activation or "relu").or_none
        stride = self.stride * (1 if self.pool is None else self.pool.stride)
        return Gene(self.op, self.kernel, self.width, stride, self.depth, se=ratio, style=style, **self.own_fields())

    def style(self, activation: str) -> Style:
        """What it says of its units, where a spec has this activation by default."""
        return Style(
            linear=bool(self.linear),
            activation=self.activation or activation,
            gate=self.se.to_gate() if isinstance(self.se, GateKeys) else Gate(),
            pool=None if self.pool is None else self.pool.to_pooling(),
        )

    @classmethod
    def style_keys(cls, style: Style) -> dict[str, Any]:
        """The keys of the block for a style, without squeeze-and-excitation; those of default values are left out."""
        row: dict[str, Any] = {"linear": True} if style.linear else {}
        if style.activation != "relu":
            row["activation"] = style.activation
        if style.pool is not None:
            row["pool"] = style.pool.keys
        return row

    @classmethod
    def resolve(cls, gene: Gene, index: int, in_width: int) -> tuple[int, int, int]:
        """(mid_width, width, groups) of unit `index`, which reads `in_width` channels."""
        return cls.unit_widths(gene, index)

    @classmethod
    def skips_first(cls, style: Style, in_width: int, mid_width: int) -> bool:
        """Whether a unit has no first 1x1 convolution."""
        return False

    @classmethod
    def inside_width(cls, mid_width: int, width: int, *, skips_first: bool) -> int:
        """The channels of a unit where an inner squeeze-and-excitation scales them."""
        return mid_width

    @property
    def sublayers(self) -> int:
        """Sub-layers as published searches count them: one per convolution, basic unit, or pair of other units."""
        return self.gene.sublayers

    def widths(self, index: int) -> tuple[int, int, int]:
        """(mid_width, width, groups) of unit `index`."""
        return self.gene.widths(index)

    # A block <-> its gene

    def own_fields(self) -> dict[str, int]:
        """The fields of the gene that only this op has."""
        return {}

    @classmethod
    def own_keys(cls, gene: Gene) -> dict[str, Any]:
        """The keys of the block that only this op has."""
        return {}

    # Units

    @classmethod
    @abstractmethod
    def unit_widths(cls, gene: Gene, index: int) -> tuple[int, int, int]:
        """(mid_width, width, groups) of unit `index` of a block."""

    @classmethod
    @abstractmethod
    def layers(cls, unit: Unit, side: Side) -> Chain:
        """The convolutions of a unit in order, on a map of this side: arithmetic that works on arrays as well."""

    @classmethod
    @abstractmethod
    def module_class(cls, unit: Unit) -> type[nn.Module]:
        """The class that a unit is an object of: `module_class(unit)(in_width, width, **module_arguments(unit))`."""

    @classmethod
    @abstractmethod
    def module_arguments(cls, unit: Unit) -> dict[str, Any]:
        """The keyword arguments of a unit's module, without those that have their default value.

        Numbers, booleans, classes, and `functools.partial` of a class with such arguments: what source code can say.
        """

    # Text

    @classmethod
    def details(cls, gene: Gene) -> str:
        """What the short notation says of the inside of a block, such as `e4` or `/16g8`."""
        return ""

    @classmethod
    def from_structure(cls, match: re.Match[str], width: int, numbers: tuple[int, ...]) -> dict[str, Any]:
        """The keys of a block from its name in a structure string, its width, and the numbers after in, out and stride.

        Raises:
            ValueError: what the name or the numbers say cannot be expressed.
        """
        raise ValueError(f"op {cls.name()} has no structure string")

    def to_structure(self) -> tuple[str, tuple[int, ...]]:
        """(name, numbers after in, out and stride) of a block in a structure string.

        Raises:
            ValueError: what a structure string cannot express.
        """
        raise ValueError(f"a block of op {self.op}")

    # Search

    @classmethod
    def mid_span(cls, space: SearchBounds) -> Span:
        """The values that `mid` of a gene may have."""
        return space.width if cls.has_pairs else space.mid_width

    @classmethod
    def free_fields(cls, space: SearchBounds) -> tuple[str, ...]:
        """Which of `mid`, `expansion` and `group_width` a mutation may change in this space."""
        return ("mid",) if cls.has_mid else ()

    @classmethod
    def check_space(cls, space: SearchBounds) -> str:
        """Why a space cannot contain this op, as `field: fault; fix`; empty if it can."""
        return ""

    @classmethod
    def excludes(cls, gene: Gene, space: SearchBounds) -> str:
        """Why the op's own fields are outside of a space, as `field: fault`; empty if they are inside."""
        if not cls.has_mid or gene.mid in cls.mid_span(space):
            return ""
        return f"mid_width: {gene.mid} is not allowed"

    @classmethod
    def converted(cls, gene: Gene, space: SearchBounds, expansion: int) -> Gene:
        """A gene of another op as one of this op, with the same widths and sub-layers as far as possible."""
        return gene._replace(
            op=cls.name(),
            depth=gene.sublayers * cls.units_per_sublayer,
            mid=space.mid_width.clip(gene.mid or gene.width) if cls.has_mid else 0,
            expansion=0,
            group_width=0,
        )

    @classmethod
    def name(cls) -> str:
        """The name of the op, the value of the key `op`."""
        (name,) = cls.model_fields["op"].annotation.__args__  # type: ignore[union-attr]  # a Literal of one word
        return str(name)


T = TypeVar("T", bound=type[Block])


def register(cls: T) -> T:
    """Adds an op to the table.

    Raises:
        TypeError: the name is taken.
    """
    name = cls.name()
    if name in OPS:
        raise TypeError(f"op {name}: is registered twice")
    OPS[name] = cls
    return cls
