"""The benchmark that trains: its intervals by hand, its runs resumed, its page from the runs that are kept."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import pytest
from forks import fork_server

from zen_cli import cost

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))
pytest.importorskip("torch")
import train  # noqa: E402  # a benchmark is a script, not a module of the package
import train_report  # noqa: E402
from train_networks import LEAST, MACS, find_random, hand_made  # noqa: E402


def rows_of(kind: str, runs: dict[int, list[float]]) -> list[dict[str, str]]:
    """Runs of small random members of the ruled space, by their seed, with these accuracies in per cent."""
    rows = []
    for seed, accuracies in runs.items():
        spec = find_random(seed, rules=True)
        fixed = {
            "kind": kind,
            "images": "100",
            "epochs": "1",
            "device": "cpu",
            "macs": str(cost(spec).macs),
            "id": spec.id,
        }
        arch = json.dumps(spec.to_dict())
        for index, value in enumerate(accuracies):
            rows.append({**fixed, "seed": str(index), "accuracy": str(value / 100), "arch": arch})
    return rows


def test_random_and_hand_made_networks_spend_the_limit() -> None:
    specs = [find_random(seed, rules=rules) for seed in range(3) for rules in (False, True)]
    specs += [network.spec for network in hand_made()]
    assert all(LEAST * MACS <= cost(spec).macs <= MACS for spec in specs)
    assert find_random(1, rules=False) == find_random(1, rules=False)
    widths = [[block.width for block in spec.blocks[1:-1]] for spec in specs[1:6:2]]
    assert widths == [sorted(row) for row in widths]  # rules: the trunk never narrows


def test_a_gain_is_the_difference_of_means_with_the_interval_of_both() -> None:
    rows = rows_of("random", {0: [80, 82], 1: [84, 84], 2: [87, 87]}) + rows_of("pick", {3: [88, 90, 89]})
    networks = train_report.networks_of(rows)
    noise = train_report.seed_variance(networks)
    assert noise == pytest.approx((2 + 0 + 0 + 2) / (1 + 1 + 1 + 2))
    kinds = train_report.by_kind(networks)
    spread = sum((value - 84) ** 2 for value in (81, 84, 87)) / 2
    assert train_report.mean_variance(kinds["random"], noise) == pytest.approx(spread / 3)
    assert train_report.mean_variance(kinds["pick"], noise) == pytest.approx(noise / 3)
    error = 1.96 * math.sqrt(spread / 3 + noise / 3)
    assert f"| pick | 1 | 3 | 89.00 |  | +5.00 ± {error:.2f} |" in train_report.report(rows)


STUDY = """
import multiprocessing, sys
from pathlib import Path
import sklearn.datasets, torch._dynamo  # which each process would import
sys.path.insert(0, sys.argv.pop(1))
import train, train_networks
train_networks.randoms = lambda: (
    train_networks.Network("random", train_networks.find_random(seed, rules=True)) for seed in range(2)
)
start = multiprocessing.get_context
multiprocessing.get_context = lambda _: start("fork")
train.main()
whole = Path("runs.csv").read_text()
Path("whole.csv").write_text(whole)
Path("runs.csv").write_text("".join(whole.splitlines(keepends=True)[:3]))  # two of four runs
train.main()
"""


def test_training_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="needs the digits of scikit-learn")
    words = ["--data", "digits", "--csv", "runs.csv", "--parts", "random", "--images", "64", "--epochs", "1"]
    code, out, err = fork_server().run(tmp_path, STUDY, str(BENCHMARKS), *words)
    assert (code, err) == (0, "")
    assert out.count("random, seed ") == 4 + 2
    whole, rows = (train.read(tmp_path / name) for name in ("whole.csv", "runs.csv"))
    ids = [find_random(seed, rules=True).id for seed in range(2)]
    assert [(row["seed"], row["id"]) for row in whole] == [(str(seed), id_) for seed in range(2) for id_ in ids]
    assert [row["accuracy"] for row in rows] == [row["accuracy"] for row in whole]
    assert len({row["accuracy"] for row in whole}) > 1


def test_the_published_page_is_that_of_the_published_runs() -> None:
    rows = train.read(BENCHMARKS / "results" / "train.csv")
    page = (BENCHMARKS / "results" / "train.md").read_text(encoding="utf-8")
    assert train_report.report(rows) in page
    assert train_report.plot(rows) == (BENCHMARKS / "results" / "train.svg").read_text(encoding="utf-8")
