"""The parts of a Python file that differ from network to network: its docstring, and the lines that build the network.

What is written here follows `ruff format` with lines of 120 characters, so that a generated file needs no formatting.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from ..net.layers import side_text
from ..net.ops import Unit, repeated_units
from ..net.spec import ArchSpec
from .about import facts, title, tool
from .layout import Section, SectionBlock, lay_out
from .standalone import PACKAGE, Code, Imported, Symbol, collect, import_lines

LINE = 120
ZERO_INIT = (
    "        zero_init_residual: whether a residual unit starts as its shortcut alone, the scale of its last batch",
    "            normalisation being zero, which trains deep networks better.",
)
_UNITS = f"{PACKAGE}.net.unit_modules"
PARTIAL = Imported.of("functools", "partial")


def python_file(docstring: str, code: Code, imports: Iterable[Imported], pieces: Sequence[str]) -> str:
    """A file: docstring, imports, code that is the same in every file, and what only this one has."""
    lines = [docstring, "", "from __future__ import annotations", "", *import_lines([*code.imports, *imports])]
    return "\n\n\n".join(["\n".join(lines), *code.pieces, *pieces]) + "\n"


def unit_code(spec: ArchSpec, *more: Symbol) -> Code:
    """The source of the classes that the units of a network need, and of other code."""
    symbols = {Symbol.of(value): None for unit in dict.fromkeys(spec.units) for value in _classes(unit)}
    more = more if spec.bn_eps is None else (*more, Symbol(_UNITS, "set_bn_eps"))
    more = more if spec.padding != "same" else (*more, Symbol(_UNITS, "set_same_padding"))
    code = collect([*symbols, *more])
    is_partial = any(isinstance(value, partial) for unit in set(spec.units) for value in _arguments(unit).values())
    return Code((*code.imports, PARTIAL), code.pieces) if is_partial else code


def docstring(spec: ArchSpec, record: object, closing: Iterable[str]) -> str:
    """The head of a file: what the network is, costs, scores, where it comes from, and its stages."""
    rows = facts(spec, record if isinstance(record, dict) else None)
    lines = [f'"""{title(spec)}: an image classifier, exported by {tool()}.', ""]
    label = max(len(row.label) for row in rows) + 2
    for row in rows:
        lines += textwrap.wrap(
            row.text, LINE - 1, initial_indent=f"    {row.label:<{label}}", subsequent_indent=" " * (4 + label)
        )
    lines += ["", *(f"    {row}" for row in stage_table(spec)), ""]
    for paragraph in closing:
        lines += [*textwrap.wrap(paragraph, LINE - 1), ""]
    return "\n".join([*lines[:-1], '"""'])


def stage_table(spec: ArchSpec) -> list[str]:
    """The sections of a network as an aligned table."""
    rows = [("part", "stride", "map", "width", "units")]
    for section in lay_out(spec).sections:
        counted: dict[str, int] = {}
        for unit in section.units:
            key = f"{unit.op}{unit.kernel}x{unit.kernel}{'+se' if unit.squeeze else ''}"
            counted[key] = counted.get(key, 0) + 1
        made = ", ".join(f"{count} {key}" for key, count in counted.items())
        side = side_text(section.side)
        rows.append((section.name, str(section.reduction), side, str(section.width), made))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = []
    for name, *numbers, made in rows:
        cells = [cell.rjust(size) for cell, size in zip(numbers, widths[1:], strict=True)]
        lines.append("  ".join([name.ljust(widths[0]), *cells, made]))
    return lines


def ending_lines(spec: ArchSpec) -> list[str]:
    """The last statements of `__init__`."""
    lines = [] if spec.bn_eps is None else [f"        set_bn_eps(self, {spec.bn_eps!r})"]
    lines += ["        set_same_padding(self)"] if spec.padding == "same" else []
    return [*lines, "        self.init_weights(zero_init_residual)"]


def section_lines(spec: ArchSpec, channels: str) -> list[str]:
    """The statements of `__init__` that build the stem, the stages and the head on images of `channels`."""
    layout, lines = lay_out(spec), []
    for section in layout.sections:
        lines += _section(section, channels)
    return lines if layout.head is not None else [*lines, "        self.head = nn.Identity()"]


def call(head: str, arguments: Sequence[str], indent: int, tail: str = "") -> list[str]:
    """`head(arguments)tail` on one line, or split as the formatter splits it."""
    pad = " " * indent
    line = f"{pad}{head}({', '.join(arguments)}){tail}"
    if len(line) <= LINE:
        return [line]
    inner = f"{pad}    {', '.join(arguments)}"
    if len(inner) <= LINE:
        return [f"{pad}{head}(", inner, f"{pad}){tail}"]
    return [f"{pad}{head}(", *(f"{pad}    {argument}," for argument in arguments), f"{pad}){tail}"]


def tuple_of(values: Sequence[int]) -> str:
    """A tuple of numbers."""
    return f"({values[0]},)" if len(values) == 1 else f"({', '.join(map(str, values))})"


def _section(section: Section, channels: str) -> list[str]:
    comment = f"  # {side_text(section.side)}"
    opening = channels if section.blocks[0].number == 0 else None
    if section.is_bare:
        head, arguments = _module(section.units[0], opening)
        lines = call(f"self.{section.name} = {head}", arguments, 8)
        return [lines[0] + comment, *lines[1:]]
    lines = [f"        self.{section.name} = nn.Sequential({comment}"]
    for row in section.blocks:
        lines += _block(row, opening)
        opening = None
    return [*lines, "        )"]


def _block(row: SectionBlock, channels: str | None) -> list[str]:
    """The units of a block: its first one or two, then those that are repeated, alone or in pairs."""
    lines, repeated = [], []
    for number, (unit, count) in enumerate(repeated_units(row.gene, row.units[0].in_width)):
        if count == 1:
            lines += call(*_module(unit, channels if number == 0 else None), 12, ",")
        elif count > 1:
            repeated.append((unit, count))
    if len(repeated) == 1:
        lines += _repeat(*repeated[0])
    elif repeated:
        lines += _repeat_pairs(*repeated)
    return lines


def _repeat(unit: Unit, count: int) -> list[str]:
    head, arguments = _module(unit)
    line = f"            *({head}({', '.join(arguments)}) for _ in range({count})),"
    if len(line) <= LINE:
        return [line]
    return ["            *(", *call(head, arguments, 16), f"                for _ in range({count})", "            ),"]


def _repeat_pairs(first: tuple[Unit, int], second: tuple[Unit, int]) -> list[str]:
    pairs = [*call(*_module(first[0]), 20, ","), *call(*_module(second[0]), 20, ",")]
    count = min(first[1], second[1])
    lines = ["            *(", "                unit", f"                for _ in range({count})"]
    lines += ["                for unit in (", *pairs, "                )", "            ),"]
    return lines if first[1] == count else [*lines, *call(*_module(first[0]), 12, ",")]


def _module(unit: Unit, channels: str | None = None) -> tuple[str, list[str]]:
    """The class of a unit's module, and the arguments that make it."""
    arguments = [f"{name}={_expression(value)}" for name, value in _arguments(unit).items()]
    return unit.kind.module_class(unit).__name__, [channels or str(unit.in_width), str(unit.width), *arguments]


def _arguments(unit: Unit) -> dict[str, Any]:
    return unit.kind.module_arguments(unit)


def _expression(value: Any) -> str:
    if isinstance(value, partial):
        options = [f"{name}={_expression(option)}" for name, option in value.keywords.items()]
        return f"partial({', '.join([_expression(value.func), *options])})"
    if isinstance(value, type):
        return f"nn.{value.__name__}" if _is_of_torch(value) else value.__name__
    return repr(value)


def _classes(unit: Unit) -> list[type]:
    """The classes that a unit's source names."""
    values = [value.func if isinstance(value, partial) else value for value in _arguments(unit).values()]
    classes = [unit.kind.module_class(unit), *(value for value in values if isinstance(value, type))]
    return [value for value in classes if not _is_of_torch(value)]


def _is_of_torch(value: type) -> bool:
    return value.__module__.partition(".")[0] == "torch"
