"""Records as `zen score` and `zen search` write them: JSON objects with a spec in `arch`, or layers in `chain`."""

from __future__ import annotations

from typing import Any

from ..errors import SpecError
from ..net.spec import parse_spec
from ..net.traced import parse_chain
from ..net.validation import kind, show
from .base import Context, Format, Reading

SCHEMA = "zen-score/1"


class RecordJson(Format):
    """`zen-score/1`; of other keys than `arch`, or `source`, `chain` and `cost`, none is needed."""

    title = "a record"

    def recognises(self, value: Any) -> bool:
        return isinstance(value, dict) and ("arch" in value or "chain" in value)

    def read(self, value: Any, context: Context) -> Reading:
        where, version = context.where, value.get("schema")
        if is_record_schema(version) and version != SCHEMA:
            raise SpecError(f'{where}: schema: {show(version)} is not known; this version of zen reads "{SCHEMA}"')
        if "arch" not in value:
            if context.fields:
                raise SpecError(
                    f"{where}: {min(context.fields)}: cannot change in a record of layers; score its source "
                    f"{show(value.get('source'))} instead"
                )
            return Reading(parse_chain(value, where), record=value)
        arch = value["arch"]
        if not isinstance(arch, dict):
            raise SpecError(f"{where}: arch: an architecture is a JSON object with blocks, not {kind(arch)}")
        return Reading(parse_spec({**arch, **context.fields}, f"{where}: arch"), record=value)


def is_record_schema(value: object) -> bool:
    """Whether the value of `schema` is that of a record, of whichever version."""
    return isinstance(value, str) and value.startswith(SCHEMA.partition("/")[0] + "/")
