"""Spaces by name or from a file; the built-in ones are files as well."""

from __future__ import annotations

from pathlib import Path

import orjson
from pydantic import ValidationError

from ...errors import SourceError, SpecError, UsageError, nearest, reason
from ...formats.documents import NO_MEMORY
from ...formats.foreign import document_kind
from ...net.ops import OPS
from ...net.validation import excess_size, first_fault, kind, show
from .blocks import BlockSpace
from .protocol import Space
from .regnet import RegNetSpace

SCHEMA = "zen-space/1"
BUILTIN = (
    "mobile", "resnet", "regnet", "mobilenetv2", "mobilenetv3", "resnet-d", "regnetx", "regnety", "zennet-mobile",
    "zennet-resnet",
)  # fmt: skip
MAX_BYTES = 8 * 2**20
_KINDS: dict[str, type[BlockSpace] | type[RegNetSpace]] = {"blocks": BlockSpace, "regnet": RegNetSpace}
_FOLDER = Path(__file__).parent / "builtin"


def load_space(source: str) -> Space:
    """A built-in space by its name, or a user's from a JSON file.

    Raises:
        UsageError: neither a built-in space nor a file.
        SourceError: a file that cannot be read or is not JSON.
        SpecError: a document that is not a space, or contradicts itself.
    """
    path = _FOLDER / f"{source}.json" if source in BUILTIN else Path(source)
    try:
        if source not in BUILTIN and not source.endswith(".json") and not path.exists():
            raise UsageError(f"space: unknown {source!r}; {nearest(source, BUILTIN)}, or name a JSON file")
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise SourceError(f"{source}: cannot be read, {reason(error)}") from None
    if len(data) > MAX_BYTES:
        raise SourceError(f"{source}: a space of more than {MAX_BYTES >> 20} MiB; name a JSON file")
    try:
        value = orjson.loads(data.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        if NO_MEMORY in error.msg:
            raise MemoryError from None
        if foreign := document_kind(data):
            raise SourceError(f"{source}: is {foreign}") from None
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
        return model.model_validate(data)
    except ValidationError as error:
        raise SpecError(prefix + first_fault(error, OPS, model)) from None
