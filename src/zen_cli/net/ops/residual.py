"""What blocks of residual units have in common."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from .base import Block
from .details import Shortcut, Style


class ResidualBlock(Block):
    """A block whose units have a shortcut."""

    shortcut: Shortcut | None = Field(
        default=None, description="a projection at the first unit (default), where needed or pooled; identity; none"
    )

    def style(self, activation: str) -> Style:
        return super().style(activation)._replace(shortcut=self.shortcut or "first")

    @classmethod
    def style_keys(cls, style: Style) -> dict[str, Any]:
        row = super().style_keys(style)
        return row if style.shortcut == "first" else {**row, "shortcut": style.shortcut}
