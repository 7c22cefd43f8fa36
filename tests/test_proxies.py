"""Closed-form proxies against second computations from the chain, the registry, plugins, and `zen score --proxies`."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli import ENVIRONMENT, Zen
from hypothesis import given, settings
from strategies import specs

from zen_cli import ArchSpec, parse_spec, score
from zen_cli.errors import RunError, ScoreError, UsageError
from zen_cli.metrics import Measurement, Metric, find, find_all, installed, limitable, names, refuse_unused
from zen_cli.metrics.mean_field import score_chain
from zen_cli.metrics.settings import ScoreSettings, check_settings
from zen_cli.metrics.terms import network_terms, score_spec, spec_terms
from zen_cli.nas.space import genome_of
from zen_cli.target.model import Target

SUMS = ("params", "macs", "activations", "layers", "sublayers")
CLOSED = (
    "zen",
    "even",
    "balanced",
    "entropy",
    "entropy_stages",
    *SUMS,
    "memory",
    "weights",
    "latency",
    "depth_width_ratio",
)
CLOCK = Target(name="chip", clock=1e8, macs_per_cycle=1)
TINY: dict[str, Any] = {
    "resolution": 8,
    "num_classes": 3,
    "blocks": [{"op": "conv", "width": 8}, {"op": "basic", "width": 12, "mid_width": 8, "stride": 2, "depth": 2}],
}


def value(name: str, spec: ArchSpec, **given: Any) -> float:
    return find(name).evaluate(spec, check_settings(estimator="mean-field", **given)).value


def log_widths(spec: ArchSpec) -> float:
    return sum(math.log(layer.in_width * layer.kernel[0] ** 2 / layer.groups) for layer in spec.chain)


def log_last_map(spec: ArchSpec) -> float:
    last = spec.chain[-1]
    return math.log(last.out_width * last.out_size[0] ** 2)


@given(specs())
def test_costs_are_the_exact_costs(spec: ArchSpec) -> None:
    for name in SUMS:
        assert value(name, spec) == getattr(spec.cost, name)
        assert find(name).kind == "additive"


@given(specs())
def test_zen_is_the_closed_form_of_the_score(spec: ArchSpec) -> None:
    for convention, norm, alpha in (("paper", "frobenius", 0.01), ("zennas", "l1", 0.01), ("paper", "l1", 1e-6)):
        expected = score_spec(spec, convention=convention, norm=norm, alpha=alpha)
        assert value("zen", spec, convention=convention, norm=norm, alpha=alpha) == pytest.approx(expected, abs=1e-9)


@given(specs())
def test_balanced_is_depth_and_the_means_over_layers(spec: ArchSpec) -> None:
    layers = score_chain(spec.chain).layers
    means = [term.log_sigma + math.log(term.layer.out_width * math.prod(term.layer.out_size)) for term in layers]
    assert value("balanced", spec) == pytest.approx(math.log(len(layers)) + sum(means) / len(layers), abs=1e-9)


@given(specs())
def test_entropy_is_log_of_the_last_map_times_the_log_widths(spec: ArchSpec) -> None:
    assert value("entropy", spec) == pytest.approx(log_last_map(spec) * log_widths(spec), rel=1e-12, abs=1e-9)


@given(specs())
def test_entropy_of_stages_adds_up_the_networks_cut_in_front_of_each_down_sampling(spec: ArchSpec) -> None:
    cuts = [index for index, block in enumerate(spec.blocks) if index and block.stride > 1]
    heads = [spec.replace(blocks=spec.to_dict()["blocks"][:cut]) for cut in cuts]
    expected = sum(log_last_map(head) * log_widths(head) for head in heads) + 8 * log_last_map(spec) * log_widths(spec)
    assert value("entropy_stages", spec) == pytest.approx(expected, rel=1e-12, abs=1e-9)


@given(specs(ops=("conv", "basic", "bottleneck")))
def test_the_blocks_of_a_search_have_the_terms_of_the_spec_they_become(spec: ArchSpec) -> None:
    genes = network_terms(genome_of(spec), spec.in_channels, spec.resolution, spec.classifier)
    assert genes == spec_terms(spec)


@given(specs(ops=("basic", "bottleneck", "mbconv")))  # a network without units has no evenness
@settings(max_examples=20)
def test_a_value_depends_on_the_network_and_not_on_its_name(spec: ArchSpec) -> None:
    for name in (*CLOSED, "random"):
        assert value(name, spec, target=CLOCK) == value(name, spec.replace(name="other"), target=CLOCK)


def test_random_is_uniform_and_follows_seed_and_id() -> None:
    base = parse_spec(TINY)
    networks = [base.replace(num_classes=classes) for classes in range(1, 1001)]
    draws = [value("random", network, seed=3) for network in networks]
    assert draws == [value("random", network, seed=3) for network in networks]
    assert value("random", base, seed=3) != value("random", base, seed=4)
    assert min(draws) >= 0 and max(draws) < 1
    # Kolmogorov-Smirnov: the gap to the uniform distribution is below 1.95/sqrt(n) with probability 0.999.
    gap = max(abs(draw - (rank + 0.5) / 1000) for rank, draw in enumerate(sorted(draws)))
    assert gap < 1.95 / math.sqrt(1000)


def test_the_sign_is_what_a_search_maximises() -> None:
    lower = {"ntk", "depth_width_ratio", "memory", "weights", "latency"}
    assert all(find(name).sign == (-1 if name in lower else 1) for name in names())


def test_a_search_can_limit_what_has_a_closed_form() -> None:
    assert limitable() == CLOSED
    terms, settings = spec_terms(parse_spec(TINY)), check_settings(target=CLOCK)
    for name in names():
        metric = find(name)
        assert (metric.closed_form is not None) == (name in CLOSED) == (metric.kind != "measured")
        if name in CLOSED:
            assert metric.value_of(terms, settings) == value(name, parse_spec(TINY), target=CLOCK)
        else:
            with pytest.raises(UsageError, match=f"{name}: has no closed form"):
                metric.value_of(terms, settings)


def test_a_setting_has_an_effect_if_and_only_if_the_metric_uses_it() -> None:
    other = {"convention": "zennas", "norm": "l1", "alpha": 0.5, "batch_size": 3, "draws": 1, "seed": 1}
    for name in ("zen", "balanced", "entropy", "params", "random", "synflow", "phi"):
        metric, base = find(name), check_settings(estimator="mean-field", batch_size=2, draws=2)
        first = metric.evaluate(parse_spec(TINY), base)
        for setting, changed in other.items():
            second = metric.evaluate(parse_spec(TINY), base.model_copy(update={setting: changed}))
            assert (second.value != first.value) == (setting in metric.uses("mean-field")), (name, setting)


def test_settings_without_an_effect_are_refused() -> None:
    closed, drawn = check_settings(estimator="mean-field"), check_settings()
    zen, phi, entropy = find("zen"), find("phi"), find("entropy")
    refuse_unused(["draws", "seed", "precision_mode", "estimator", "alpha"], [zen], drawn)
    refuse_unused(["draws", "alpha"], [zen, phi], closed)
    for name in ("draws", "seed", "batch_size", "device", "precision", "precision_mode"):
        with pytest.raises(UsageError, match=rf"^{name}: has no effect on zen \(mean-field\); leave it out$"):
            refuse_unused([name], [zen], closed)
    with pytest.raises(UsageError, match="norm: has no effect on entropy"):
        refuse_unused(["norm"], [entropy], closed)
    with pytest.raises(UsageError, match="draws: has no effect"):
        score(parse_spec(TINY), estimator="mean-field", draws=2)


def test_zen_is_one_metric_with_two_estimators() -> None:
    zen, spec = find("zen"), parse_spec(TINY)
    assert zen.estimators == ("mean-field", "monte-carlo")
    drawn = check_settings(draws=2, batch_size=2, device="cpu")
    record = score(spec, draws=2, batch_size=2, device="cpu")
    first, second = zen.evaluate_all([spec, spec], drawn)
    assert first == second and not isinstance(first, RunError)
    assert (first.value, first.std_error) == (record.zen.value, record.zen.std_error)
    assert [find(name).estimators for name in ("balanced", "phi")] == [("mean-field",), ("monte-carlo",)]


def test_many_networks_come_in_order_with_errors_in_their_place() -> None:
    good, bad = parse_spec(TINY), parse_spec({**TINY, "name": "bad", "in_channels": 2})
    proxy = Metric("odd", "higher", "", "", closed_form=lambda terms, settings: math.inf if bad_terms == terms else 1.0)
    bad_terms = spec_terms(bad)
    first, failed, last = proxy.evaluate_all([good, bad, good], ScoreSettings())
    assert first == last
    assert not isinstance(first, RunError) and first.value == 1
    assert isinstance(failed, ScoreError) and "bad: odd is inf" in str(failed)


def test_names_are_found_listed_once_and_the_nearest_is_named() -> None:
    assert [proxy.name for proxy in find_all("phi, params,phi")] == ["phi", "params"]
    with pytest.raises(UsageError, match="proxy: unknown 'sinflow'; did you mean \"synflow\""):
        find("sinflow", "proxy")
    with pytest.raises(UsageError, match="names no metric"):
        find_all(" , ")


def test_a_metric_can_be_computed_and_has_a_direction() -> None:
    with pytest.raises(TypeError, match="give closed_form, measure or measure_all"):
        Metric("x", "higher", "", "")
    with pytest.raises(TypeError, match=r"unknown settings \['sed'\]"):
        Metric("x", "higher", "", "", closed_form=lambda terms, settings: 0.0, settings=("sed",))
    with pytest.raises(TypeError, match="direction"):
        Metric("x", "up", "", "", closed_form=lambda terms, settings: 0.0)  # type: ignore[arg-type]  # what is tested


def test_listing_finding_and_closed_forms_need_no_torch() -> None:
    code = (
        "import sys; from zen_cli import parse_spec; from zen_cli.metrics import find, installed, names\n"
        "from zen_cli.metrics.settings import ScoreSettings; from zen_cli.target.model import Target\n"
        "target = Target(name='chip', clock=1e8, macs_per_cycle=1)\n"
        "settings = ScoreSettings(estimator='mean-field', target=target)\n"
        f"spec = parse_spec({TINY!r})\n"
        f"for name in {(*CLOSED, 'random')!r}: find(name).evaluate(spec, settings)\n"
        "list(installed()); find('phi')\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=ENVIRONMENT, timeout=60)


PLUGIN = """
import math
from zen_cli.errors import RunError
from zen_cli.metrics import Measurement, Metric
DEPTH = Metric("depth", "lower", "layers", "none", closed_form=lambda terms, settings: terms.total.layers)
def fail(spec, settings): raise KeyError("no\\nsuch key")
FAILING = Metric("failing", "higher", "fails", "none", measure=fail)
WRONG = 7
UNEVEN = Metric("uneven", "higher", "divides by zero", "none", closed_form=lambda terms, settings: 1 / 0)
NESTED = Metric("x", "higher", "", "", measure=lambda network, settings: Measurement(1.0, None, {"a": [1]}))
ENDLESS = Metric("x", "higher", "", "", measure=lambda network, settings: Measurement(math.inf))
def refuse(terms, settings): raise RunError("no such value")
REFUSING = Metric("x", "higher", "", "", closed_form=refuse)
def measure_many(networks, settings, on_draw=None): yield from (7 for network in networks)
MANY = Metric("x", "higher", "", "", measure_all=measure_many)
ODD = Metric("odd", "higher", "gives text", "none", measure=lambda spec, settings: "high")
"""


MISBEHAVING = ("uneven", "odd", "nested", "endless", "refusing", "many")


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "plugged.py").write_text(PLUGIN, encoding="utf-8")
    info = tmp_path / "plugged-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugged\nVersion: 1.0\n", encoding="utf-8")
    lines = ["[zen_cli.proxies]", "depth = plugged:DEPTH", "failing = plugged:FAILING", "wrong = plugged:WRONG"]
    lines += ["broken = plugged_missing:X", "phi = plugged:DEPTH"]
    lines += [f"{name} = plugged:{name.upper()}" for name in MISBEHAVING]
    (info / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(ENVIRONMENT, "PYTHONPATH", str(tmp_path))
    return tmp_path


def test_an_installed_proxy_scores_like_a_built_in_one(plugin: Path) -> None:
    record = score(parse_spec(TINY), estimator="mean-field", proxies=["depth"])
    assert record.proxies is not None
    row = record.proxies["depth"]
    assert (row.value, row.std_error, row.direction) == (5, None, "lower")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("broken", "metric broken of plugged (plugged_missing:X): cannot be loaded, ModuleNotFoundError"),
        ("wrong", "metric wrong of plugged (plugged:WRONG): is int, not a zen_cli.metrics.Metric"),
        ("failing", "metric failing of plugged (plugged:FAILING): failed, KeyError: 'no"),
        ("uneven", "metric uneven of plugged (plugged:UNEVEN): failed, ZeroDivisionError"),
        ("odd", "metric odd of plugged (plugged:ODD): failed, TypeError: gave str, not a Measurement"),
        ("nested", "metric nested of plugged (plugged:NESTED): failed, TypeError: gave settings that are not flat"),
        ("endless", "endless is inf"),
        ("refusing", "no such value"),
        ("many", "metric many of plugged (plugged:MANY): failed, TypeError: gave int, not a Measurement"),
    ],
)
def test_a_broken_plugin_gives_one_line_that_names_it(
    plugin: Path, zen: Zen, write: Callable[..., str], name: str, words: str
) -> None:
    zen.score("--proxies", name, write("a.json", TINY)).fails(words, code=1)
    assert zen.score("--proxies", "params", write("a.json", TINY)).err == ""  # who does not ask for it never meets it


def test_a_listing_has_what_loads_and_names_what_does_not(plugin: Path, zen: Zen) -> None:
    result = zen("score", "--list-proxies")
    rows = {row["name"]: row for row in result.rows}
    assert set(rows) == {*names(), "depth", "failing", *MISBEHAVING}
    assert rows["depth"] == {
        "name": "depth", "direction": "lower", "closed_form": True, "summary": "layers", "source": "none",
    }  # fmt: skip
    assert result.code == 1
    assert len(result.err.splitlines()) == 3  # one does not import, one is no proxy, one has a built-in name
    assert sum(isinstance(found, RunError) for found in installed()) == 3


def test_records_hold_the_proxies_in_the_order_asked_for(zen: Zen, write: Callable[..., str]) -> None:
    done = zen.score("--proxies", "random,balanced,zen", "--seed", "5", write("a.json", TINY))
    (row,) = done.rows
    assert done.code == 0
    assert list(row["proxies"]) == ["random", "balanced", "zen"]
    assert row["proxies"]["zen"]["value"] == pytest.approx(row["zen"]["value"], abs=1e-9)
    assert row["proxies"]["random"]["seed"] == 5
    assert row["proxies"]["balanced"] == {
        "value": row["proxies"]["balanced"]["value"],
        "std_error": None,
        "direction": "higher",
        "convention": "paper",
    }
    again = zen.score("--proxies", "random,balanced,zen", "--seed", "5", stdin=done.out)
    assert again.out == done.out  # a record reads back


def test_without_proxies_a_record_has_none(zen: Zen, write: Callable[..., str]) -> None:
    assert "proxies" not in zen.score(write("a.json", TINY)).rows[0]


def test_a_table_shows_them_with_an_arrow(zen: Zen, write: Callable[..., str]) -> None:
    out = zen.score("--proxies", "params,random", "--format", "table", write("a.json", TINY)).out
    assert "params ↑" in out and "random ↑" in out


def test_an_unknown_name_stops_before_anything_is_scored(zen: Zen, write: Callable[..., str]) -> None:
    zen.score("--proxies", "params,narwot", write("a.json", TINY)).fails("--proxies", "narwot", "naswot")


def test_a_failed_proxy_takes_the_place_of_the_record_and_the_others_stay(zen: Zen) -> None:
    # One pixel and two ReLUs: of 16 images some have the same code.
    bad = {"name": "pixel", "resolution": 1, "num_classes": 2, "blocks": [{"op": "conv", "width": 2}]}
    done = zen.score(
        "--quiet", "--proxies", "naswot", "--draws", "1", stdin="\n".join(map(json.dumps, (TINY, bad, TINY)))
    )
    assert len(done.rows) == 2
    assert done.rows[0] == done.rows[1]
    done.warns("pixel: naswot", "use a smaller batch size", code=1)


def test_measurements_default_to_nothing_drawn() -> None:
    assert Measurement(1.0) == (1.0, None, {})
