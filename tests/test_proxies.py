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
from zen_cli.metrics.mean_field import score_chain
from zen_cli.metrics.proxies import Measurement, Proxy, find, find_all, installed, names
from zen_cli.metrics.settings import ScoreSettings, check_settings
from zen_cli.metrics.terms import network_terms, score_spec, spec_terms
from zen_cli.nas.space import genome_of

CLOSED = ("zen", "balanced", "entropy", "entropy_stages", "params", "macs", "activations")
TINY: dict[str, Any] = {
    "resolution": 8,
    "num_classes": 3,
    "blocks": [{"op": "conv", "width": 8}, {"op": "basic", "width": 12, "mid_width": 8, "stride": 2, "depth": 2}],
}


def value(name: str, spec: ArchSpec, **wishes: Any) -> float:
    return find(name).evaluate(spec, check_settings(**wishes)).measurement.value


def log_widths(spec: ArchSpec) -> float:
    return sum(math.log(layer.in_width * layer.kernel[0] ** 2 / layer.groups) for layer in spec.chain)


def log_last_map(spec: ArchSpec) -> float:
    last = spec.chain[-1]
    return math.log(last.out_width * last.out_size[0] ** 2)


@given(specs())
def test_costs_are_the_exact_costs(spec: ArchSpec) -> None:
    for name in ("params", "macs", "activations"):
        assert value(name, spec) == getattr(spec.cost, name)


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
    genes = network_terms(genome_of(spec), spec.in_channels, spec.resolution, spec.num_classes)
    assert genes == spec_terms(spec)


@given(specs())
@settings(max_examples=20)
def test_a_value_depends_on_the_network_and_not_on_its_name(spec: ArchSpec) -> None:
    for name in (*CLOSED, "random"):
        assert value(name, spec) == value(name, spec.replace(name="other"))


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
    assert find("ntk").sign == -1
    assert all(find(name).sign == 1 for name in names() if name != "ntk")
    assert {name for name in names() if find(name).closed_form is not None} == set(CLOSED)


def test_many_networks_come_in_order_with_errors_in_their_place() -> None:
    good, bad = parse_spec(TINY), parse_spec({**TINY, "name": "bad", "in_channels": 2})
    proxy = Proxy("odd", "higher", "", "", closed_form=lambda terms, settings: math.inf if bad_terms == terms else 1.0)
    bad_terms = spec_terms(bad)
    first, failed, last = proxy.evaluate_all([good, bad, good], ScoreSettings())
    assert first == last
    assert not isinstance(first, RunError) and first.measurement.value == 1
    assert isinstance(failed, ScoreError) and "bad: odd is inf" in str(failed)


def test_names_are_found_listed_once_and_the_nearest_is_named() -> None:
    assert [proxy.name for proxy in find_all("phi, params,phi")] == ["phi", "params"]
    with pytest.raises(UsageError, match="--proxy: unknown 'sinflow'; did you mean \"synflow\""):
        find("sinflow", "--proxy")
    with pytest.raises(UsageError, match="names no proxy"):
        find_all(" , ")


def test_a_proxy_has_one_way_to_be_computed_and_a_direction() -> None:
    with pytest.raises(TypeError, match="not both"):
        Proxy("x", "higher", "", "")
    with pytest.raises(TypeError, match="direction"):
        Proxy("x", "up", "", "", closed_form=lambda terms, settings: 0.0)  # type: ignore[arg-type]  # what is tested


def test_listing_finding_and_closed_forms_need_no_torch() -> None:
    code = (
        "import sys; from zen_cli import parse_spec; from zen_cli.metrics.proxies import find, installed, names\n"
        "from zen_cli.metrics.settings import ScoreSettings\n"
        f"spec = parse_spec({TINY!r})\n"
        f"for name in {(*CLOSED, 'random')!r}: find(name).evaluate(spec, ScoreSettings())\n"
        "list(installed()); find('phi')\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=ENVIRONMENT, timeout=60)


PLUGIN = """
from zen_cli.metrics.proxies import Measurement, Proxy
DEPTH = Proxy("depth", "lower", "layers", "none", closed_form=lambda terms, settings: terms.total.layers)
def fail(spec, settings): raise KeyError("no\\nsuch key")
FAILING = Proxy("failing", "higher", "fails", "none", measure=fail)
WRONG = 7
UNEVEN = Proxy("uneven", "higher", "divides by zero", "none", closed_form=lambda terms, settings: 1 / 0)
ODD = Proxy("odd", "higher", "gives text", "none", measure=lambda spec, settings: "high")
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "plugged.py").write_text(PLUGIN, encoding="utf-8")
    info = tmp_path / "plugged-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugged\nVersion: 1.0\n", encoding="utf-8")
    lines = ["[zen_cli.proxies]", "depth = plugged:DEPTH", "failing = plugged:FAILING", "wrong = plugged:WRONG"]
    lines += ["broken = plugged_missing:X", "uneven = plugged:UNEVEN", "odd = plugged:ODD", "phi = plugged:DEPTH"]
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
        ("broken", "proxy broken of plugged (plugged_missing:X): cannot be loaded, ModuleNotFoundError"),
        ("wrong", "proxy wrong of plugged (plugged:WRONG): is int, not a zen_cli.metrics.proxies.Proxy"),
        ("failing", "proxy failing of plugged (plugged:FAILING) failed, KeyError: 'no"),
        ("uneven", "proxy uneven of plugged (plugged:UNEVEN): failed, ZeroDivisionError"),
        ("odd", "proxy odd of plugged (plugged:ODD): gave str, not a Measurement"),
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
    assert set(rows) == {*names(), "depth", "failing", "odd", "uneven"}
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
    done = zen.score("--proxies", "naswot", "--draws", "1", stdin="\n".join(map(json.dumps, (TINY, bad, TINY))))
    assert len(done.rows) == 2
    assert done.rows[0] == done.rows[1]
    done.warns("pixel: naswot", "--batch-size", code=1)


def test_measurements_default_to_nothing_drawn() -> None:
    assert Measurement(1.0) == (1.0, None, {})
