"""Flat rows as CSV (RFC 4180): commas, lines that end with CR LF, quotes where a text needs them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any


def csv_row(values: Iterable[str | int | float | bool | None]) -> bytes:
    """One line: numbers with all their digits, true and false, nothing for None."""
    text = io.StringIO()
    cells = [str(value).lower() if isinstance(value, bool) else value for value in values]
    csv.writer(text, lineterminator="\r\n").writerow(cells)
    return text.getvalue().encode()


def flatten(document: Mapping[str, Any]) -> dict[str, Any]:
    """A document with its objects spread out: `{"limits": {"params": 1}}` is `{"limits_params": 1}`."""
    row: dict[str, Any] = {}
    for key, value in document.items():
        if isinstance(value, Mapping):
            row |= {f"{key}_{name}": inner for name, inner in flatten(value).items()}
        else:
            row[key] = value
    return row
