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
from zen_cli.profiling.fitting import calibrate, fit_laws, quantile, rank_correlation
from zen_cli.target.graph import KINDS, Operation, network_operations
from zen_cli.target.latency import law_ms, predict_ms
from zen_cli.target.model import ErrorRow, LatencyModel, Law, Target, parse_target

ERROR = ErrorRow(median=0.04, p90=0.1, rank_correlation=0.99, n=20, spread=0.03)
MICRO = {"schema": "zen-target/1", "name": "micro", "memory": 320_000, "weights": 1_000_000, "clock": 216e6}


def law(random: Random) -> Law:
    return Law(
        overhead=random.uniform(0.001, 0.01),
        padded=random.uniform(1e-9, 1e-8),
        moved=random.uniform(1e-8, 1e-7),
        weights=random.uniform(1e-8, 1e-7),
    )


def a_target(**more: Any) -> Target:
    random = Random(1)
    model = LatencyModel(laws={kind: law(random) for kind in KINDS})
    return Target(name="laptop", backend="torch", threads=1, dtype="float32", model=model, error=ERROR, **more)


def predicted(target: Target, spec: ArchSpec) -> float:
    return predict_ms(target, spec.genes, spec.in_channels, spec.resolution, spec.classifier)


def operations(spec: ArchSpec) -> list[Operation]:
    return [one for _, one in network_operations(spec.genes, spec.in_channels, spec.resolution, spec.classifier)]


def test_a_file_is_read_as_it_was_written() -> None:
    target = a_target(host="vm", seed=3, ranges={"macs": (1e6, 2e9)}, versions={"torch": "2"})
    assert parse_target(target.to_bytes(), "x") == target


@given(specs())
def test_a_prediction_is_the_sum_over_operations(spec: ArchSpec) -> None:
    target = a_target()
    assert target.model is not None
    total = sum(law_ms(target.model.laws[one.kind], one) for one in operations(spec))
    assert predicted(target, spec) == pytest.approx(total, rel=1e-12)
    assert predicted(target, spec) == predicted(target, spec)  # from the cache of blocks


@given(specs())
def test_a_clock_predicts_by_multiply_adds(spec: ArchSpec) -> None:
    micro = Target.model_validate({**MICRO, "macs_per_cycle": 0.5})
    assert sum(one.macs for one in operations(spec)) == spec.cost.macs
    assert predicted(micro, spec) == pytest.approx(1e3 * spec.cost.macs / 108e6, rel=1e-9)


def test_laws_are_found_again() -> None:
    random = Random(5)
    laws = {kind: law(random) for kind in ("dense", "pointwise")}
    samples = []
    for kind, one_law in laws.items():
        for _ in range(40):
            one = Operation("", kind, *(random.randrange(1000, 100_000) for _ in range(6)))
            samples.append((one, law_ms(one_law, one)))
    for kind, found in fit_laws(samples).items():
        for name, rate in laws[kind].model_dump().items():
            assert getattr(found, name) == pytest.approx(rate, rel=1e-6)


def test_no_rate_is_negative_where_more_work_took_less_time() -> None:
    rows = [(Operation("", "dense", 10 * n, 0, 0, n, n, n), 1.0 / n) for n in range(1, 20)]
    assert min(fit_laws(rows)["dense"].model_dump().values()) >= 0


def test_calibration_takes_the_share_of_a_profiler_off() -> None:
    random = Random(7)
    laws = {kind: law(random) for kind in ("dense", "pointwise")}
    networks = []
    for _ in range(50):
        rows = [
            Operation("", random.choice(list(laws)), *(random.randrange(1000, 10**6) for _ in range(6)))
            for _ in range(random.randrange(5, 60))
        ]
        networks.append((rows, 0.7 * sum(law_ms(laws[one.kind], one) for one in rows)))
    found = calibrate(laws, networks)
    for rows, time in networks:
        assert sum(law_ms(found[one.kind], one) for one in rows) == pytest.approx(time, rel=1e-6)


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


@pytest.mark.parametrize("given_", [{"max_latency": "0.7ms"}, {"max_memory": "600kB"}, {"max_weights": "9MB"}])
def test_an_evolution_keeps_limits_of_a_device(given_: dict[str, str]) -> None:
    target = a_target()
    request = {"budget": ["3000evals"], "verify": 0, "target": target, "resolution": 96, **given_}
    settings = check_request({"max_macs": "100M", **request})
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
    zen(*words, "none.json", stdin=net).fails("target: ", "none.json")
