"""RegNet: networks whose widths follow a quantised line, so that six numbers describe one.

    u_j = w_0 + w_a j,    s_j = log(u_j / w_0) / log w_m,    w_j = w_0 w_m^round(s_j)        (j: the unit, from 0)

Units of equal width are a stage, and each stage halves the map. Source: *Designing Network Design Spaces*
(arXiv 2003.13678), equations 2 to 4.
"""

from __future__ import annotations

import math
from functools import lru_cache
from random import Random
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ...net.ops import Gene
from ...net.spec import ArchSpec, parse_spec
from .ranges import WidthRange

SLOPE_UNIT = 0.1
FACTOR_UNIT = 0.01


class RegNetGenome(NamedTuple):
    """The numbers of one network: w_0, w_a in tenths, w_m in hundredths, units in all, group width, mid over width.

    `group_width` 0 means one group; `ratio` is the bottleneck ratio b: the mid width is the width over b.
    """

    initial_width: int
    slope: int
    factor: int
    depth: int
    group_width: int
    ratio: int


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
        """Another number within reach, drawn evenly; the same where a bound stands in the way."""
        step = 1 + int(rng.random() * self.reach)
        return self.clip(value + step if rng.random() < 0.5 else value - step)


class RegNetSpace(BaseModel):
    """A stem and `stages` stages of bottleneck units whose widths and depths follow from six numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True)

    schema_: Literal["zen-space/1"] = Field(default="zen-space/1", alias="schema")
    kind: Literal["regnet"]
    name: str = Field(max_length=100)
    summary: str = Field(default="", max_length=1000)
    stem_width: Annotated[int, Field(ge=1, le=4096)] = 32
    kernel: int = Field(default=3, ge=1, le=31)
    se: float | None = Field(default=None, gt=0, le=1, allow_inf_nan=False)
    stages: int = Field(default=4, ge=1, le=8, description="stages that a member has")
    initial_width: WidthRange = WidthRange(min=8, max=256)
    slope: Span = Field(default=Span(min=1, max=2560, reach=40), description="w_a in tenths")
    factor: Span = Field(default=Span(min=150, max=300, reach=20), description="w_m in hundredths")
    depth: Span = Field(default=Span(min=4, max=64, reach=3), description="units in all stages")
    group_widths: tuple[Annotated[int, Field(ge=0, le=4096)], ...] = Field(
        default=(8, 16, 24), min_length=1, strict=False
    )
    ratios: tuple[Annotated[int, Field(ge=1, le=16)], ...] = Field(default=(1, 2, 4), min_length=1, strict=False)
    small_image: int = Field(default=64, ge=1, le=16_384, description="up to this side the stem and stage 1 keep it")

    @model_validator(mode="after")
    def _check(self) -> RegNetSpace:
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel: {self.kernel} is even; use an odd kernel such as 3")
        if self.depth.max < self.stages:
            raise ValueError(f"depth: at most {self.depth.max} units cannot fill {self.stages} stages; raise depth.max")
        return self

    def seed(self, resolution: int) -> ArchSpec:
        """The stem alone with the input that it is for; the stages come from genomes."""
        stride = 1 if resolution <= self.small_image else 2
        stem = {"op": "conv", "kernel": 3, "width": self.stem_width, "stride": stride}
        return parse_spec({"resolution": resolution, "blocks": [stem]})

    def start(self, seed: ArchSpec) -> RegNetGenome:
        """The narrowest member that has all stages."""
        return self._fit(RegNetGenome(self.initial_width.min, self.slope.min, self.factor.min, self.depth.min, 0, 1))

    def genes(self, genome: RegNetGenome, seed: ArchSpec) -> tuple[Gene, ...]:
        """The blocks of a member behind the stem of the seed network."""
        small = seed.blocks[0].stride == 1
        return _genes(genome, self.stem_width, self.kernel, self.se, small)

    def identity(self, genome: RegNetGenome) -> tuple[Gene, ...]:
        """Equal for members that are the same network: many numbers round to the same stages."""
        return _genes(genome, self.stem_width, self.kernel, self.se, True)

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
        return changed if self._has_all_stages(changed) else genome

    def smallest(self, seed: ArchSpec) -> tuple[RegNetGenome, ...]:
        """The narrowest and shallowest members."""
        return tuple(self._fit(self.start(seed)._replace(ratio=ratio)) for ratio in self.ratios)

    def excludes(self, genome: RegNetGenome) -> str:
        """Why numbers are not those of a member; empty if they are."""
        for field in ("slope", "factor", "depth"):
            span: Span = getattr(self, field)
            if not span.min <= getattr(genome, field) <= span.max:
                return f"{field}: {getattr(genome, field)} is not allowed"
        if genome.initial_width not in self.initial_width:
            return f"initial_width: {genome.initial_width} is not allowed"
        if genome.group_width not in self.group_widths:
            return f"group_width: {genome.group_width} is not allowed"
        if genome.ratio not in self.ratios:
            return f"ratio: {genome.ratio} is not allowed"
        return "" if self._has_all_stages(genome) else f"stages: not {self.stages}"

    def _has_all_stages(self, genome: RegNetGenome) -> bool:
        return len(_stages(genome)) == self.stages

    def _fit(self, genome: RegNetGenome) -> RegNetGenome:
        """The member of least slope and depth from here on that has all stages."""
        ratio = min(self.ratios, key=lambda ratio: abs(ratio - genome.ratio))
        base = genome._replace(group_width=min(self.group_widths), ratio=ratio)
        for depth in range(self.depth.min, self.depth.max + 1):
            for slope in range(self.slope.min, self.slope.max + 1):
                for factor in (self.factor.min, self.factor.max):
                    candidate = base._replace(depth=depth, slope=slope, factor=factor)
                    if self._has_all_stages(candidate):
                        return candidate
        return base


@lru_cache(maxsize=262_144)
def _stages(genome: RegNetGenome) -> tuple[tuple[int, int], ...]:
    """(width, units) of each stage; widths rounded to multiples of 8."""
    start, slope, factor = genome.initial_width, genome.slope * SLOPE_UNIT, genome.factor * FACTOR_UNIT
    rows: list[tuple[int, int]] = []
    for index in range(genome.depth):
        power = round(math.log((start + slope * index) / start) / math.log(factor))
        width = round(start * factor**power / 8) * 8
        if rows and rows[-1][0] == width:
            rows[-1] = (width, rows[-1][1] + 1)
        else:
            rows.append((width, 1))
    return tuple(rows)


@lru_cache(maxsize=262_144)
def _genes(genome: RegNetGenome, stem: int, kernel: int, se: float | None, small: bool) -> tuple[Gene, ...]:
    genes = [Gene("conv", 3, stem, 1 if small else 2, 1)]
    for index, (width, units) in enumerate(_stages(genome)):
        group = min(genome.group_width, max(8, width // genome.ratio))
        mid = max(8, width // genome.ratio)
        if group:
            mid = max(group, round(mid / group) * group)
        genes.append(
            Gene(
                "bottleneck",
                kernel,
                mid * genome.ratio if group else width,
                1 if small and index == 0 else 2,
                units,
                mid,
                group_width=0 if group == mid else group,
                se=se,
            )
        )
    return tuple(genes)
