"""A user's table of trained networks: CSV with a column of networks and one of accuracies."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..errors import SourceError, UsageError, nearest, reason, shorten
from ..formats.base import Overrides
from ..formats.reading import read
from ..net.spec import ArchSpec

NETWORK_COLUMNS = ("network", "arch", "spec", "architecture", "structure", "net")
ACCURACY_COLUMNS = ("accuracy", "acc", "top1", "top-1", "test_acc", "val_acc", "test_accuracy", "val_accuracy")
DELIMITERS = ",;\t"
LEAST_NETWORKS = 10
MOST_CELL = 16 * 2**20  # characters of a cell, which may be a spec


class Trained(NamedTuple):
    """A network, its accuracy, the mean over its rows, and how many rows it has."""

    spec: ArchSpec
    accuracy: float
    rows: int


def read_table(
    source: str,
    *,
    network: str | None = None,
    accuracy: str | None = None,
    overrides: Overrides | None = None,
    find: Callable[[str], bytes | None] = lambda _: None,
) -> list[Trained]:
    """The networks of a CSV file in order; rows of the same network, such as its training seeds, are averaged.

    Args:
        source: a file, or `-` for stdin. Its first line names the columns, separated by commas, semicolons or tabs.
        network: the column of networks, each a structure string, a spec as JSON, a file, or a word that `find` knows;
            None: the first of `NETWORK_COLUMNS`.
        accuracy: the column of accuracies, higher is better; None: the first of `ACCURACY_COLUMNS`.
        overrides: what is said instead of the specs.
        find: as for `read`.

    Raises:
        UsageError: there is no such column.
        InputError: a row has no network or no finite accuracy; all accuracies are equal, or there are too few networks.
    """
    label = "stdin" if source == "-" else source
    csv.field_size_limit(MOST_CELL)
    text = _text(source, label)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    found: dict[str, list[float]] = {}
    specs: dict[str, ArchSpec] = {}
    try:
        header = [name.strip().removeprefix("\ufeff") for name in next(lines, [])]
        if not any(header):
            raise SourceError(f"{label}: is empty; give CSV with columns such as network,accuracy")
        places = (
            _column(header, network, NETWORK_COLUMNS, "network", label),
            _column(header, accuracy, ACCURACY_COLUMNS, "accuracy", label),
        )
        for cells in lines:
            if not any(map(str.strip, cells)):
                continue
            where = f"{label}:{lines.line_num}"
            if len(cells) != len(header):
                fault = f"{len(cells)} cells, but the header has {len(header)}"
                raise SourceError(f"{where}: {fault}; quote a cell that holds a delimiter")
            value = _accuracy(cells[places[1]], f"{where}: {header[places[1]]}")
            spec = _network(cells[places[0]].strip(), f"{where}: {header[places[0]]}", overrides, find)
            specs.setdefault(spec.id, spec)
            found.setdefault(spec.id, []).append(value)
    except csv.Error as error:
        raise SourceError(f"{label}:{lines.line_num}: is no CSV, {error}; quote cells that hold quotes") from None
    rows = [Trained(specs[key], math.fsum(values) / len(values), len(values)) for key, values in found.items()]
    _check(rows, label)
    return rows


def _text(source: str, label: str) -> str:
    import sys

    try:
        if source == "-":
            data = b"" if sys.stdin is None else sys.stdin.buffer.read()
        else:
            with open(source, "rb") as file:
                data = file.read()
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(f"{label}: is not UTF-8 (byte {error.start + 1}); save it as UTF-8") from None
    except OSError as error:
        raise SourceError(f"{label}: cannot be read, {reason(error)}; name a CSV file, or - for stdin") from None


def _delimiter(text: str) -> str:
    header = text.partition("\n")[0]
    return max(DELIMITERS, key=header.count)


def _column(header: Sequence[str], name: str | None, usual: Sequence[str], field: str, label: str) -> int:
    """The place of a column by the name that was given, or by the first usual one, in any case of letters."""
    if name is not None:
        if name not in header:
            raise UsageError(f"{field}: {label} has no column {name!r}; {nearest(name, filter(None, header))}")
        return header.index(name)
    known = {column.lower(): place for place, column in reversed(list(enumerate(header)))}
    for word in usual:
        if word in known:
            return known[word]
    columns = shorten(", ".join(filter(None, header)), 200)
    raise UsageError(f"{field}: {label} has no column {usual[0]!r}; name one of its columns: {columns}")


def _accuracy(text: str, where: str) -> float:
    try:
        value = float(text.strip().removesuffix("%"))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise SourceError(f"{where}: {shorten(text)!r} is not a number; give an accuracy, or leave the row out")
    return value


def _network(text: str, where: str, overrides: Overrides | None, find: Callable[[str], bytes | None]) -> ArchSpec:
    if not text or text == "-":
        raise SourceError(f"{where}: is empty; give a structure string, a spec as JSON, or a file")
    items = list(read([text], overrides, find))
    for item in items:
        if item.error is not None:
            raise type(item.error)(f"{where}: {re.sub(r'^argument(:1)?: ', '', str(item.error))}")
    if len(items) != 1 or items[0].spec is None:
        raise SourceError(f"{where}: holds {len(items)} networks; give one a row")
    return items[0].spec


def _check(rows: Sequence[Trained], label: str) -> None:
    if len(rows) < LEAST_NETWORKS:
        have = f"{len(rows)} network{'s' * (len(rows) != 1)}"
        raise SourceError(f"{label}: has {have}; statistics need at least {LEAST_NETWORKS} different ones")
    if len({row.accuracy for row in rows}) == 1:
        raise SourceError(f"{label}: all networks have the same accuracy; there is nothing to rank")
