"""Answers on stdout: records as JSON lines as they come, or as an array, CSV or a table; and listings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from .options import Format, emit

if TYPE_CHECKING:
    from ..metrics.columns import Column
    from ..metrics.ordering import Order
    from ..metrics.records import ScoreRecord


class View(NamedTuple):
    """What to show of records: `columns` of a table or of CSV (None: the usual ones), their order, the first `top`."""

    columns: Sequence[Column] | None = None
    order: Order | None = None
    top: int | None = None


class Writer:
    """Writes records to stdout: lines as they come where their order is free, everything else at the end."""

    def __init__(self, style: Format, view: View) -> None:
        from ..metrics.ordering import Selection

        self._style, self._view = style, view
        self._selection = Selection(view.order, view.top)
        self._streams = style in ("jsonl", "csv") and view.order is None and view.top is None
        self._header = style != "csv"  # whether it is written

    def write(self, record: ScoreRecord) -> None:
        """Takes one record."""
        if self._streams:
            self._write_line(record)
        else:
            self._selection.add(record)

    def close(self) -> None:
        """Writes what waits for the end."""
        records = self._selection.records()
        if self._style == "table":
            from ..ui.tables import print_records

            print_records(records, self._view.columns)
        elif self._style == "json":
            emit(json_array([record.to_bytes(indent=True) for record in records]))
        else:
            for record in records:
                self._write_line(record)

    def _write_line(self, record: ScoreRecord) -> None:
        if self._style == "csv":
            from ..formats.csv_rows import csv_row

            row = record.row()
            names = list(row) if self._view.columns is None else [column.name for column in self._view.columns]
            if not self._header:
                emit(csv_row(names))
                self._header = True
            emit(csv_row(row[name] for name in names))
        else:
            emit(record.to_bytes() + b"\n")


@contextmanager
def records(style: Format, view: View | None = None) -> Iterator[Writer]:
    """A writer that is closed also when an error ends the command, so that what was computed is not lost."""
    writer = Writer(style, view or View())
    try:
        yield writer
    finally:
        writer.close()


def write_listing(style: Format, documents: Sequence[Mapping[str, Any]], print_table: Callable[[], None]) -> None:
    """Writes what an option lists: a table by `print_table`, or the documents as JSON, JSON lines or CSV."""
    if style == "table":
        print_table()
        return
    import orjson

    if style == "json":
        emit(json_array([orjson.dumps(row, option=orjson.OPT_INDENT_2) for row in documents]))
    elif style == "jsonl":
        emit(b"".join(orjson.dumps(row) + b"\n" for row in documents))
    else:
        from ..formats.csv_rows import csv_row, flatten

        rows = [flatten(row) for row in documents]
        header = list(dict.fromkeys(name for row in rows for name in row))
        emit(csv_row(header) + b"".join(csv_row(row.get(name) for name in header) for row in rows))


def json_array(items: Sequence[bytes]) -> bytes:
    """JSON values as one array, each from a line of its own."""
    return b"[\n" + b",\n".join(items) + b"\n]\n" if items else b"[]\n"
