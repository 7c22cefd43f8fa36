"""Laws of numbers as people write them: exact, in ASCII digits, and never more than 64 bits."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from zen_cli.errors import UsageError
from zen_cli.nas.budget import Budget, parse_budget
from zen_cli.nas.limits import Limits, LimitsField, limit_names, parse_limit, write_least, write_limit
from zen_cli.units import LARGEST, parse_count, parse_real, parse_share, split_number

SCALES = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "b": 10**9, "T": 10**12}


@given(st.integers(1, LARGEST))
def test_every_whole_number_of_64_bits_reads_back(number: int) -> None:
    assert parse_count(str(number)) == parse_count(f" {number:_} ") == number


@given(st.decimals(0, 10**6, places=6), st.sampled_from(sorted(SCALES)))
def test_a_count_is_the_exact_product_of_number_and_suffix(number: Decimal, suffix: str) -> None:
    value = number * SCALES[suffix]
    if value >= 1 and value == int(value):
        assert parse_count(f"{number}{suffix}") == value
        return
    with pytest.raises(UsageError, match=r"too small; use at least 1|not a whole number"):
        parse_count(f"{number}{suffix}")


@given(st.sampled_from(limit_names()), st.integers(1, 10**10))
def test_a_bound_reads_back_and_the_least_one_is_kept(name: str, bound: int) -> None:
    assert parse_limit(name, write_limit(name, bound), "x") == bound
    least = parse_limit(name, write_least(name, bound), "x")
    assert bound <= least <= 1.001 * bound


def test_bounds_are_written_as_options_take_them() -> None:
    rows = ("params", 1.05e6), ("memory", 320e3), ("memory", 1 << 20), ("latency", 0.5), ("depth_width_ratio", 0.25)
    assert [write_limit(*row) for row in rows] == ["1.05M", "320kB", "1.048576MB", "0.5ms", "0.25"]
    assert [write_least(*row) for row in (("macs", 10936525), ("latency", 0.886718))] == ["10.94M", "0.8868ms"]


@given(st.text(max_size=12) | st.text(alphabet="0123456789.eE+-_kMGT% \x1c٣", max_size=12))
def test_any_text_is_a_number_or_an_error_of_one_line(text: str) -> None:
    for parse in (
        lambda: parse_count(text, "x"),
        lambda: parse_real(text, "x", least=0, most=1e300),
        lambda: parse_share(text, "x"),
        lambda: parse_budget([text], "x"),
    ):
        try:
            value = parse()
        except UsageError as error:
            message = str(error)
            assert message.startswith("x: ")
            assert message.isprintable()
            continue
        numbers = [number for number in value if number is not None] if isinstance(value, Budget) else [value]
        assert all(math.isfinite(number) for number in numbers)


@pytest.mark.parametrize(
    ("texts", "budget"),
    [
        (["480000evals"], Budget(evaluations=480_000)),
        (["480kevals"], Budget(evaluations=480_000)),
        (["1.5Mevals", "2e6evals"], Budget(evaluations=1_500_000)),
        (["1eval"], Budget(evaluations=1)),
        (["30s"], Budget(seconds=30)),
        (["10min"], Budget(seconds=600)),
        (["10m"], Budget(seconds=600)),
        (["2h"], Budget(seconds=7200)),
        (["2 hours"], Budget(seconds=7200)),
        (["1d", "2h"], Budget(seconds=7200)),
        (["0.5gpu-day"], Budget(device_seconds=43_200)),
        (["12gpu-hours"], Budget(device_seconds=43_200)),
        (["12GPU-h"], Budget(device_seconds=43_200)),
        (["1h", "10evals", "1gpu-hour"], Budget(10, 3600, 3600)),
        ([], Budget()),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_budgets_are_read_as_people_write_them(texts: list[str], budget: Budget) -> None:
    assert parse_budget(texts) == budget


@given(st.integers(1, LARGEST), st.floats(1e-6, 1e18))
def test_a_budget_and_limits_read_back_from_their_stored_form(evaluations: int, seconds: float) -> None:
    budget = parse_budget([f"{evaluations}evals", f"{seconds!r}s"])
    assert budget == Budget(evaluations, seconds)
    limits = Limits(params=evaluations, depth_width_ratio=seconds)
    for row, stored in ((budget, Budget), (limits, LimitsField)):
        kind: TypeAdapter[Any] = TypeAdapter(stored)
        assert kind.validate_json(kind.dump_json(row)) == row


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ({"params": 0}, LimitsField),
        ({"params": "1"}, LimitsField),
        ({"params": True}, LimitsField),
        ({"speed": 1}, LimitsField),
        ({"macs": -1}, LimitsField),
        ({"layers": 2**63}, LimitsField),
        ({"depth_width_ratio": 0}, LimitsField),
        ({"depth_width_ratio": math.inf}, LimitsField),
        ({"evaluations": 0}, Budget),
        ({"seconds": math.inf}, Budget),
        ({"seconds": 0}, Budget),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_a_stored_limit_or_budget_that_cannot_be_is_refused(row: dict[str, object], kind: Any) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(row)


def test_counts_and_shares_are_read_as_people_write_them() -> None:
    counts = {
        "1M": 10**6,
        "1.05e6": 1_050_000,
        "400M": 4 * 10**8,
        "18": 18,
        "1_000": 1000,
        "2G": 2 * 10**9,
        "0.5k": 500,
        "8.44G": 8_440_000_000,
        "1e9": 10**9,
    }
    assert {text: parse_count(text) for text in counts} == counts
    assert (parse_share("1%", "x"), parse_share("0.01", "x")) == (0.01, 0.01)
    assert parse_real("1e-4", "x", least=0, most=1) == 1e-4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not a number"),
        ("M", "is not a number"),
        ("1M2", "is not a number"),
        ("--", "is not a number"),
        ("∞", "is not a number"),
        ("0x10", "is not a number"),
        ("224x224", "is not a number"),
        ("٣", "is not a number"),
        ("1__0", "is not a number"),
        ("_1", "is not a number"),
        ("3\x1c", "is not a number"),
        ("1e1000", "is not a number"),
        ("9" * 101, "is not a number"),
        ("1X", "unknown suffix"),
        ("0", "is too small; use at least 1"),
        ("-5", "is too small; use at least 1"),
        ("1e-300", "is too small; use at least 1"),
        ("1.5", "is not a whole number"),
        ("1e30", f"is too large; use at most {LARGEST}"),
        ("1e300T", "is too large"),
        (str(LARGEST + 1), "is too large"),
    ],
)
def test_what_is_no_count_is_said(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        parse_count(text, "max_params")
    assert str(caught.value).startswith("max_params: ")
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1e308d", "is too large"),
        ("1e400evals", "is too large"),
        ("0evals", "is too small"),
        ("0.5evals", "is too small"),
        ("1e-300s", "is too small"),
        ("-1h", "is too small"),
        ("10", "unknown unit"),
        ("10 parsecs", "unknown unit"),
        ("gpu-day", "is not a number"),
    ],
)
def test_what_is_no_budget_is_said(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=f"^budget: .*{message}"):
        parse_budget([text])


def test_shares_and_reals_keep_their_bounds() -> None:
    for text in ("1", "101%", "-1%", "1e300", "1k"):
        with pytest.raises(UsageError, match=r"^gap: "):
            parse_share(text, "gap")
    for text in ("2", "-1", "nan", "inf", "1k", "1e999"):
        with pytest.raises(UsageError, match=r"^alpha: "):
            parse_real(text, "alpha", least=0, most=1)


def test_a_text_longer_than_a_number_needs_is_refused_and_cut_in_the_message() -> None:
    for text in (" " * 400_000 + "x", "1" * 400_000, "1e" + "0" * 400_000, "1_" * 200_000):
        with pytest.raises(UsageError) as caught:
            split_number(text, "x", "write a number")
        assert len(str(caught.value)) < 200
