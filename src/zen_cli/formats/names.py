"""The table of kinds of names: sources of networks that are neither files nor structure strings."""

from __future__ import annotations

from .base import Names
from .builtin import BuiltinNames
from .traced import ModuleNames, TimmNames, TorchvisionNames

# The first that claims a text reads it.
NAMES: list[Names] = [
    TimmNames(),
    TorchvisionNames(),
    ModuleNames(),
    BuiltinNames(),
]


def find_names(text: str) -> Names | None:
    """The kind of names that a text belongs to, if any claims it."""
    return next((names for names in NAMES if names.claims(text)), None)
