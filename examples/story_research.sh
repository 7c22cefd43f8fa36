#!/usr/bin/env bash
# quick
# needs: python:matplotlib python:scipy
# A question about scores: does the Zen-score order published networks as their accuracy on ImageNet does, and does it tell
# more than their multiply-adds? The answer is a CSV and a plot, in the folder that is named, or in a new one. The accuracies
# are of different training recipes, which the list names, so small differences between them say little.
set -euo pipefail
out=${1:-$(mktemp -d)}
mkdir -p "$out"

# 1. The published networks that zen knows with an accuracy, and their scores.
zen score --list-networks --format csv >"$out/accuracies.csv"
names=$(python -c 'import csv, sys; print(*[row["name"] for row in csv.DictReader(sys.stdin) if row["top1"]])' \
    <"$out/accuracies.csv")
# shellcheck disable=SC2086 # names have no spaces
zen score --estimator mean-field --columns name,zen,macs,params --format csv $names >"$out/scores.csv"

# 2. Rank correlations, over all networks and among networks of about equal cost; and the plot.
python - "$out" <<'PYTHON'
import csv
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot
from scipy.stats import spearmanr

out = Path(sys.argv[1])
accuracies = {row["name"]: row["top1"] for row in csv.DictReader((out / "accuracies.csv").open())}
rows = [{**row, "top1": accuracies[row["name"]]} for row in csv.DictReader((out / "scores.csv").open())]
with (out / "networks.csv").open("w", newline="") as file:
    table = csv.DictWriter(file, list(rows[0]))
    table.writeheader()
    table.writerows(rows)
zen, macs, top1 = ([float(row[column]) for row in rows] for column in ("zen", "macs", "top1"))

print("MACs         networks  Spearman of zen  of MACs")
for low, high in ((0, 1e12), (0, 4e8), (4e8, 1e9), (1e9, 4e9), (4e9, 1e12)):
    part = [index for index, cost in enumerate(macs) if low <= cost < high]
    rho = [spearmanr([values[i] for i in part], [top1[i] for i in part]).statistic for values in (zen, macs)]
    print(f"{low / 1e9:.1f}G to {min(high / 1e9, 99):4.1f}G  {len(part):6d}  {rho[0]:15.2f}  {rho[1]:7.2f}")

figure, axes = pyplot.subplots(figsize=(6.4, 4.4), layout="constrained")
points = axes.scatter(zen, top1, c=macs, norm="log", cmap="viridis", s=18)
figure.colorbar(points, label="multiply-adds")
axes.set(xlabel="Zen-score, closed form (nats)", ylabel="top-1 accuracy on ImageNet (%)", xscale="log")
ticks = (30, 50, 100, 200, 400)
axes.set_xticks(ticks, map(str, ticks))
axes.set_xticks([], minor=True)
pyplot.rcParams["svg.hashsalt"] = "zen"  # the same bytes each time
figure.savefig(out / "accuracies.svg", metadata={"Date": None})
print(f"{out / 'networks.csv'}, {out / 'accuracies.svg'}")
PYTHON
