"""Target `json`: the spec itself, `zen-arch/1`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from .target import LineTarget, must_be

if TYPE_CHECKING:
    from .source import ExportSource


class SpecFile(LineTarget):
    """The spec, indented."""

    name, suffix, summary = "json", ".json", "the spec"
    is_text = True

    def write(self, source: ExportSource, stem: str) -> bytes:
        import orjson

        return orjson.dumps(source.spec.to_dict(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)

    def line(self, source: ExportSource) -> bytes:
        import orjson

        return orjson.dumps(source.spec.to_dict(), option=orjson.OPT_APPEND_NEWLINE)

    def read_back(self, data: bytes, source: ExportSource) -> str:
        from ..net.spec import parse_spec

        return must_be(parse_spec(json.loads(data)), source)
