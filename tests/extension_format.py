"""An input format of one's own: one class, one registration. `python extension_format.py score ...` is `zen` with it.

A network is a line of widths, `widths 8 16 32`, each a convolution that halves the map.
"""

from __future__ import annotations

from typing import Any

from zen_cli.cli.main import main
from zen_cli.errors import SpecError
from zen_cli.formats.base import Context, Format, Note, Reading
from zen_cli.formats.table import register
from zen_cli.net.spec import parse_spec


class Widths(Format):
    title = "a line of widths"

    def recognises(self, value: Any) -> bool:
        return isinstance(value, str) and value.startswith("widths ")

    def read(self, value: Any, context: Context) -> Reading:
        words = value.split()[1:]
        if not all(word.isdigit() for word in words):
            raise SpecError(f"{context.where}: widths are whole numbers; write widths 8 16 32")
        blocks = [{"op": "conv", "width": int(word), "stride": 2} for word in words]
        spec = parse_spec({"resolution": 32, "blocks": blocks, "name": context.name, **context.fields}, context.where)
        return Reading(spec, (Note("assumed strides of 2"),))


if __name__ == "__main__":
    register(Widths())
    main()
