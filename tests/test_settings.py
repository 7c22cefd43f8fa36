"""The settings of a score: one home of bounds, and messages that name the field and what would do."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from zen_cli.errors import UsageError
from zen_cli.metrics.fields import bounds, choices
from zen_cli.metrics.settings import MIN_ALPHA, ScoreSettings, check_settings

NUMBERS = ("alpha", "batch_size", "draws", "precision", "seed")
WORDS = ("estimator", "convention", "norm", "precision_mode")


@given(st.sampled_from(NUMBERS), st.one_of(st.integers(-(2**70), 2**70), st.floats(), st.floats(0, 2000)))
def test_the_model_and_the_check_agree_on_every_number(name: str, value: float) -> None:
    low, high = bounds(ScoreSettings, name)
    assert low is not None and high is not None
    whole = name not in ("alpha", "precision")
    fits = low <= value <= high and not (whole and value != int(value))
    for make in (ScoreSettings.model_validate, lambda given: check_settings(**given)):
        try:
            assert getattr(make({name: value}), name) == value
            assert fits
        except (UsageError, ValidationError):
            assert not fits


@pytest.mark.parametrize("name", NUMBERS)
def test_the_ends_of_each_range_are_in_it_and_the_message_gives_them(name: str) -> None:
    low, high = bounds(ScoreSettings, name)
    assert low is not None and high is not None
    for value in (low, high):
        assert getattr(check_settings(**{name: value}), name) == value
    for value in (low - 1, high * 2):
        with pytest.raises(UsageError) as caught:
            check_settings(**{name: value})
        assert str(caught.value) == f"{name}: {value} is out of range; use {text(low)} to {text(high)}"


def text(bound: float) -> str:
    return f"{bound:.15g}" if isinstance(bound, float) else str(bound)


@pytest.mark.parametrize("name", WORDS)
def test_each_word_is_taken_and_another_gives_the_nearest(name: str) -> None:
    words = choices(ScoreSettings, name)
    assert len(words) > 1
    for word in words:
        assert getattr(check_settings(**{name: word, "alpha": 0.1}), name) == word
    with pytest.raises(UsageError, match=f"^{name}: unknown '{words[-1]}x'; did you mean \"{words[-1]}\""):
        check_settings(**{name: words[-1] + "x"})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sed": 1}, 'sed: is no setting; did you mean "seed"?'),
        ({"draws": 2.5}, "draws: 2.5 is not a whole number; use 1 to 1000000"),
        ({"draws": "many"}, "draws: 'many' is not a number; use 1 to 1000000"),
        ({"seed": 1e300}, "seed: 1e+300 is out of range; use 0 to 9223372036854775807"),
        ({"alpha": float("nan")}, "alpha: nan is out of range; use 1e-12 to 1000"),
        ({"device": "cuda:x"}, "device: unknown 'cuda:x'; use auto, cpu, cuda, cuda:0 or cuda:0,1"),
        ({"draws": 4, "precision": 0.1}, "draws: given together with precision; keep one of the two"),
        (
            {"precision_mode": "bfloat16"},
            "precision_mode: bfloat16 rounds away a perturbation of 0.01; use an alpha of 0.05 or more, or auto",
        ),
    ],
    ids=str,
)
def test_a_message_is_field_fault_and_fix(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_settings(**values)
    assert str(caught.value) == message


@pytest.mark.parametrize("mode", MIN_ALPHA)
def test_a_mode_is_refused_below_the_alpha_that_it_keeps_by_the_model_too(mode: Any) -> None:
    assert ScoreSettings(precision_mode=mode, alpha=MIN_ALPHA[mode]).precision_mode == mode
    with pytest.raises(ValidationError, match="rounds away"):
        ScoreSettings(precision_mode=mode, alpha=MIN_ALPHA[mode] / 2)


def test_the_norm_follows_the_convention_where_it_is_not_given() -> None:
    assert (check_settings().norm, check_settings(convention="zennas").norm) == ("frobenius", "l1")
    assert check_settings(convention="zennas", norm="frobenius").norm == "frobenius"


def test_what_is_none_is_left_at_its_default_and_settings_read_back() -> None:
    assert check_settings(**dict.fromkeys(ScoreSettings.model_fields)) == ScoreSettings()
    settings = check_settings(precision=0.1, convention="zennas", norm="frobenius")
    assert ScoreSettings.model_validate_json(settings.model_dump_json()) == settings
