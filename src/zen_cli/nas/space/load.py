"""Spaces by name or from a file; the built-in ones are files as well."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import orjson
from pydantic import BaseModel, ValidationError

from ...errors import SourceError, SpecError, UsageError, nearest
from ...net.ops import OPS
from ...net.validation import excess_size, first_fault, kind, show
from .blocks import BlockSpace
from .regnet import RegNetSpace

Space: TypeAlias = BlockSpace | RegNetSpace

SCHEMA = "zen-space/1"
BUILTIN = ("resnet", "mobile", "regnet")
_KINDS: dict[str, type[BaseModel]] = {"blocks": BlockSpace, "regnet": RegNetSpace}
_FOLDER = Path(__file__).parent / "builtin"


def load_space(source: str) -> Space:
    """A built-in space by its name, or a user's from a JSON file.

    Raises:
        UsageError: neither a built-in space nor a file.
        SourceError: a file that cannot be read or is not JSON.
        SpecError: a document that is not a space, or contradicts itself.
    """
    path = _FOLDER / f"{source}.json" if source in BUILTIN else Path(source)
    if source not in BUILTIN and not source.endswith(".json") and not path.exists():
        raise UsageError(f"--space: unknown {source!r}; {nearest(source, BUILTIN)}, or name a JSON file")
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SourceError(f"{source}: cannot be read, {reason[:1].lower()}{reason[1:]}") from None
    try:
        value = orjson.loads(data.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        raise SourceError(f"{source}:{error.lineno}: not valid JSON, {error.msg}; check it with jq") from None
    return parse_space(value, source if source not in BUILTIN else "")


def parse_space(data: object, where: str = "") -> Space:
    """A space from JSON types.

    Raises:
        SpecError: one line that names the place in the document, what is wrong with it, and what would be right.
    """
    prefix = f"{where}: " if where else ""
    if not isinstance(data, dict):
        raise SpecError(f"{prefix}a space is a JSON object, not {kind(data)}")
    if data.get("schema", SCHEMA) != SCHEMA:
        raise SpecError(f'{prefix}schema: {show(data["schema"])} is not known; this version of zen reads "{SCHEMA}"')
    family = data.get("kind")
    model = _KINDS.get(family) if isinstance(family, str) else None
    if model is None:
        raise SpecError(f"{prefix}kind: {show(family)} is not known; use one of {', '.join(_KINDS)}")
    if fault := excess_size(data):
        raise SpecError(prefix + fault)
    try:
        space = model.model_validate(data)
    except ValidationError as error:
        raise SpecError(prefix + first_fault(error, OPS, model)) from None
    assert isinstance(space, (BlockSpace, RegNetSpace))
    return space
