"""Names of published networks, such as `mobilenet_v2`. They are specs of this package; nothing is downloaded."""

from __future__ import annotations

import re
from typing import ClassVar

from ..errors import closest
from .base import Names, Overrides, Reading

_WORD = re.compile(r"[a-z][a-z0-9_]*")


class BuiltinNames(Names):
    """The name of a published network."""

    title: ClassVar[str] = "a published network"

    def claims(self, text: str) -> bool:
        if not _WORD.fullmatch(text):
            return False
        from ..networks import names

        return text in names()

    def read(self, name: str, overrides: Overrides) -> Reading:
        from ..networks import find

        spec, fields = find(name).spec_as(name), overrides.fields()
        return Reading(spec.replace(**fields) if fields else spec)


def nearest_network(word: str) -> str | None:
    """The published network whose name is nearest to a word that names nothing, if one is near."""
    from ..networks import names

    return closest(word.lower().replace("-", "_"), names())
