"""Target `plainnet`: the structure string that published tools read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .target import LineTarget, must_be

if TYPE_CHECKING:
    from .source import ExportSource


class StructureString(LineTarget):
    """The string on one line."""

    name, suffix, summary = "plainnet", ".txt", "a structure string"
    is_text = True

    def write(self, source: ExportSource, stem: str) -> bytes:
        return self.line(source)

    def line(self, source: ExportSource) -> bytes:
        from ..formats.plainnet import to_plainnet

        return to_plainnet(source.spec).encode() + b"\n"

    def read_back(self, data: bytes, source: ExportSource) -> str:
        from ..formats.plainnet import parse_plainnet

        spec = source.spec
        again = parse_plainnet(data.decode(), resolution=spec.resolution, num_classes=spec.num_classes)
        return must_be(again, source)
