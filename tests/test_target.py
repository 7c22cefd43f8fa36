"""Targets: files, predictions as sums over blocks, limits on them, and the laws that measurements give."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest
from cli import Zen
from hypothesis import given
from strategies import specs

from zen_cli.errors import SourceError, UsageError
from zen_cli.nas.answer import finish, search
from zen_cli.nas.limits import Limits
from zen_cli.nas.request import check_request
from zen_cli.net.spec import ArchSpec
from zen_cli.profiling.fitting import quantile, rank_correlation
from zen_cli.target.graph import KINDS, operations_of
from zen_cli.target.latency import predict_ms, whole_of
from zen_cli.target.model import Cold, ErrorRow, LatencyModel, Law, Target, parse_target
from zen_cli.target.terms import Terms, terms
from zen_cli.ui.fronts import front_lines

ERROR = ErrorRow(median=0.04, p90=0.1, rank_correlation=0.99, n=20, spread=0.03)
MICRO = {"schema": "zen-target/1", "name": "micro", "memory": 320_000, "weights": 1_000_000, "clock": 216e6}


def law(random: Random) -> Law:
    """Rates of the size that a core of today has."""
    sizes = {"overhead": 1e-3, "groups": 1e-3, "padded": 1e-9, "wide": 1e-9, "ragged": 1e-9}
    return {name: random.uniform(1, 10) * sizes.get(name, 1e-8) for name in Terms._fields}


def a_target(**more: Any) -> Target:
    random = Random(1)
    cold = (Cold(least=1e5, most=3e5, rate=1e-8), Cold(least=1e6, most=2e6, rate=2e-8))
    model = LatencyModel(laws={kind: law(random) for kind in KINDS}, start=0.01, cold=cold)
    return Target(name="laptop", backend="torch", threads=1, dtype="float32", model=model, error=ERROR, **more)


def predicted(target: Target, spec: ArchSpec) -> float:
    return predict_ms(target, spec.genes, spec.in_channels, spec.resolution, spec.classifier)


def test_a_file_is_read_as_it_was_written() -> None:
    target = a_target(host="vm", seed=3, ranges={"macs": (1e6, 2e9)}, versions={"torch": "2"})
    assert parse_target(target.to_bytes(), "x") == target


@given(specs())
def test_a_prediction_is_the_sum_over_operations(spec: ArchSpec) -> None:
    target = a_target()
    model, rows = target.model, operations_of(spec)
    assert model is not None
    weights = sum(terms(one).weights for one in rows)
    total = model.start
    for row in model.cold:
        kept = 1 if weights < row.least else 0 if weights > row.most else (row.most - weights) / (row.most - row.least)
        total += row.rate * weights * (1 - kept)
    total += sum(rate * getattr(terms(one), name) for one in rows for name, rate in model.laws[one.kind].items())
    assert predicted(target, spec) == pytest.approx(total, rel=1e-12)
    assert whole_of(model, rows) == pytest.approx(total, rel=1e-12)
    assert predicted(target, spec) == predicted(target, spec)  # from the cache of blocks


@given(specs())
def test_a_clock_predicts_by_multiply_adds(spec: ArchSpec) -> None:
    micro = Target.model_validate({**MICRO, "macs_per_cycle": 0.5})
    assert sum(one.macs for one in operations_of(spec)) == spec.cost.macs
    assert predicted(micro, spec) == pytest.approx(1e3 * spec.cost.macs / 108e6, rel=1e-9)


def test_ranks_and_quantiles() -> None:
    assert rank_correlation([1, 2, 3, 4], [10, 20, 30, 40]) == 1
    assert rank_correlation([1, 2, 3, 4], [4, 3, 2, 1]) == -1
    assert quantile([5, 1, 4, 2, 3, 6, 7, 8, 9, 10], 0.9) == 9


FAULTS = {
    "cut off": (lambda: a_target().to_bytes()[:200], "cut off"),
    "NaN": (lambda: a_target().to_bytes().replace(b'"p90": 0.1', b'"p90": NaN'), "cut off"),
    "negative": (lambda: a_target().to_bytes().replace(b'"p90": 0.1', b'"p90": -0.1'), "error.p90"),
    "no target": (lambda: b"{}", "no target"),
    "a list": (lambda: b"[]", "no target"),
    "unknown key": (lambda: orjson.dumps({**MICRO, "sram": 3}), "sram"),
    "unknown kind": (lambda: a_target().to_bytes().replace(b'"dense"', b'"sparse"'), "sparse"),
    "unknown term": (lambda: a_target().to_bytes().replace(b'"ragged"', b'"rugged"'), "rugged"),
    "a rate below 0": (lambda: a_target().to_bytes().replace(b'"start": 0.01', b'"start": -1'), "model.start"),
    "a range that ends before it begins": (
        lambda: a_target().to_bytes().replace(b'"most": 300000.0', b'"most": 3'),
        "cold: least 100000 has to be below most 3",
    ),
    "no clock": (lambda: orjson.dumps({"schema": "zen-target/1", "name": "a", "macs_per_cycle": 1}), "clock"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_with_a_fault_is_refused_with_the_place(fault: str) -> None:
    make, word = FAULTS[fault]
    with pytest.raises(SourceError, match=word):
        parse_target(make(), "x")


def test_the_limit_of_a_latency_is_lowered_by_the_error() -> None:
    settings = check_request({"max_latency": "5ms", "target": a_target()})
    assert settings.limits["latency"] == 5
    assert settings.limits.lowered("latency") == pytest.approx(5 / 1.1)


def test_a_target_gives_its_sizes_as_limits() -> None:
    micro = Target.model_validate(MICRO)
    assert dict(check_request({"target": micro, "dtype": "int8", "max_macs": "30M"}).limits) == {
        "macs": 30_000_000,
        "memory": 320_000,
        "weights": 1_000_000,
    }
    limits = check_request({"target": micro, "max_memory": "100kB"}).limits
    assert limits["memory"] == 100_000


def test_a_latency_needs_a_target_that_predicts() -> None:
    for given_ in ({}, {"target": Target.model_validate(MICRO)}):
        with pytest.raises(UsageError, match="target: "):
            check_request({"max_latency": "5ms", **given_})
    with pytest.raises(UsageError, match="unit of time"):
        check_request({"max_latency": "5", "target": a_target()})


LESS = {"max_macs": "30M", "resolution": "64"}  # for the exact search that comes first


@pytest.mark.parametrize("given_", [{"max_latency": "0.7ms"}, {"max_memory": "600kB"}, {"max_weights": "3MB", **LESS}])
def test_an_evolution_keeps_limits_of_a_device(given_: dict[str, str]) -> None:
    target = a_target()
    request = {"budget": ["1500evals"], "verify": 0, "target": target, "resolution": 96, "max_macs": "100M"}
    request["algorithm"] = "evolution"
    settings = check_request({**request, **given_})
    answer = finish(settings, search(settings))
    assert answer.records
    bound = settings.limits.lowered(next(iter(given_)).removeprefix("max_"))
    for record in answer.records:
        assert record.arch is not None and record.search is not None and record.search.latency is not None
        time = record.search.latency.predicted_ms
        assert time == pytest.approx(predicted(target, record.arch))
        used = {"max_latency": time, "max_memory": record.cost.memory, "max_weights": record.cost.weights}
        value = used[next(iter(given_))]
        assert value is not None and 0.5 * bound < value <= bound


def test_a_front_over_latency() -> None:
    target = a_target()
    request = {"budget": ["3000evals"], "verify": 0, "target": target, "resolution": 96, "max_macs": "100M"}
    settings = check_request({"max_latency": "3ms", "front": "latency", "evenness": "off", "top": 4, **request})
    found = search(settings).candidates
    times = [predicted(target, candidate.spec) for candidate in found]
    assert len(times) > 1 and times == sorted(times, reverse=True) and times[0] <= 3
    (line,) = front_lines(settings, search(settings))
    assert f"{times[-1]:.3g} to {times[0]:.3g} ms" in line


def test_limits_survive_a_replacement() -> None:
    limits = Limits(latency=5.0).on(check_request({"target": a_target()}).score)
    assert limits.replace(macs=10).lowered("latency") == limits.lowered("latency")


def test_scores_have_the_latency_of_a_target(zen: Zen, tmp_path: Path) -> None:
    (zen.folder / "t.json").write_bytes(a_target(host="elsewhere").to_bytes())
    net = '{"resolution": 32, "num_classes": 10, "blocks": [{"op": "conv", "width": 8}]}'
    done = zen("score", "-", "--estimator", "mean-field", "--target", "t.json", stdin=net)
    assert done.code == 0 and "not this machine" in done.err
    (row,) = done.rows
    assert row["proxies"]["latency"]["target"] == "laptop" and row["proxies"]["latency"]["value"] > 0
    assert row["cost"]["dtype"] == "float32"
    words = ("score", "-", "--estimator", "mean-field", "--target")
    zen(*words, "t.json", "--dtype", "int8", "-q", stdin=net).fails("int8", "float32")
    zen(*words, "none.json", stdin=net).fails("--target: none.json cannot be read", "zen profile")
