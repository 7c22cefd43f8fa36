"""What may change about a number: the values it can have and those that one move reaches."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ...net.ops import MAX_WIDTH
from ...net.validation import show


class WidthRange(BaseModel):
    """Widths from `min` to `max` in steps of `step`; a move multiplies by a factor or adds some steps."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    min: int = Field(default=8, ge=1, le=MAX_WIDTH)
    max: int = Field(ge=1, le=MAX_WIDTH)
    step: int = Field(default=8, ge=1, le=1024)
    factors: tuple[Annotated[float, Field(gt=0, le=16, allow_inf_nan=False)], ...] = Field(
        default=(0.4, 0.5, 0.67, 0.8, 1.25, 1.5, 2.0, 2.5), strict=False, max_length=64
    )
    steps: tuple[Annotated[int, Field(ge=-1000, le=1000)], ...] = Field(
        default=(-2, -1, 1, 2), strict=False, max_length=64
    )

    @model_validator(mode="after")
    def _check(self) -> WidthRange:
        if self.min > self.max:
            raise ValueError(f"min: {self.min} is above max {self.max}; swap them")
        if self.min % self.step or self.max % self.step:
            raise ValueError(f"step: {self.step} does not divide min {self.min} and max {self.max}; round them")
        return self

    def __contains__(self, width: int) -> bool:
        return self.min <= width <= self.max and width % self.step == 0

    def clip(self, width: float) -> int:
        """The nearest width of the range."""
        return max(self.min, min(self.max, round(width / self.step) * self.step))

    def moves(self, width: int) -> tuple[int, ...]:
        """The widths that one move reaches."""
        found = self._moves.get(width)
        if found is None:
            values = {self.clip(width * factor) for factor in self.factors}
            values |= {self.clip(width + steps * self.step) for steps in self.steps}
            found = self._moves[width] = tuple(sorted(values - {width}))
        return found

    @cached_property
    def _moves(self) -> dict[int, tuple[int, ...]]:
        """What `moves` has answered before."""
        return {}


class DepthRange(BaseModel):
    """Sub-layers of one block, and the steps by which one move changes them."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    min: int = Field(default=1, ge=1, le=500)
    max: int = Field(default=100, ge=1, le=500)
    steps: tuple[Annotated[int, Field(ge=-100, le=100)], ...] = Field(
        default=(-2, -1, 1, 2), strict=False, min_length=1, max_length=64
    )

    @model_validator(mode="after")
    def _check(self) -> DepthRange:
        if self.min > self.max:
            raise ValueError(f"min: {self.min} is above max {self.max}; swap them")
        return self


def repeated(field: str, values: Sequence[object]) -> str:
    """Why values are not a set of choices, as `field: fault; fix`; empty if each is there once."""
    twice = next((value for index, value in enumerate(values) if value in values[:index]), None)
    return "" if twice is None else f"{field}: {show(twice)} is given twice; give it once"
