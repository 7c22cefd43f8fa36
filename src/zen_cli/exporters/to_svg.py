"""Target `svg`: a drawing of the network."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree

from .target import ReadTarget

if TYPE_CHECKING:
    from .source import ExportSource


class Drawing(ReadTarget):
    """A bar for each unit."""

    name, suffix, summary = "svg", ".svg", "a drawing"
    is_text = True

    def write(self, source: ExportSource, stem: str) -> bytes:
        from .svg import draw

        return ("\n".join(draw(source)) + "\n").encode()

    def read_back(self, data: bytes, source: ExportSource) -> str:
        ElementTree.fromstring(data)
        return "well-formed XML"
