"""Numbers of a table's column, written so that they can be compared by eye: decimal points and suffixes are aligned."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from ..metrics.columns import Kind, Scalar
from ..units import format_count
from .layout import ABSENT

DIGITS = 5  # of the largest number in a column of real numbers
MAX_DECIMALS = 6
_SUFFIXES = {0: "", 3: "k", 6: "M", 9: "G", 12: "T"}


def write_column(values: Sequence[Scalar], kind: Kind) -> list[str]:
    """The cells of a column, one per value.

    `integer` has all digits, `count` and `bytes` three and a suffix (`4.63M`), `nats` the decimals that the smallest
    value needs, `real` five digits of the largest value and the same decimals and suffix in all cells, `share` is in
    per cent.
    """
    if kind in ("text", "words"):
        return [ABSENT if value is None else str(value) for value in values]
    numbers = [value for value in values if isinstance(value, (int, float))]
    write = _WRITERS[kind](numbers)
    return [write(value) if isinstance(value, (int, float)) else ABSENT for value in values]


def write_with_error(
    values: Sequence[Scalar], errors: Sequence[Scalar], kind: Kind
) -> tuple[list[str], list[str] | None]:
    """The cells of a column and of its standard errors with the same decimals; None if there are no errors."""
    if all(error is None for error in errors):
        return write_column(values, kind), None
    texts = write_column([*values, *errors], kind)
    return texts[: len(values)], texts[len(values) :]


def _integer(_: Sequence[float]) -> Callable[[float], str]:
    return lambda value: f"{value:d}"


def _count(numbers: Sequence[float]) -> Callable[[float], str]:
    """Counts with room for a suffix where another cell has one."""
    pad = any(format_count(number)[-1].isalpha() for number in numbers)

    def write(value: float) -> str:
        text = format_count(value)
        return text + " " if pad and not text[-1].isalpha() else text

    return write


def _nats(numbers: Sequence[float]) -> Callable[[float], str]:
    """Two decimals, or as many more as the smallest number needs to be seen."""
    sizes = [abs(number) for number in numbers if number]
    least = min(sizes, default=1.0)
    decimals = min(MAX_DECIMALS, max(2, -math.floor(math.log10(least))))
    return lambda value: f"{value:.{decimals}f}"


def _real(numbers: Sequence[float]) -> Callable[[float], str]:
    """One scale and one number of decimals for the whole column, chosen by its largest number."""
    if all(float(number).is_integer() and abs(number) < 10**DIGITS for number in numbers):
        return lambda value: f"{value:.0f}"
    largest = max((abs(number) for number in numbers), default=0.0)
    exponent = math.floor(math.log10(largest)) if largest else 0
    scale = 0 if exponent < DIGITS else 3 * (exponent // 3)
    if exponent < -3 or scale not in _SUFFIXES:
        return lambda value: f"{value:.{DIGITS - 1}e}"
    decimals = DIGITS - 1 - (exponent - scale)
    return lambda value: f"{value / 10**scale:.{max(0, decimals)}f}{_SUFFIXES[scale]}"


def _share(_: Sequence[float]) -> Callable[[float], str]:
    return lambda value: f"{value:.2%}"


_WRITERS: dict[str, Callable[[Sequence[float]], Callable[[float], str]]] = {
    "integer": _integer,
    "count": _count,
    "bytes": _count,
    "nats": _nats,
    "real": _real,
    "share": _share,
}
