"""RegNet: networks whose widths follow a quantised line, so that six numbers describe one.

Each stage halves the map; see `line` for the equations. Source: *Designing Network Design Spaces* (arXiv 2003.13678).
"""

from __future__ import annotations

from functools import cached_property
from random import Random
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ...errors import PRINTABLE, SpecError
from ...net.ops import MAX_WIDTH, OPS, Gene
from ...net.spec import ArchSpec, parse_spec
from .line import FACTOR_UNIT, SLOPE_UNIT, RegNetGenome, genes_of, least_depth, stages_of
from .ranges import WidthRange, repeated
from .rules import Rules

# (least, greatest) of the numbers of a member: what a spec can hold, and w_m above 1
_OF_STAGES = ("op", "kernel", "width", "mid_width", "stride", "depth", "groups", "group_width")
SPANS = {"slope": (1, 100_000), "factor": (101, 10_000), "depth": (1, 1000)}


class Span(BaseModel):
    """Whole numbers from `min` to `max`; a move adds or takes away up to `reach`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    min: int = Field(ge=1, le=1_000_000)
    max: int = Field(ge=1, le=1_000_000)
    reach: int = Field(default=2, ge=1, le=1_000_000)

    @model_validator(mode="after")
    def _check(self) -> Span:
        if self.min > self.max:
            raise ValueError(f"min: {self.min} is above max {self.max}; swap them")
        return self

    def clip(self, value: int) -> int:
        """The nearest number of the span."""
        return max(self.min, min(self.max, value))

    def move(self, value: int, rng: Random) -> int:
        """Another number within reach, drawn evenly; the bound where it would be passed."""
        step = 1 + int(rng.random() * self.reach)
        return self.clip(value + step if rng.random() < 0.5 else value - step)


class RegNetSpace(BaseModel):
    """A stem and `stages` stages of bottleneck units whose widths and depths follow from six numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True)

    bounds_depth: ClassVar[bool] = True

    schema_: Literal["zen-space/1"] = Field(default="zen-space/1", alias="schema")
    kind: Literal["regnet"]
    name: str = Field(max_length=100, pattern=PRINTABLE)
    summary: str = Field(default="", max_length=1000, pattern=PRINTABLE)
    stem_width: Annotated[int, Field(ge=1, le=4096)] = 32
    kernel: int = Field(default=3, ge=1, le=31)
    se: float | None = Field(default=None, gt=0, le=1, allow_inf_nan=False)
    unit: dict[str, Any] = Field(
        default_factory=dict, max_length=8, description="more keys of the bottleneck blocks, such as shortcut"
    )
    stages: int = Field(default=4, ge=1, le=8, description="stages that a member has")
    initial_width: WidthRange = WidthRange(min=8, max=256)
    slope: Span = Field(default=Span(min=1, max=2560, reach=40), description="w_a in tenths")
    factor: Span = Field(default=Span(min=150, max=300, reach=20), description="w_m in hundredths")
    depth: Span = Field(default=Span(min=4, max=64, reach=3), description="units in all stages")
    group_widths: tuple[Annotated[int, Field(ge=0, le=4096)], ...] = Field(
        default=(8, 16, 24), min_length=1, max_length=64, strict=False
    )
    ratios: tuple[Annotated[int, Field(ge=1, le=16)], ...] = Field(
        default=(1, 2, 4), min_length=1, max_length=16, strict=False
    )
    rules: Rules | None = Field(default=None, description="design rules that every member keeps; null: none")
    small_image: int = Field(default=64, ge=1, le=16_384, description="up to this side the stem and stage 1 keep it")

    @model_validator(mode="after")
    def _check(self) -> RegNetSpace:
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel: {self.kernel} is even; use an odd kernel such as 3")
        for field, (least, most) in SPANS.items():
            span: Span = getattr(self, field)
            if span.min < least:
                raise ValueError(f"{field}.min: {span.min} is too small; use at least {least}")
            if span.max > most:
                raise ValueError(f"{field}.max: {span.max} is too large; use at most {most}")
        if reason := self._unit_fault():
            raise ValueError(reason)
        if self.rules is not None and not self.rules.kernels(OPS["bottleneck"], (self.kernel,)):
            raise ValueError(f"kernel: {self.kernel} is not among the dense_kernels of the rules; use 3")
        if self.depth.max < self.stages:
            raise ValueError(f"depth: at most {self.depth.max} units cannot fill {self.stages} stages; raise depth.max")
        for field in ("group_widths", "ratios"):
            if reason := repeated(field, getattr(self, field)):
                raise ValueError(reason)
        if self._least is None:
            raise ValueError(f"stages: no member of {self.stages} stages was found; widen slope, factor or depth")
        return self

    def _unit_fault(self) -> str:
        """Why the keys of `unit` are not those of a block, as `unit.key: fault; fix`; empty if they are."""
        if own := next((key for key in self.unit if key in _OF_STAGES), ""):
            return f"unit.{own}: follows from the numbers of a member or is a key of the space; leave it out"
        try:
            self._parsed_unit()
        except SpecError as error:
            return str(error).replace("blocks[1].", "unit.")
        return ""

    def _parsed_unit(self) -> Gene:
        sample = {"op": "bottleneck", "kernel": self.kernel, "width": 8, "mid_width": 8, "se": self.se, **self.unit}
        return parse_spec({"blocks": [{"op": "conv", "width": 8}, sample]}).genes[1]

    @cached_property
    def _unit(self) -> Gene:
        """A block of which all stages have the kernel and the style."""
        return self._parsed_unit()

    def to_dict(self) -> dict[str, Any]:
        """Its document as JSON types."""
        return self.model_dump(by_alias=True, mode="json")

    def made_for(self) -> None:
        """None: a member is as good for one input as for another."""

    def seed(self, resolution: int) -> ArchSpec:
        """The stem alone with the input that it is for; the stages come from genomes.

        Raises:
            SpecError: the members halve their maps too often for this side.
        """
        small = resolution <= self.small_image
        halvings = self.stages - 1 if small else self.stages + 1
        if halvings and resolution <= 2 ** (halvings - 1):
            least = 2 ** (halvings - 1) + 1
            raise SpecError(f"resolution: {resolution} is too small for {halvings} halvings; use at least {least}")
        stem = {"op": "conv", "kernel": 3, "width": self.stem_width, "stride": 1 if small else 2}
        return parse_spec({"resolution": resolution, "blocks": [stem]})

    def start(self, seed: ArchSpec) -> RegNetGenome:
        """The member of least depth and slope."""
        assert self._least is not None  # or the space would not be valid
        return self._least

    def genes(self, genome: RegNetGenome, seed: ArchSpec) -> tuple[Gene, ...]:
        """The blocks of a member: the stem of the seed network and one for each stage."""
        small = seed.blocks[0].stride == 1
        return genes_of(genome, self.stem_width, self._unit, small)

    def identity(self, genome: RegNetGenome) -> tuple[Gene, ...]:
        """Equal for members that are the same network: many numbers round to the same stages."""
        return genes_of(genome, self.stem_width, self._unit, True)

    def decode(self, rows: list[Any]) -> RegNetGenome:
        """A genome from the JSON array that it is written as."""
        return RegNetGenome(*rows)

    def neighbour(self, genome: RegNetGenome, rng: Random) -> RegNetGenome:
        """A member nearby: one or more of its numbers changed."""
        genome = self.mutate(genome, rng)
        while rng.random() < 0.5:
            genome = self.mutate(genome, rng)
        return genome

    def mutate(self, genome: RegNetGenome, rng: Random) -> RegNetGenome:
        """A member that differs in one number, or stays what it is where the change leads out of the space."""
        place = int(rng.random() * len(genome))
        field = RegNetGenome._fields[place]
        value: int
        if field == "initial_width":
            moves = self.initial_width.moves(genome.initial_width)
            value = moves[int(rng.random() * len(moves))] if moves else genome.initial_width
        elif field in ("group_width", "ratio"):
            values = self.group_widths if field == "group_width" else self.ratios
            value = values[int(rng.random() * len(values))]
        else:
            span: Span = getattr(self, field)
            value = span.move(genome[place], rng)
        changed = genome._replace(**{field: value})
        return changed if self._is_member(changed) else genome

    def smallest(self, seed: ArchSpec) -> tuple[RegNetGenome, ...]:
        """The members of least depth and slope, one for each ratio."""
        members = (self.start(seed)._replace(ratio=ratio) for ratio in self.ratios)
        return tuple(member for member in members if self._is_member(member))

    def excludes(self, genome: RegNetGenome, seed: ArchSpec) -> str:
        """Why numbers are not those of a member; empty if they are."""
        for field in SPANS:
            span: Span = getattr(self, field)
            if not span.min <= getattr(genome, field) <= span.max:
                return f"{field}: {getattr(genome, field)} is not allowed"
        if genome.initial_width not in self.initial_width:
            return f"initial_width: {genome.initial_width} is not allowed"
        if genome.group_width not in self.group_widths:
            return f"group_width: {genome.group_width} is not allowed"
        if genome.ratio not in self.ratios:
            return f"ratio: {genome.ratio} is not allowed"
        return (
            "" if self._is_member(genome) else f"stages: not {self.stages}, a width out of bounds, or against the rules"
        )

    def _is_member(self, genome: RegNetGenome) -> bool:
        """Whether numbers within their spans have all stages, widths that a spec can hold, and keep the rules."""
        stages = stages_of(genome)
        if len(stages) != self.stages or stages[0][0] == 0:
            return False
        genes = self.identity(genome)
        return all(gene.width <= MAX_WIDTH for gene in genes) and self._keeps_rules(genes[1:])

    def _keeps_rules(self, units: tuple[Gene, ...]) -> bool:
        rules = self.rules
        if rules is None:
            return True
        if any(rules.broken_by_block(gene, (self.kernel,)) for gene in units):
            return False
        return rules.narrower(gene.width for gene in units) is None

    @cached_property
    def _least(self) -> RegNetGenome | None:
        """The member of least depth, then of least slope; of the others of its numbers only the ends are tried."""
        members = map(self._least_of, dict.fromkeys((self.initial_width.min, self.initial_width.max)))
        return next((member for member in members if member is not None), None)

    def _least_of(self, width: int) -> RegNetGenome | None:
        """The member of least depth, then of least slope, among those of an initial width."""
        if round(width / 8) == 0:
            return None  # the first stage would have no width
        rises = self.stages - 1
        # widths are at least w_0 w_m^rises, as each stage has a larger power of w_m
        factors = [
            factor
            for factor in dict.fromkeys((self.factor.min, self.factor.max))
            if width * (factor * FACTOR_UNIT) ** rises <= MAX_WIDTH + 8
        ]
        best: RegNetGenome | None = None
        for slope in range(self.slope.min, self.slope.max + 1):
            for factor in factors:
                most = self.depth.max if best is None else best.depth - 1
                depth = least_depth(width, slope, factor, self.stages, self.depth.min, most)
                numbers = (width, slope, factor, depth, min(self.group_widths), min(self.ratios))
                if depth and self._is_member(RegNetGenome(*numbers)):
                    best = RegNetGenome(*numbers)
            if best is not None and best.depth == max(self.depth.min, self.stages):
                break
            if width + slope * SLOPE_UNIT * rises > 16 * MAX_WIDTH:  # and at least u_rises over the root of w_m
                break
        return best
