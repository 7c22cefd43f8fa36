"""The published problems in one word: space, input, limits, and the network that was published for them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from ..errors import UsageError, nearest
from ..formats.plainnet import parse_plainnet
from ..net.spec import ArchSpec
from .limits import Limits


class Preset(NamedTuple):
    """A published search problem.

    `published` is the network to compare with, None where its structure was not published; `accuracy` is what it
    reached after training, by the authors' account.
    """

    name: str
    space: str
    resolution: int
    num_classes: int
    limits: Limits
    published_name: str
    published: ArchSpec | None
    accuracy: str


@cache
def presets() -> dict[str, Preset]:
    """All presets by name."""
    rows = orjson.loads((Path(__file__).parent / "presets.json").read_bytes())
    return {name: _preset(name, row) for name, row in rows.items()}


def find_preset(name: str) -> Preset:
    """The preset of a name.

    Raises:
        UsageError: there is none; gives the nearest.
    """
    if name not in presets():
        raise UsageError(f"preset: unknown {name!r}; {nearest(name, presets())}")
    return presets()[name]


def _preset(name: str, row: dict[str, Any]) -> Preset:
    published, structure = row["published"], row["published"]["structure"]
    fields = {"resolution": row["resolution"], "num_classes": row["num_classes"]}
    return Preset(
        name=name,
        space=row["space"],
        **fields,
        limits=Limits(**row["limits"]),
        published_name=published["name"],
        published=None if structure is None else parse_plainnet(structure, name=published["name"], **fields),
        accuracy=published["accuracy"],
    )
