"""Tables as lines of text that fit a width. Pure: nothing here knows a terminal.

Where the width is short, columns are left out by priority; where that is not enough, each row becomes a few lines. What
a reader must type is never broken or cut: a cell of a column that does not wrap is whole at every width.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

from ..errors import printable

Style: TypeAlias = Literal["", "bold", "dim"]

SPACE = "  "
INDENT = "  "
ABSENT = "-"  # the cell of a missing value
MIN_WRAPPED = 20  # columns that a text needs to be readable when it is wrapped


class Line(NamedTuple):
    """One line of text and how it looks."""

    text: str
    style: Style = ""


class Field(NamedTuple):
    """A column of a table.

    `drop` says when it is left out for lack of width: never for 0, else the highest first. A cell of a column that
    `wraps` may go over several lines, broken at spaces.
    """

    title: str
    cells: Sequence[str]
    right: bool = True
    drop: int = 0
    wraps: bool = False


@dataclass(frozen=True)
class Sheet:
    """A table: its columns, and the lines around them.

    Attributes:
        fields: the columns; the first one heads each row where rows become several lines.
        title: above it.
        captions: below it.
        sections: texts above the rows of these numbers.
    """

    fields: Sequence[Field]
    title: str = ""
    captions: Sequence[str] = ()
    sections: Mapping[int, str] = field(default_factory=dict)


def lay_out(sheet: Sheet, width: int) -> list[Line]:
    """The lines of a table; only a word or an unbreakable cell that is wider than `width` makes a line wider."""
    rows = [row._replace(title=printable(row.title), cells=[*map(printable, row.cells)]) for row in sheet.fields]
    fields, left_out = fit(rows, width)
    lines = [Line(text, "bold") for text in wrap(printable(sheet.title), width)]
    if fields is None:
        lines += _stack(rows, sheet.sections, width)
    else:
        lines += _tabulate(fields, sheet.sections, width)
    captions = list(sheet.captions)
    if left_out:
        captions.append(f"left out for lack of width: {', '.join(left_out)}")
    return lines + [Line(text, "dim") for caption in captions for text in wrap(printable(caption), width)]


def fit(fields: Sequence[Field], width: int) -> tuple[list[Field] | None, list[str]]:
    """The columns that fit side by side, and the titles of those left out; (None, []) where not even the most
    important ones fit.
    """
    kept, left_out = list(fields), []
    while _least_width(kept) > width:
        last = max(kept, key=lambda row: row.drop)
        if last.drop == 0:
            return None, []
        kept.remove(last)
        left_out.append(last.title)
    return kept, [row.title for row in fields if row.title in left_out and row.title]


def wrap(text: str, width: int) -> list[str]:
    """Breaks a text at spaces into lines of at most `width` columns; a longer word stays whole."""
    lines: list[str] = []
    for part in text.splitlines():
        line, used = "", 0
        for word in part.split():
            size = cells(word)
            if line and used + 1 + size > width:
                lines.append(line)
                line, used = word, size
            else:
                line, used = (f"{line} {word}", used + 1 + size) if line else (word, used + size)
        lines.append(line)
    return lines


def cells(text: str) -> int:
    """Columns that a text takes on a terminal."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def pack(items: Sequence[str], width: int, space: str = SPACE) -> list[str]:
    """Puts items side by side, as many on a line as fit, none of them broken."""
    lines: list[str] = []
    for item in items:
        if lines and cells(lines[-1]) + len(space) + cells(item) <= width:
            lines[-1] += space + item
        else:
            lines.append(item)
    return lines


def crop(text: str, width: int) -> str:
    """The beginning of a text that takes at most `width` columns, for what is drawn over and over in one place."""
    if cells(text) <= width:
        return text
    from rich.cells import set_cell_size

    return set_cell_size(text, width)


def _widest(row: Field) -> int:
    return max(map(cells, (row.title, *row.cells)))


def _longest_word(row: Field) -> int:
    return max((cells(word) for text in (row.title, *row.cells) for word in text.split()), default=0)


def _least_width(fields: Sequence[Field]) -> int:
    widths = [min(_widest(row), max(MIN_WRAPPED, _longest_word(row))) if row.wraps else _widest(row) for row in fields]
    return sum(widths) + len(SPACE) * (len(fields) - 1)


def _tabulate(fields: Sequence[Field], sections: Mapping[int, str], width: int) -> Iterator[Line]:
    """Titles, a rule and the rows; the width that is left goes to the columns that wrap, in order."""
    spare = width - _least_width(fields)
    widths = []
    for row in fields:
        size = _widest(row)
        if row.wraps:
            least = min(size, max(MIN_WRAPPED, _longest_word(row)))
            size = min(size, least + spare)
            spare -= size - least
        widths.append(size)
    yield Line(_join([row.title for row in fields], fields, widths), "bold")
    total = sum(widths) + len(SPACE) * (len(fields) - 1)
    yield Line("─" * total, "dim")
    for index in range(len(fields[0].cells)):
        if index in sections:
            label = f"── {sections[index]} "
            yield Line(label + "─" * (total - cells(label)), "dim")
        parts = [
            wrap(row.cells[index], size) or [""] if row.wraps else [row.cells[index]]
            for row, size in zip(fields, widths, strict=True)
        ]
        for number in range(max(map(len, parts))):
            yield Line(_join([part[number] if number < len(part) else "" for part in parts], fields, widths))


def _join(texts: Sequence[str], fields: Sequence[Field], widths: Sequence[int]) -> str:
    padded = []
    for text, row, size in zip(texts, fields, widths, strict=True):
        room = " " * (size - cells(text))
        padded.append(room + text if row.right else text + room)
    return SPACE.join(padded).rstrip()


def _stack(fields: Sequence[Field], sections: Mapping[int, str], width: int) -> Iterator[Line]:
    """Each row as a heading and its other values below it, as many on a line as fit."""
    head, *rest = fields
    room = width - len(INDENT)
    for index, name in enumerate(head.cells):
        if index in sections:
            yield Line(f"── {sections[index]} ──", "dim")
        yield Line(name, "bold")
        values = [(row, row.cells[index].strip()) for row in rest]
        values = [(row, value) for row, value in values if value not in ("", ABSENT)]
        short = [part for row, value in values if not row.wraps for part in _labelled(row.title, value, room)]
        long = [f"{row.title} {value}".strip() for row, value in values if row.wraps]
        for line in (*pack(short, room), *(line for text in long for line in wrap(text, room))):
            yield Line(INDENT + line)


def _labelled(title: str, value: str, room: int) -> list[str]:
    """A value after its title; where they do not fit on one line, each on its own."""
    text = f"{title} {value}".strip()
    return [text] if cells(text) <= room else [part for part in (title, value) if part]
