"""The table of input formats."""

from __future__ import annotations

from typing import Any

from .base import Format
from .once_for_all import OnceForAllConfig
from .plainnet import StructureString
from .pycls import PyclsConfig
from .record_json import RecordJson
from .spec_json import SpecJson
from .tinynas import TinyNasStructure
from .transnas import TransNasCode

# The first that recognises a value reads it.
FORMATS: list[Format] = [
    StructureString(),
    TinyNasStructure(),
    TransNasCode(),
    OnceForAllConfig(),
    PyclsConfig(),
    RecordJson(),
    SpecJson(),
]


def register(format_: Format) -> None:
    """Adds a format, which is asked before those that are there."""
    FORMATS.insert(0, format_)


def find_format(value: Any) -> Format | None:
    """The format of a value, if any recognises it."""
    return next((format_ for format_ in FORMATS if format_.recognises(value)), None)
