"""Specs: JSON objects with `blocks`."""

from __future__ import annotations

from typing import Any

from ..errors import SpecError
from ..net.spec import parse_spec
from .base import Context, Format, Reading
from .record_json import is_record_schema


class SpecJson(Format):
    """`zen-arch/1`; takes every object, so that one that no other format recognises is told what a spec needs."""

    title = "a spec"

    def recognises(self, value: Any) -> bool:
        return isinstance(value, dict)

    def read(self, value: Any, context: Context) -> Reading:
        if "blocks" not in value and is_record_schema(value.get("schema")):
            raise SpecError(f"{context.where}: a record without arch; use one that zen score or zen search wrote")
        named = {} if context.name is None or "name" in value else {"name": context.name}
        return Reading(parse_spec({**value, **named, **context.fields}, context.where))
