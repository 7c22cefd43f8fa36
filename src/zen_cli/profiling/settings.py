"""What defines a profile: the one home of its bounds, defaults and descriptions."""

from __future__ import annotations

import hashlib
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import UsageError
from ..metrics.fields import usage_error

DEFAULT_PROBES = 60
VALIDATED = 20
METHOD = 6  # of measuring and fitting: a profile of another one is not gone on with, and not taken as `here`


class ProfileSettings(BaseModel):
    """How a machine is measured."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    backend: str = Field(default="onnxruntime", description="What runs the networks.")
    threads: int = Field(default=1, ge=1, le=4096, description="Cores that a network may use.")
    batch_size: int = Field(default=1, ge=1, le=65_536, description="Images at once.")
    dtype: Literal["float32", "float16"] = Field(default="float32", description="What is computed in.")
    probes: int = Field(default=DEFAULT_PROBES, ge=4, le=10_000, description="Random networks whose layers are timed.")
    max_macs: int = Field(default=800_000_000, ge=30_000_000, le=10**12, description="MACs of the largest probe.")
    spaces: tuple[str, ...] = ("mobile", "resnet", "regnet")
    seed: int = Field(default=0, ge=0, le=2**31, description="Seed of the probes.")
    name: str | None = Field(default=None, max_length=200, description="Name of the target.")

    @property
    def digest(self) -> str:
        """Names all that defines what is measured."""
        return hashlib.sha256(f"{METHOD}{self.model_dump_json(exclude={'name'})}".encode()).hexdigest()[:12]


def check_profile(**values: Any) -> ProfileSettings:
    """Settings from what a user wrote; what is None is left at its default.

    Raises:
        UsageError: a value that cannot be, or an unknown name; `field: fault; fix`.
    """
    given = {name: value for name, value in values.items() if value is not None}
    try:
        settings = ProfileSettings.model_validate(given)
    except ValidationError as error:
        raise usage_error(error, ProfileSettings) from None
    from .machine import usable_cores

    if settings.threads > usable_cores():
        raise UsageError(f"threads: {settings.threads} are more than the {usable_cores()} cores here; use fewer")
    return settings
