"""What defines a search, checked; written into the run directory and compared when a run is resumed."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Any, Literal

import orjson
from pydantic import ConfigDict, Field, model_validator

from ..errors import UsageError
from ..metrics.settings import ScoreSettings
from ..net.spec import ArchSpec
from .budget import Budget
from .limits import LimitsField
from .options import DEFAULT_ALGORITHM, FREE, SearchOptions
from .space import Space, parse_space

SCHEMA: Literal["zen-run/1"] = "zen-run/1"


class SearchSettings(SearchOptions):
    """A search: where it looks, what it wants, what it may cost, and when it ends."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, arbitrary_types_allowed=True)

    schema_: Literal["zen-run/1"] = Field(default=SCHEMA, alias="schema")
    space_document: dict[str, Any]
    limits: LimitsField
    score: ScoreSettings
    algorithm: str = DEFAULT_ALGORITHM
    origin: str | None = Field(default=None, description="Name of the network that it began from, a row of the answer.")
    budget: Budget

    @model_validator(mode="after")
    def _deploy(self) -> SearchSettings:
        try:
            object.__setattr__(self, "limits", self.limits.on(self.score))
        except UsageError as error:
            raise ValueError(str(error)) from None
        return self

    @cached_property
    def space(self) -> Space:
        """The space, read again from its document."""
        return parse_space(self.space_document)

    def seed_network(self) -> ArchSpec:
        """The space's seed network with the input and classes of this search.

        Raises:
            SpecError: the resolution is too small for its strides.
        """
        seed = self.space.seed(self.resolution)
        return seed.replace(resolution=self.resolution, num_classes=self.num_classes, name=None)

    @property
    def digest(self) -> str:
        """Names everything that defines the search, but for what a resumed run may be given anew."""
        body = self.model_dump(by_alias=True, mode="json", exclude=set(FREE))
        return hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()

    def check_resumable(self, wanted: SearchSettings) -> None:
        """Compares with what a user asks of a stored run.

        Raises:
            UsageError: something that would change the search; names it with both values.
        """
        mine, theirs = self.model_dump(), wanted.model_dump()
        for key in mine:
            if key in FREE or mine[key] == theirs[key]:
                continue
            first, second, field, part = mine[key], theirs[key], key, ""
            if isinstance(first, dict) and isinstance(second, dict):
                name = next(name for name in {**first, **second} if first.get(name) != second.get(name))
                first, second = first.get(name), second.get(name)
                field = f"max_{name}" if key == "limits" else name
                if key == "space_document":
                    field, part = "space", "" if name == "name" else f"{name} "
            if key == "front":
                first, second = (" and ".join(names) or "none" for names in (first, second))
            raise UsageError(
                f"resume: {field} of the run is {part}{first}, not {second}; leave it out, or start a new run"
            )
