"""Network configurations of Once-for-All, ProxylessNAS and MCUNet: `first_conv` and `blocks` by class names."""

from __future__ import annotations

from typing import Any, NoReturn

from ..errors import SpecError
from .base import Context, Format


class OnceForAllConfig(Format):
    """A network with `first_conv` and blocks by class names."""

    title = "a network configuration of Once-for-All"

    def recognises(self, value: Any) -> bool:
        return isinstance(value, dict) and {"first_conv", "blocks"} <= value.keys()

    def read(self, value: Any, context: Context) -> NoReturn:
        advice = "write its blocks with op, width and so on, see docs/spec.md"
        raise SpecError(f"{context.where}: is {self.title}, which zen does not read; {advice}")
