"""`zen bench` and its statistics: laws, small tables by hand, and what a user may get wrong."""

from __future__ import annotations

import csv
import io
import json
import math
import random
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from cli import Zen
from cli_here import ZenHere
from hypothesis import given
from hypothesis import strategies as st

from zen_cli.bench.figures import evidence_line, figures
from zen_cli.bench.statistics import bins, half_samples, interval, ndcg, spearman
from zen_cli.bench.summary import RULE, Estimate, Summary, Table, summarize
from zen_cli.ui.bench import bench_sheet
from zen_cli.ui.layout import lay_out

VALUES = st.lists(st.integers(-5, 5), min_size=3, max_size=20)
NAMES = [f"SuperConvK3BNRELU(3,{width},2,1)SuperConvK3BNRELU({width},{2 * width},2,1)" for width in range(8, 104, 8)]


def small_table() -> Table:
    """Twenty networks in two bins of ten: Zen finds the best of the first bin and the worst of the second."""
    zen = [*range(10), *range(10, 0, -1)]
    even = [*[0.0] * 9, -1.0, *[0.0] * 9, 0.02]
    values = {"zen": np.array(zen, dtype=float), "even": np.array(even), "macs": np.arange(20.0)}
    return Table(np.array([*range(10), *range(100, 110)], dtype=float), values, np.arange(20.0), np.arange(20.0))


def by_hand(values: Sequence[float]) -> list[float]:
    """Ranks by counting: those below, and half of the equal ones."""
    return [sum(other < one for other in values) + (sum(other == one for other in values) + 1) / 2 for one in values]


@given(VALUES, st.integers(0, 2**32))
def test_spearman_is_pearson_of_counted_ranks(left: list[int], seed: int) -> None:
    right = random.Random(seed).choices(range(7), k=len(left))
    found = spearman(left, right)
    if len(set(left)) == 1 or len(set(right)) == 1:
        assert math.isnan(found)
    else:
        assert found == pytest.approx(np.corrcoef(by_hand(left), by_hand(right))[0, 1])
        assert spearman(left, [-value for value in right]) == pytest.approx(-found)
        assert spearman([math.exp(value) for value in left], right) == pytest.approx(found)


def test_ndcg_is_one_for_the_right_order_and_less_for_any_other() -> None:
    accuracy = np.array([1.0, 2.0, 3.0, 4.0])
    assert ndcg(accuracy, accuracy) == pytest.approx(1)
    assert ndcg(-accuracy, accuracy) < ndcg(np.array([1.0, 2.0, 4.0, 3.0]), accuracy) < 1


@given(st.integers(2, 60), st.integers(1, 8))
def test_bins_share_out_all_networks_in_order(count: int, number: int) -> None:
    values = np.random.default_rng(count).permutation(count).astype(float)
    groups = bins(np.arange(count), values, number)
    assert sorted(np.concatenate(groups)) == list(range(count))
    assert max(map(len, groups)) - min(map(len, groups)) <= 1
    filled = [group for group in groups if len(group)]
    assert all(values[a].max() < values[b].min() for a, b in pairwise(filled))


def test_halves_scatter_as_samples_of_the_whole_size_do() -> None:
    values = np.random.default_rng(5).normal(size=400)
    means = [values[half].mean() for half in half_samples(400, 400)]
    assert np.std(means) == pytest.approx(values.std() / math.sqrt(400), rel=0.1)
    low, high = interval(means)
    assert low < values.mean() < high


def test_a_ratio_is_regret_over_the_regret_of_chance() -> None:
    rows = {row.metric: row for row in summarize(small_table(), count=2)}
    assert rows["macs"].ratio.value == 0
    assert rows["macs"].percentile.value == 1
    assert rows["zen"].ratio.value == pytest.approx((0 + 9) / (4.5 + 4.5))
    # the band leaves out the network of evenness -1, the best of the first bin
    assert rows[RULE].ratio.value == pytest.approx((1 + 9) / (4.5 + 4.5))
    # up to the second limit all twenty count: Zen's first maximum is the worst of the second bin, at 100 of 109
    assert rows["zen"].limit.value == pytest.approx((0 + 9) / (4.5 + 4.5))
    assert rows["zen"].inside.value == pytest.approx(0)
    assert math.isnan(rows[RULE].inside.value)
    assert math.isnan(rows["zen"].cells.value)  # half of the table does not fill fifteen cells


def test_the_better_metric_has_the_smaller_ratio_also_within_cells() -> None:
    rng = np.random.default_rng(0)
    accuracy = rng.normal(size=600)
    values = {"good": accuracy + rng.normal(size=600), "noise": rng.normal(size=600), "perfect": accuracy}
    table = Table(accuracy, values, rng.normal(size=600), rng.normal(size=600))
    rows = {row.metric: row for row in summarize(table, count=10, halves=50)}
    assert rows["perfect"].cells.value == rows["perfect"].ratio.value == 0
    for name in ("ratio", "cells", "limit"):
        good, noise = getattr(rows["good"], name), getattr(rows["noise"], name)
        assert 0 < good.low < good.value < noise.low < noise.value
    assert rows["noise"].overall.low < 0 < rows["noise"].overall.high
    assert RULE not in rows  # a table without Zen and evenness has no rule


def write(path: Path, rows: Sequence[Sequence[object]], header: Sequence[str] = ("network", "accuracy")) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def test_a_users_table_is_read_scored_and_written(zen: Zen, tmp_path: Path) -> None:
    rows = [(name, 50 + index) for index, name in enumerate(NAMES)]
    write(tmp_path / "runs.csv", rows)
    found = zen("bench", "runs.csv")
    assert found.code == 0
    by_name = {row["metric"]: row for row in found.rows}
    assert set(by_name) >= {RULE, "zen", "even", "balanced", "params", "macs"}
    assert by_name["params"]["overall"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert by_name["params"]["ratio"]["value"] == 0
    assert by_name[RULE]["overall"]["value"] is None
    assert "layers: left out, it is the same for all networks" in found.err
    flat = list(csv.DictReader(io.StringIO(zen("bench", "runs.csv", "--format", "csv", "-q").out)))
    assert [row["metric"] for row in flat] == list(by_name)
    assert zen("bench", "-", "-q", stdin=(tmp_path / "runs.csv").read_text()).out == found.out


def test_cells_may_be_specs_files_and_seeds_of_a_network(zen_here: ZenHere, tmp_path: Path) -> None:
    write(tmp_path / "strings.csv", [(name, index) for index, name in enumerate(NAMES)])
    strings = zen_here("bench", "strings.csv", "-q")
    specs = [json.loads(zen_here("score", "--estimator", "mean-field", name).out)["arch"] for name in NAMES]
    for index, spec in enumerate(specs):
        Path(tmp_path / f"{index}.json").write_text(json.dumps(spec))
    cells = [json.dumps(specs[0]), "1.json", *NAMES[2:]]
    seeds = [(cell, f" {100 * index + extra}% ", "x") for extra in (-3, 3) for index, cell in enumerate(cells)]
    write(tmp_path / "mixed.csv", seeds, ("Arch", "Top1", "note"))
    mixed = zen_here("bench", "mixed.csv")
    assert "24 rows, 12 networks" in mixed.err
    assert mixed.out == strings.out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["t.csv: is empty", "network,accuracy"]),
        ("a,b\n1,2\n", ["--network: t.csv has no column 'network'", "a, b"]),
        ("network,loss\nx,2\n", ["--accuracy: t.csv has no column 'accuracy'"]),
        ("network,accuracy\nnonsense,1\n", ["t.csv:2: network: ", "nonsense"]),
        ('network,accuracy\n"{""blocks"": []}",1\n', ["t.csv:2: network: blocks"]),
        ("network,accuracy\n,1\n", ["t.csv:2: network: is empty"]),
        (f'network,accuracy\n"{NAMES[0]}",nan\n', ["t.csv:2: accuracy: 'nan' is not a number"]),
        (f'network,accuracy\n"{NAMES[0]}",\n', ["t.csv:2: accuracy: '' is not a number"]),
        (f"network,accuracy\n{NAMES[0]},1\n", ["t.csv:2: 8 cells, but the header has 2"]),
        ('network,accuracy\n"x,1\n', ["t.csv:", "is no CSV"]),
        (f'network,accuracy\n"{NAMES[0]}",1\n', ["t.csv: has 1 network;", "at least 10"]),
        ("network,accuracy\n" + "".join(f'"{name}",7\n' for name in NAMES), ["the same accuracy"]),
    ],
)
def test_a_wrong_table_is_one_line(zen_here: ZenHere, tmp_path: Path, text: str, words: list[str]) -> None:
    (tmp_path / "t.csv").write_text(text)
    zen_here("bench", "t.csv").fails(*words)


def test_wrong_options_are_one_line(zen_here: ZenHere, tmp_path: Path) -> None:
    write(tmp_path / "t.csv", [(name, index) for index, name in enumerate(NAMES)])
    zen_here("bench", "none.csv").fails("none.csv: cannot be read, no such file")
    zen_here("bench", "t.csv", "--network", "netwrk").fails("--network: t.csv has no column 'netwrk'", '"network"')
    zen_here("bench", "t.csv", "--bins", "9").fails("--bins: '9' is too large; use at most 3")
    zen_here("bench", "t.csv", "--proxies", "zne").fails("--proxies: unknown 'zne'")
    (tmp_path / "latin.csv").write_bytes(b"network,accuracy\n\xe9,1\n")
    zen_here("bench", "latin.csv").fails("latin.csv: is not UTF-8")


@pytest.mark.parametrize("width", [40, 80, 100, 200])
def test_the_table_fits_and_keeps_its_names(width: int) -> None:
    one = Estimate(0.45, 0.25, 0.5)
    none = Estimate(math.nan, math.nan, math.nan)
    rows = [Summary(RULE, one, none, one, one, none, none, none), Summary("zen", one, none, *[one] * 5)]
    lines = [line.text for line in lay_out(bench_sheet(rows, 300, 10), width)]
    assert max(map(len, lines)) <= width
    assert any(RULE in line and "0.45 (0.25 to 0.50)" in line for line in lines)
    assert "in cells" not in " ".join(lines)  # a statistic without a value has no column


def test_a_search_quotes_the_figure_of_its_problem() -> None:
    table = figures()
    value = table["large"]["metrics"][RULE]["limit"][0]
    large = evidence_line(RULE, 224, has_params_limit=False)
    assert f"{RULE} lost {value:.2f} (" in large
    assert "ImageNet" in large
    assert "docs/evidence.md" in large
    assert f"{table['small']['metrics']['zen']['cells'][0]:.2f}" in evidence_line("zen", 32, has_params_limit=True)
    assert "none for phi on public tables" in evidence_line("phi", 224, has_params_limit=False)


def test_the_evidence_is_one_line_of_a_search(zen_here: ZenHere) -> None:
    small = ["--space", "mobile", "--resolution", "32", "--max-macs", "2M", "--budget", "600evals", "--verify", "0"]
    lines = zen_here("search", *small, "--no-keep").err.splitlines()
    assert len([line for line in lines if line.startswith("zen: evidence: ")]) == 1
    assert zen_here("search", *small, "--no-keep", "--quiet").err == ""
