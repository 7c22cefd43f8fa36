"""The benchmark of the evidence: the known figures, where the tables are."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from zen_cli.bench.figures import figures
from zen_cli.bench.summary import MOST_BINS, RULE, summarize
from zen_cli.net.counting import layer_cost

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
FACTS = os.environ.get("ZEN_FACTS")  # a folder with tables of trained networks
needs_facts = pytest.mark.skipif(not FACTS, reason="ZEN_FACTS does not name a folder with anb_dev_2569.csv")

sys.path.insert(0, str(BENCHMARKS))
import evidence  # noqa: E402  # a benchmark is a script, not a module of the package


@needs_facts
def test_the_known_figures_come_out_again() -> None:
    table = evidence.table_of(evidence.read_anb(Path(FACTS or "")))
    rows = {row.metric: (row.ratio.value, row.cells.value) for row in summarize(table, count=MOST_BINS, halves=2)}
    assert rows["even"] == pytest.approx((0.49, 0.36), abs=0.005)
    assert rows["zen"] == pytest.approx((0.45, 0.60), abs=0.005)
    assert rows[RULE] == pytest.approx((0.52, 0.36), abs=0.005)
    for name, (ratio, cells) in rows.items():  # what a search quotes
        kept = figures()["large"]["metrics"][name]
        assert (kept["ratio"][0], kept["cells"][0]) == pytest.approx((ratio, cells), abs=0.0006)


@needs_facts
def test_the_chains_have_the_published_costs() -> None:
    folder = Path(FACTS or "")
    for row, net in zip(evidence.read_csv(folder / "anb_dev_2569.csv"), evidence.read_anb(folder), strict=True):
        total = evidence.chain_terms(net.chain, net.classifier).total
        convolutions = sum(layer_cost(layer).macs for layer in net.chain)
        assert convolutions / 1e6 == pytest.approx(float(row["conv_macs_m"]), abs=0.06)  # the table has one digit
        if not any(stage.endswith("1") for stage in row["arch"].split(";")):
            assert total.params / 1e6 == pytest.approx(float(row["params_m"]), abs=6e-5)
    grid = evidence.read_csv(folder / "mobilenet_grid_38.csv")
    for row, net in zip(grid, evidence.read_mobilenets(folder), strict=True):
        published = float(row["published_macs_m"])
        if (row["net"], row["width_multiplier"], row["resolution"]) == ("mobilenet_v1", "0.25", "192"):
            published *= 30 / 34  # its 34M contradict its own 41M at 224, which are 30M at 192
        macs = evidence.chain_terms(net.chain, net.classifier).total.macs / 1e6
        assert macs == pytest.approx(published, rel=0.03, abs=1)  # whole millions


def test_what_a_search_quotes_is_the_result_that_is_kept() -> None:
    result = (BENCHMARKS / "results" / "evidence.md").read_text(encoding="utf-8")
    for table in figures().values():
        for name, row in table["metrics"].items():
            line = next(line for line in result.splitlines() if line.startswith((f"| {name} ", f"| **{name}** ")))
            result = result.replace(line, "", 1)  # the tables have the same metrics, the large one first
            for value, low, high in row.values():
                assert f"{value:.2f} " in line
                assert f"({low:.2f} to {high:.2f})" in line
