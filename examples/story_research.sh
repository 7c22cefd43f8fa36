#!/usr/bin/env bash
# quick
# needs: python:matplotlib
# A question about scores: do the two conventions of the Zen-score order the published networks alike? The answer is a CSV
# and a plot, in the folder that is named, or in a new one.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$(mktemp -d)}
mkdir -p "$out"

for convention in paper zennas; do
    zen score --estimator mean-field --convention "$convention" --columns name,zen,macs --format csv \
        "$here"/networks/*.json >"$out/$convention.csv"
done

python - "$out" <<'PYTHON'
import csv
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

out = Path(sys.argv[1])
tables = {name: list(csv.DictReader((out / f"{name}.csv").open())) for name in ("paper", "zennas")}
scores = {name: [float(row["zen"]) for row in rows] for name, rows in tables.items()}
names = [row["name"] for row in tables["paper"]]
with (out / "scores.csv").open("w", newline="") as file:
    csv.writer(file).writerows([["name", *scores], *zip(names, *scores.values())])
ranks = {name: sorted(range(len(names)), key=values.__getitem__) for name, values in scores.items()}
moved = sum(one != two for one, two in zip(*ranks.values()))
figure, axes = pyplot.subplots(figsize=(6, 4.5), layout="constrained")
axes.scatter(scores["paper"], scores["zennas"], color="#0072b2")
for name, x, y in zip(names, *scores.values()):
    axes.annotate(name, (x, y), textcoords="offset points", xytext=(5, -3), fontsize=7)
axes.set(xlabel="Zen, convention paper (nats)", ylabel="Zen, convention zennas (nats)")
figure.savefig(out / "scores.png", dpi=150)
print(f"{moved} of {len(names)} networks have another rank; {out / 'scores.csv'}, {out / 'scores.png'}")
PYTHON
