"""The default search: an announced limit, two stages, a band of evenness that the answer keeps."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from cli import Zen

from zen_cli import ArchSpec, parse_spec
from zen_cli.errors import UsageError
from zen_cli.metrics import find
from zen_cli.metrics.evenness import best_units, network_evenness
from zen_cli.metrics.settings import ScoreSettings
from zen_cli.nas.answer import search
from zen_cli.nas.outcome import Outcome
from zen_cli.nas.request import check_request
from zen_cli.nas.settings import SearchSettings

SMALL: dict[str, Any] = {"resolution": 32, "num_classes": 10, "max_macs": "20M", "verify": 0}


def settings_of(**more: Any) -> SearchSettings:
    return check_request({**SMALL, "budget": ("5kevals",), **more})


@cache
def found(space: str, width: str | None = None) -> Outcome:
    """A search that several tests look at."""
    return search(settings_of(space=space, top=50, evenness=width))


def evenness(spec: ArchSpec) -> float:
    return find("even").evaluate(spec, ScoreSettings()).value


@pytest.mark.parametrize("space", ["mobile", "resnet", "regnet"])
def test_every_network_of_the_answer_is_in_the_band(space: str) -> None:
    outcome = found(space)
    band = outcome.band
    assert band is not None
    assert outcome.evaluations <= 5000
    assert len(outcome.candidates) > 1
    for candidate in outcome.candidates:
        assert band.best - 0.05 <= evenness(candidate.spec)
        units = network_evenness(candidate.spec.genes, 3, 32).residual_units
        assert units <= band.most_units
        assert candidate.spec.cost.macs <= 20e6
    assert band.most_units >= 1.5 * best_units(20e6)


def test_the_band_costs_score_and_buys_evenness() -> None:
    inside, outside = found("mobile"), found("mobile", "off")
    assert outside.band is None
    assert outside.candidates[0].score > inside.candidates[0].score
    assert evenness(outside.candidates[0].spec) < evenness(inside.candidates[0].spec)


def test_a_narrower_band_has_a_lower_score() -> None:
    scores = [found("mobile", width).candidates[0].score for width in ("0", None, "0.5")]
    assert scores == sorted(scores)


def test_the_same_seed_gives_the_same_band_and_answer() -> None:
    first, second = found("mobile"), search(settings_of(top=50))
    assert (first.band, first.candidates) == (second.band, second.candidates)


def test_limits_are_added_where_none_is_given() -> None:
    notes: list[str] = []

    def macs(**given: Any) -> int | None:
        notes.clear()
        return check_request(given, note=notes.append).limits.macs

    assert macs() == macs(space="mobile") == 300_000_000
    assert notes == ["MACs limited to 300M, the default for mobile at 224 pixels; max_macs sets another limit"]
    assert macs(resolution=112) == 75_000_000
    assert macs(space="resnet") == macs(space="regnet") == macs(space="zennet-resnet") == 4_100_000_000
    assert macs(max_params="4M") == macs(max_params="4M", resolution=32) == 4_000_000 * 14**2
    assert len(notes) == 1  # told once
    assert macs(max_macs="40M") == 40_000_000
    assert macs(space="zennet-resnet", max_params="1M") is None
    assert check_request(dict(preset="imagenet-400m"), note=notes.append).limits.macs == 400_300_000
    assert notes == []


def test_a_band_is_the_default_where_a_space_has_rules() -> None:
    def width(**given: Any) -> float | None:
        return check_request(given).evenness

    assert width() == width(space="regnet") == width(preset="imagenet-400m", space="mobile") == 0.05
    assert width(rules="none") is width(preset="cifar-1m") is width(proxy="even") is width(evenness="off") is None
    assert width(preset="cifar-1m", evenness="0.1") == 0.1
    for text in ("of", "-1", "nan", "1e9"):
        with pytest.raises(UsageError, match=r"^evenness: "):
            width(evenness=text)


def test_zen_is_an_objective_like_any_other() -> None:
    assert check_request(dict(proxy="zen")).proxy is None
    assert check_request(dict(proxy="even")).proxy == "even"


def test_a_time_is_a_ceiling() -> None:
    settings = check_request(dict(budget=("0.5gpu-day",)))
    assert settings.budget.evaluations is not None
    assert settings.patience == 1
    proven = check_request(dict(preset="cifar-1m", budget=("1h",)))  # by the exact search
    assert (proven.budget.evaluations, proven.patience) == (settings.budget.evaluations, 1)
    open_ended = dict(preset="cifar-1m", proxy="balanced", budget=("1h",))
    assert check_request(open_ended).budget.evaluations is None


def test_a_command_says_its_limit_and_the_record_has_the_band(zen: Zen) -> None:
    words = ["--resolution", "32", "--num-classes", "10", "--budget", "3kevals", "--verify", "0", "--top", "2"]
    done = zen("search", *words)
    assert done.code == 0, done.err
    assert "--max-macs sets another limit" in done.err
    assert "below the best found" in done.err
    for row in done.rows:
        part = row["search"]["evenness"]
        assert part["value"] == pytest.approx(evenness(parse_spec(row["arch"])))
        assert part["best"] - part["width"] <= part["value"] + 1e-9
        assert part["best_is"] == "found"
        assert sum(part["shares"].values()) == pytest.approx(1)
    words += ["--algorithm", "evolution"]
    assert "evenness" not in zen("search", *words, "--evenness", "off").rows[0]["search"]
    assert zen("search", *words, "--objective", "even", "--top", "1").rows[0]["search"]["proxy"] == "even"


def test_a_resumed_search_has_the_same_answer(zen: Zen) -> None:
    words = ["--resolution", "32", "--num-classes", "10", "--verify", "0"]
    whole = zen("search", *words, "--budget", "6kevals", "--out", "whole")
    assert zen("search", "--resume", "whole", "--budget", "6kevals").out == whole.out
