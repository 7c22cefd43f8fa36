"""Numbers in columns: they read back, they are aligned, and one column has one way to write them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zen_cli.metrics.columns import Kind
from zen_cli.ui.numbers import write_column, write_with_error
from zen_cli.units import format_count, parse_count, split_number, three_digits

SCALES = {"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
COUNTS = st.integers(1, 10**15 - 10**12)
REALS = st.floats(-1e14, 1e14, allow_nan=False)


def read(text: str) -> float:
    """A number as tables write it."""
    text = text.strip()
    if "e" in text:
        return float(text)
    value, suffix = split_number(text, "x", "write a number")
    return value * SCALES[suffix]


@given(COUNTS)
def test_a_count_reads_back_to_three_digits(count: int) -> None:
    text = format_count(count)
    assert parse_count(text) == pytest.approx(count, rel=0.005)
    digits = sum(character.isdigit() for character in text)
    assert digits == 3 or count < 1000
    assert len(text) <= 5


@given(st.floats(1, 999.4))
def test_three_digits_are_three_digits(value: float) -> None:
    text = three_digits(value)
    assert sum(character.isdigit() for character in text) == 3
    assert float(text) == pytest.approx(value, rel=0.005)


@given(st.lists(COUNTS, min_size=1))
def test_suffixes_of_a_column_of_counts_are_below_each_other(counts: list[int]) -> None:
    texts = write_column(counts, "count")
    if max(counts) >= 1000:
        assert all(text[-1] in " kMGT" for text in texts)


@given(st.lists(REALS, min_size=1))
def test_real_numbers_read_back_to_five_digits_of_the_largest(values: list[float]) -> None:
    texts = write_column(values, "real")
    largest = max(map(abs, values))
    for value, text in zip(values, texts, strict=True):
        assert read(text) == pytest.approx(value, rel=1e-4, abs=largest * 1e-4)


@given(st.lists(st.floats(1e-3, 1e14), min_size=1), st.sampled_from(["real", "nats"]))
def test_decimal_points_of_a_column_are_below_each_other(values: list[float], kind: Kind) -> None:
    texts = write_column(values, kind)
    assert len({len(text) - text.find(".") if "." in text else 0 for text in texts}) == 1


@given(st.lists(st.floats(1e-6, 1e6), min_size=1))
def test_no_score_and_no_error_is_written_as_zero(values: list[float]) -> None:
    for text in write_column(values, "nats"):
        assert float(text) > 0


def test_what_there_is_not_is_a_dash() -> None:
    for kind in ("text", "words", "integer", "count", "nats", "real", "share"):
        assert write_column([None], kind) == ["-"]
    assert write_with_error([1.5, 2.5], [None, None], "nats") == (["1.50", "2.50"], None)
    assert write_with_error([1.5, 2.5], [None, 0.004], "nats") == (["1.500", "2.500"], ["-", "0.004"])


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([22_000_000_000, 6_700_000, 4_630_000, 322], "count", ["22.0G", "6.70M", "4.63M", "322 "]),
        ([18, 7], "count", ["18", "7"]),
        ([195.8, 20.04], "nats", ["195.80", "20.04"]),
        ([170.0, 8.0], "real", ["170", "8"]),
        ([1.7e2, 3.25], "real", ["170.00", "3.25"]),
        ([3.7e19, 1.0], "real", ["3.7000e+19", "1.0000e+00"]),
        ([1.3e6, 2.5e5], "real", ["1.3000M", "0.2500M"]),
        ([0.0], "real", ["0"]),
        ([0.0072], "share", ["0.72%"]),
        ([100], "integer", ["100"]),
        (["a", None], "text", ["a", "-"]),
    ],
)
def test_a_column_has_one_way_to_write_numbers(values: list[float], kind: Kind, expected: list[str]) -> None:
    assert write_column(values, kind) == expected


def test_a_table_holds_no_infinity() -> None:
    with pytest.raises((OverflowError, ValueError)):
        write_column([math.inf], "nats")
