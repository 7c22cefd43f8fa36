"""What a score is worth on tables of trained networks: the figures of docs/evidence.md.

    python benchmarks/evidence.py --facts FOLDER [--halves 200] [--save]

The folder, or the variable ZEN_FACTS, has `anb_dev_2569.csv`, `nats_sss_cifar10_4096.csv` and `mobilenet_grid_38.csv`;
nothing is downloaded. The metrics are computed here from the chains of the networks. Protocol, in zen_cli/bench:

    MACs deciles     ten bins of equally many networks by MACs
    cells            five bins by MACs, each in three bins by parameters
    MACs <= B        B at the ten deciles of MACs; all networks up to B
    ratio            regret of the metric's pick over the regret of a random network of the same cost
    percentile, nDCG, Spearman   within deciles, mean over deciles
    interval         2.5 to 97.5% of 200 random halves of the table, binned anew
"""

from __future__ import annotations

import argparse
import csv
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from proxies import network as nats_network
from report import FACTS, table

from zen_cli.bench.figures import PLACE
from zen_cli.bench.statistics import half_samples, ratio, spearman
from zen_cli.bench.summary import MOST_BINS, RULE, Summary, Table, summarize
from zen_cli.metrics import find
from zen_cli.metrics.block_terms import Terms
from zen_cli.metrics.evenness import chain_evenness
from zen_cli.metrics.mean_field import LINEAR, RELU, log_gain
from zen_cli.metrics.settings import ScoreSettings
from zen_cli.metrics.terms import NetworkTerms, StageTerms
from zen_cli.net.classifier import Classifier
from zen_cli.net.counting import classifier_cost, layer_cost
from zen_cli.net.layers import Chain, shrink, square_conv
from zen_cli.ui.bench import write_estimate

RESULT = Path(__file__).parent / "results" / "evidence.md"
METRICS = ("zen", "even", "balanced", "entropy", "params", "macs", "activations", "layers")
CLOSED = ScoreSettings(estimator="mean-field")


class Trained(NamedTuple):
    """A network of a table: its chain, which layers are a unit, how many units are residual, cost, accuracy."""

    chain: Chain
    units: tuple[range, ...]
    residual_units: int
    classifier: int
    accuracy: float
    params: float | None = None

    def values(self) -> dict[str, float]:
        """The metrics of `METRICS`."""
        terms = chain_terms(self.chain, self.classifier)
        found = {name: find(name).value_of(terms, CLOSED) for name in METRICS if name != "even"}
        found["even"] = chain_evenness(self.chain, self.units, self.residual_units).value
        if self.params is not None:
            found["params"] = self.params
        return found


def chain_terms(chain: Chain, classifier: int) -> NetworkTerms:
    """The sums of a chain with a classifier of so many classes, without projections and squeeze-and-excitation."""
    rows, stages, log_fan_in = [], [], 0.0
    for index, layer in enumerate(chain):
        cost = layer_cost(layer)
        fan_in = math.log(layer.fan_in * math.prod(layer.kernel))
        if index and layer.out_size != chain[index - 1].out_size:
            stages.append(StageTerms(log_fan_in, chain[index - 1].out_width, chain[index - 1].out_size[0]))
        log_fan_in += fan_in
        maps = math.log(layer.out_width * math.prod(layer.out_size))
        gain = log_gain(layer, RELU if index else LINEAR)
        rows.append(Terms(gain, maps, fan_in, cost.params, cost.macs, cost.activations, 1, 1))
    last = chain[-1]
    stages.append(StageTerms(log_fan_in, last.out_width, last.out_size[0]))
    head = classifier_cost(last.out_width, Classifier(classifier))
    rows.append(Terms(params=head.params, macs=head.macs))
    total = Terms(*(sum(column) for column in zip(*rows, strict=True)))
    return NetworkTerms(
        total, last.out_width, last.out_size[0], tuple(stages), (), (3, chain[0].in_size[0]), Classifier(classifier)
    )


class Chains:
    """Puts a chain together unit by unit."""

    def __init__(self, width: int, side: int, kernel: int = 3, stride: int = 2) -> None:
        self.layers = [square_conv(3, width, kernel, side, stride)]
        self.units: list[range] = []
        self.width, self.side = width, shrink(side, stride)

    def inverted(self, expansion: int, kernel: int, width: int, stride: int) -> None:
        """1x1 up (not at expansion 1), depthwise, 1x1 down."""
        begin, inside = len(self.layers), expansion * self.width
        if expansion > 1:
            self.layers.append(square_conv(self.width, inside, 1, self.side))
        self.layers.append(square_conv(inside, inside, kernel, self.side, stride, inside))
        self.side = shrink(self.side, stride)
        self.layers.append(square_conv(inside, width, 1, self.side))
        self.width = width
        self.units.append(range(begin, len(self.layers)))

    def head(self, width: int) -> None:
        """A 1x1 convolution, which is no unit."""
        self.layers.append(square_conv(self.width, width, 1, self.side))
        self.width = width


def read_anb(folder: Path) -> list[Trained]:
    """Accel-NASBench: `arch` is seven stages, each the digits expansion, kernel, units, squeeze-and-excitation."""
    rows = []
    for row in read_csv(folder / "anb_dev_2569.csv"):
        net = Chains(32, 224)
        stages = row["arch"].split(";")
        for text, width, stride in zip(stages, (16, 24, 40, 80, 112, 192, 320), (1, 2, 2, 2, 1, 2, 1), strict=True):
            expansion, kernel, count, _ = map(int, text)
            for index in range(count):
                net.inverted(expansion, kernel, width, stride if index == 0 else 1)
        net.head(1280)
        params = 1e6 * float(row["params_m"])
        accuracy = float(row["val_top1"])
        rows.append(Trained(tuple(net.layers), tuple(net.units), len(net.units), 1000, accuracy, params))
    return rows


def read_nats(folder: Path) -> list[Trained]:
    """NATS-Bench size space: chains of 3x3 convolutions after a stem; each convolution is a unit, none is residual."""
    rows = []
    for row in read_csv(folder / "nats_sss_cifar10_4096.csv"):
        chain = nats_network(row["arch"]).chain
        units = tuple(range(index, index + 1) for index in range(1, len(chain)))
        rows.append(Trained(chain, units, 0, 10, float(row["test_acc_90ep"])))
    return rows


def read_mobilenets(folder: Path) -> list[Trained]:
    """MobileNetV1 and V2 at several widths and resolutions."""
    rows = []
    for row in read_csv(folder / "mobilenet_grid_38.csv"):
        factor, side = float(row["width_multiplier"]), int(row["resolution"])
        make = _mobilenet_v1 if row["net"] == "mobilenet_v1" else _mobilenet_v2
        net = make(factor, side)
        residual = 0 if row["net"] == "mobilenet_v1" else len(net.units)
        rows.append(Trained(tuple(net.layers), tuple(net.units), residual, 1000, float(row["top1"])))
    return rows


def _mobilenet_v1(factor: float, side: int) -> Chains:
    net = Chains(int(32 * factor), side)
    widths = (64, 128, 128, 256, 256, *[512] * 6, 1024, 1024)
    for width, stride in zip(widths, (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1), strict=True):
        net.inverted(1, 3, int(width * factor), stride)
    return net


def _mobilenet_v2(factor: float, side: int) -> Chains:
    def scaled(width: int) -> int:
        near = max(8, int(width * factor + 4) // 8 * 8)
        return near + 8 if near < 0.9 * width * factor else near

    net = Chains(scaled(32), side)
    table_v2 = (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    )
    for expansion, width, count, stride in table_v2:
        for index in range(count):
            net.inverted(expansion, 3, scaled(width), stride if index == 0 else 1)
    net.head(max(1280, scaled(1280)))
    return net


def read_csv(path: Path) -> list[dict[str, str]]:
    """The rows of a table."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def table_of(networks: Sequence[Trained]) -> Table:
    """The table of networks with the metrics of `METRICS` that differ between them."""
    rows = [row.values() for row in networks]
    values = {name: np.array([row[name] for row in rows]) for name in METRICS}
    differ = {name: column for name, column in values.items() if np.ptp(column) > 0}
    return Table(np.array([row.accuracy for row in networks]), differ, values["macs"], values["params"])


def report_table(name: str, count: int, summaries: Sequence[Summary]) -> str:
    """One row a metric."""
    rows = []
    for row in summaries:
        metric = f"**{RULE}**" if row.metric == RULE else row.metric
        ratios = [write_estimate(one) for one in (row.ratio, row.cells, row.limit)]
        ranks = [write_estimate(one) for one in (row.ndcg, row.inside)]
        rows.append([metric, *ratios, f"{row.percentile.value:.0%}", *ranks])
    rows.append(["a random network", "1", "1", "1", "50%", "", "0"])
    head = ["maximised", "MACs deciles", "cells", "MACs <= B", "percentile", "nDCG", "Spearman in deciles"]
    return f"### {name}, {count:,} networks\n\n{table(head, rows)}"


def report_halves(data: Table, count: int) -> str:
    """Ratios on halves of a table: smaller bins have a smaller regret at chance, and ratios fall with them."""
    picks, total = data.picks(), len(data.accuracy)
    kinds = {
        "whole": [data.everything],
        "first and second half of the rows": [data.everything[: total // 2], data.everything[total // 2 :]],
        f"{count} random halves": half_samples(total, count),
    }
    rows = []
    for kind, parts in kinds.items():
        for name in (RULE, "zen", "even"):
            pick = picks[name]
            groups = [(data.deciles(part), data.cells(part)) for part in parts]
            pairs = [[ratio(data.accuracy, each, pick) for each in pair] for pair in groups]
            rows.append([kind, name, *(f"{value:.2f}"[1:] for value in np.mean(pairs, axis=0))])
    return f"### Accel-NASBench, means over halves\n\n{table(['part', 'maximised', 'MACs deciles', 'cells'], rows)}"


def figures_of(title: str, summaries: Sequence[Summary]) -> dict[str, Any]:
    """What `zen search` quotes of a table: the ratios of each metric, with their intervals, to five digits."""
    kept = ("ratio", "cells", "limit")
    metrics = {
        row.metric: {name: [round(number, 5) for number in getattr(row, name)] for name in kept} for row in summaries
    }
    return {"title": title, "metrics": metrics}


def report_grid(name: str, data: Table) -> str:
    """A grid is too small for bins: rank correlations over all of it, beside those of the costs."""
    rows = [[metric, f"{spearman(values, data.accuracy):.3f}"] for metric, values in data.values.items()]
    return f"### {name}, {len(data.accuracy)} networks\n\n{table(['metric', 'Spearman, all MACs'], rows)}"


def main() -> None:
    """Prints the tables; keeps them under --save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--facts", type=Path, default=FACTS, help="the folder with the tables (default: ZEN_FACTS)")
    parser.add_argument("--halves", type=int, default=200, help="random halves for the intervals")
    parser.add_argument("--save", action="store_true", help=f"write {RESULT.name} and {PLACE.name}")
    options = parser.parse_args()
    if not (options.facts / "anb_dev_2569.csv").exists():
        parser.error(f"{options.facts}: has no anb_dev_2569.csv; give the folder of the tables, or set ZEN_FACTS")
    anb, nats, grid = (table_of(read(options.facts)) for read in (read_anb, read_nats, read_mobilenets))
    large, small = (summarize(data, count=MOST_BINS, halves=options.halves) for data in (anb, nats))
    parts = [
        report_table("Accel-NASBench (ImageNet, its proxy recipe)", len(anb.accuracy), large),
        report_table("NATS-Bench size space (CIFAR-10, 90 epochs)", len(nats.accuracy), small),
        report_halves(anb, options.halves),
        report_grid("MobileNetV1 and V2, widths and resolutions (ImageNet)", grid),
    ]
    text = "\n\n".join(parts)
    print(text)
    if options.save:
        intro = (
            "# What a score is worth on trained networks\n\n"
            "`python benchmarks/evidence.py --facts FOLDER --save`; the protocol is in its docstring. Ratios are\n"
            "regret over the regret of a random network of the same cost: below 1 is better than chance. In\n"
            f"parentheses: 95% of {options.halves} random halves of the table.\n\n"
        )
        RESULT.write_text(intro + text + "\n", encoding="utf-8")
        titles = (
            f"{len(anb.accuracy):,} ImageNet networks",
            f"{len(nats.accuracy):,} CIFAR-10 networks that differ in width alone",
        )
        quoted = {"large": figures_of(titles[0], large), "small": figures_of(titles[1], small)}
        PLACE.write_text(json.dumps(quoted) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
