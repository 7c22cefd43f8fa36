"""Laws of the Monte-Carlo score: determinism, independence of neighbours, agreement with other computations."""

from __future__ import annotations

import math
import random
import statistics
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import layers_of, one_draw
from strategies import specs

from zen_cli import ArchSpec, ScoreRecord, ZenError, parse_plainnet, parse_spec, score
from zen_cli.errors import MemoryLimitError, UsageError
from zen_cli.metrics.scoring import score_all
from zen_cli.metrics.settings import check_settings

FAST = {"draws": 2, "batch_size": 2, "device": "cpu"}


def bytes_of(found: ScoreRecord | ZenError) -> bytes:
    return found.to_bytes() if isinstance(found, ScoreRecord) else str(found).encode()


@settings(max_examples=10)
@given(st.lists(specs(max_width=8, max_resolution=8), min_size=1, max_size=4), st.integers(0, 2**63 - 1))
def test_together_is_alone_whatever_the_order(found: list[ArchSpec], seed: int) -> None:
    chosen = check_settings(**FAST, seed=seed)
    together = [bytes_of(row) for row in score_all(found, chosen)]
    backwards = [bytes_of(row) for row in score_all(found[::-1], chosen)][::-1]
    alone = [bytes_of(row) for spec in found for row in score_all([spec], chosen)]
    assert together == backwards == alone


@settings(max_examples=10)
@given(specs(max_width=8, max_resolution=8), st.integers(0, 2**63 - 1))
def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_ones(spec: ArchSpec, seed: int) -> None:
    def of(spec: ArchSpec, seed: int) -> bytes:
        (row,) = score_all([spec], check_settings(**FAST, seed=seed))
        return bytes_of(row)

    assert of(spec, seed) == of(spec, seed)
    if b'"zen"' in of(spec, seed) and seed > 0:
        assert of(spec, seed) != of(spec, seed - 1)


def test_the_name_and_the_classes_do_not_move_the_score_beyond_its_error() -> None:
    spec = parse_plainnet("SuperConvK3BNRELU(3,16,1,2)", resolution=8)
    assert score(spec, **FAST).zen == score(spec.replace(name="other"), **FAST).zen


TINY: dict[str, Any] = {
    "in_channels": 3,
    "resolution": 9,
    "blocks": [
        {"op": "conv", "width": 6, "kernel": 3, "stride": 1, "depth": 1},
        {"op": "basic", "width": 8, "mid_width": 5, "kernel": 3, "stride": 2, "depth": 2},
        {"op": "bottleneck", "width": 8, "mid_width": 6, "groups": 3, "kernel": 5, "stride": 1, "depth": 1},
        {"op": "mbconv", "width": 8, "mid_width": 12, "kernel": 3, "stride": 2, "depth": 2},
    ],
}


@pytest.mark.parametrize("convention", ["paper", "zennas"])
@pytest.mark.parametrize("norm", ["frobenius", "l1"])
def test_both_norms_and_conventions_agree_with_the_definition_written_a_second_time(convention: str, norm: str) -> None:
    draws = 100
    generator = torch.Generator().manual_seed(7)
    layers = layers_of(TINY)
    values = [
        one_draw(layers, 9, convention=convention, norm=norm, batch_size=4, generator=generator) for _ in range(draws)
    ]
    error = statistics.stdev(values) / math.sqrt(draws)
    found = score(parse_spec(TINY), convention=convention, norm=norm, batch_size=4, draws=draws, device="cpu").zen
    assert found.std_error is not None
    assert abs(found.value - statistics.mean(values)) < 4 * math.hypot(error, found.std_error)
    assert found.std_error == pytest.approx(error, rel=0.3)


def test_small_published_networks_score_what_the_published_code_computes(published: list[dict[str, Any]]) -> None:
    for fact in published[:3]:
        spec = parse_plainnet(fact["structure"], resolution=fact["resolution"])
        found = score(spec, convention="zennas", batch_size=fact["batch_size"], draws=4, device="cpu").zen
        assert found.norm == "l1"
        assert found.std_error is not None
        error = math.hypot(found.std_error, fact["reference_zen_std"] / math.sqrt(fact["draws"]))
        assert abs(found.value - fact["reference_zen_mean"]) < 3 * error, fact["name"]


def test_the_closed_form_ranks_as_monte_carlo_does() -> None:
    rng = random.Random(1)
    closed, drawn = [], []
    for index in range(24):
        op = ("bottleneck", "mbconv")[index % 2]
        blocks: list[dict[str, Any]] = [{"op": "conv", "width": 32}]
        for _ in range(rng.randint(1, 4)):
            widths = {"mid_width": 8 * rng.randint(3, 8), "width": 8 * rng.randint(4, 12)}
            blocks.append({"op": op, "kernel": rng.choice([3, 5]), "depth": rng.randint(1, 3), **widths})
        spec = parse_spec({"resolution": 16, "blocks": blocks})
        closed.append(score(spec, estimator="mean-field").zen.value)
        drawn.append(score(spec, draws=2, batch_size=8, device="cpu").zen.value)
    order = sorted(range(24), key=closed.__getitem__)
    ranks = {index: rank for rank, index in enumerate(sorted(range(24), key=drawn.__getitem__))}
    moved = sum((rank - ranks[index]) ** 2 for rank, index in enumerate(order))
    assert 1 - 6 * moved / (24**3 - 24) >= 0.98  # Spearman
    assert closed == pytest.approx(drawn, rel=0.04)


def test_a_precision_is_reached_and_one_draw_has_no_error() -> None:
    spec = parse_plainnet("SuperConvK3BNRELU(3,16,1,3)", resolution=8)
    precise = score(spec, precision=0.02, batch_size=4, device="cpu").zen
    assert precise.std_error is not None
    assert precise.std_error <= 0.02
    assert precise.draws is not None
    assert precise.draws > 4
    assert score(spec, draws=1, batch_size=4, device="cpu").zen.std_error is None


@pytest.mark.parametrize("alpha", [1e-6, 1e-3, 1.0])
def test_the_size_of_the_perturbation_is_followed(alpha: float) -> None:
    spec = parse_plainnet("SuperConvK3BNRELU(3,32,1,4)", resolution=12)
    drawn = score(spec, alpha=alpha, draws=4, batch_size=8, device="cpu").zen.value
    closed = score(spec, alpha=alpha, estimator="mean-field").zen.value
    assert drawn == pytest.approx(closed, abs=0.5)


def test_a_network_that_cannot_fit_is_refused_before_memory_is_asked_for() -> None:
    spec = parse_spec(
        {"name": "giant", "resolution": 8, "blocks": [{"op": "conv", "width": 65536, "kernel": 31, "depth": 2}]}
    )
    with pytest.raises(MemoryLimitError, match=r"giant: .*mean-field"):
        score(spec, device="cpu")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"estimator": "magic"}, "estimator: unknown 'magic'"),
        ({"norm": "l2"}, "norm: unknown 'l2'"),
        ({"convention": "papr"}, "convention: unknown 'papr'; did you mean \"paper\"?"),
        ({"draws": 0}, "draws: 0 is out of range; use 1 to"),
        ({"draws": 1, "precision": 0.1}, "draws: given together with precision"),
        ({"alpha": float("nan")}, "alpha: nan is out of range"),
        ({"alpha": 0}, "alpha: 0 is out of range"),
        ({"batch_size": -1}, "batch_size: -1 is out of range"),
        ({"seed": -1}, "seed: -1 is out of range"),
        ({"precision": float("inf")}, "precision: inf is out of range"),
        ({"device": "tpu"}, "device: unknown 'tpu'; use auto, cpu, cuda, cuda:0 or cuda:0,1"),
    ],
    ids=str,
)
def test_settings_that_cannot_be_are_named(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        score(parse_plainnet("SuperConvK3BNRELU(3,16,1,1)"), **wrong)
    assert message in str(caught.value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_cuda_where_there_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match=r"device: cuda does not exist.*use cpu"):
        score(parse_plainnet("SuperConvK3BNRELU(3,16,1,1)"), device="cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA")
def test_cuda_agrees_with_the_cpu() -> None:
    spec = parse_spec(TINY)
    left, right = (score(spec, draws=64, device=device).zen for device in ("cpu", "cuda"))
    assert left.std_error is not None
    assert right.std_error is not None
    assert abs(left.value - right.value) < 4 * math.hypot(left.std_error, right.std_error)


def test_progress_counts_draws_of_how_many_and_failed_networks_too() -> None:
    small, giant = parse_spec(TINY), parse_spec({"blocks": [{"op": "conv", "width": 65536, "kernel": 31, "depth": 2}]})
    told: list[tuple[int, int | None]] = []
    settings = check_settings(draws=3, batch_size=2, device="cpu")
    rows = list(score_all([small, giant, small], settings, on_progress=lambda *row: told.append(row)))
    assert [isinstance(row, ZenError) for row in rows] == [False, True, False]
    assert [total for _, total in told] == [9] * len(told)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1] == (9, 9)


def test_progress_of_a_stream_has_a_total_once_the_end_was_read() -> None:
    told: list[tuple[int, int | None]] = []
    settings = check_settings(draws=2, batch_size=2, device="cpu")
    specs = (parse_spec({**TINY, "num_classes": classes}) for classes in (2, 3))
    assert len(list(score_all(specs, settings, on_progress=lambda *row: told.append(row)))) == 2
    assert told[-1] == (4, 4)
    uncertain = check_settings(precision=50, batch_size=2, device="cpu")
    list(score_all([parse_spec(TINY)], uncertain, on_progress=lambda *row: told.append(row)))
    assert told[-1] == (8, None)


def test_progress_of_the_closed_form_counts_networks() -> None:
    told: list[tuple[int, int | None]] = []
    settings = check_settings(estimator="mean-field")
    list(score_all([parse_spec(TINY)] * 2, settings, on_progress=lambda *row: told.append(row)))
    assert told == [(1, 2), (2, 2)]
