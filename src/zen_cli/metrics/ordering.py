"""The order of records: by any column, best first, and only the first of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from .columns import Column, find_column
from .records import ScoreRecord

SLACK = 1024


class Order(NamedTuple):
    """An order by a column, best first: the highest score, the lowest cost, names from A to Z.

    Records without a value in the column come last, and equal ones keep their order.
    """

    column: Column
    reverse: bool = False

    def sort(self, records: list[ScoreRecord]) -> list[ScoreRecord]:
        """The records in this order."""
        present = [record for record in records if self.column.of(record) is not None]
        absent = [record for record in records if self.column.of(record) is None]
        present.sort(key=self._value, reverse=(self.column.better == "higher") != self.reverse)
        return present + absent

    def _value(self, record: ScoreRecord) -> Any:
        return self.column.rank(record)


def parse_order(text: str, known: Mapping[str, Column], where: str = "sort") -> Order:
    """An order from the name of a column; a minus before it puts the worst first.

    Raises:
        UsageError: no column has this name; `where` is the field that named it.
    """
    return Order(find_column(text.removeprefix("-"), known, where), text.startswith("-"))


class Selection:
    """Collects records and hands them out in an order; with `top` it keeps few more than those.

    Args:
        order: of the records; None: as they come.
        top: how many to hand out; None: all.
    """

    def __init__(self, order: Order | None = None, top: int | None = None) -> None:
        self._order, self._top = order, top
        self._records: list[ScoreRecord] = []

    def __len__(self) -> int:
        return len(self._records)

    def add(self, record: ScoreRecord) -> None:
        """Takes one record."""
        self._records.append(record)
        if self._top is not None and len(self._records) > self._top + SLACK:
            self._records = self.records()

    def records(self) -> list[ScoreRecord]:
        """The records so far, in order."""
        rows = self._records if self._order is None else self._order.sort(self._records)
        return rows[: self._top]
