"""The benchmark of the evidence: its protocol by hand, and the known figures where the tables are."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from zen_cli.net.counting import layer_cost

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
FACTS = os.environ.get("ZEN_FACTS")  # a folder with tables of trained networks
needs_facts = pytest.mark.skipif(not FACTS, reason="ZEN_FACTS does not name a folder with anb_dev_2569.csv")

sys.path.insert(0, str(BENCHMARKS))
import evidence  # noqa: E402  # a benchmark is a script, not a module of the package


def small_table() -> evidence.Table:
    """Twenty networks in two bins of ten: Zen finds the best of the first bin and the worst of the second."""
    data = object.__new__(evidence.Table)
    data.name = "small"
    data.accuracy = np.array([*range(10), *range(100, 110)], dtype=float)
    zen = [*range(10), *range(10, 0, -1)]
    even = [*[0.0] * 9, -1.0, *[0.0] * 9, 0.02]
    data.values = {
        "zen": np.array(zen, dtype=float),
        "even": np.array(even),
        "macs": np.arange(20.0),
        "params": np.arange(20.0),
    }
    return data


def test_a_ratio_is_regret_over_the_regret_of_chance() -> None:
    data = small_table()
    groups = data.deciles(np.arange(20), 2)
    assert [list(group) for group in groups] == [list(range(10)), list(range(10, 20))]
    picks = data.picks()
    assert data.ratio(groups, picks["macs"]) == 0
    assert data.ratio(groups, picks["zen"]) == pytest.approx((0 + 9) / (4.5 + 4.5))
    # the band leaves out the network of evenness -1, the best of the first bin
    assert data.ratio(groups, picks["**zen in the band**"]) == pytest.approx((1 + 9) / (4.5 + 4.5))


def test_ndcg_is_one_for_the_right_order_and_less_for_any_other() -> None:
    accuracy = np.array([1.0, 2.0, 3.0, 4.0])
    assert evidence.ndcg(accuracy, accuracy) == pytest.approx(1)
    assert evidence.ndcg(-accuracy, accuracy) < evidence.ndcg(np.array([1.0, 2.0, 4.0, 3.0]), accuracy) < 1


@needs_facts
def test_the_known_figures_come_out_again() -> None:
    rows = evidence.read_anb(Path(FACTS or ""))
    data = evidence.Table("anb", rows)
    everything = np.arange(len(rows))
    picks = data.picks()
    ratios = {name: (data.ratios(everything, picks[name])) for name in ("even", "zen", "**zen in the band**")}
    assert ratios["even"][:2] == pytest.approx((0.49, 0.36), abs=0.005)
    assert ratios["zen"][:2] == pytest.approx((0.45, 0.60), abs=0.005)
    assert ratios["**zen in the band**"][:2] == pytest.approx((0.52, 0.36), abs=0.005)


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
