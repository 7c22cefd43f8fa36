#!/usr/bin/env bash
# Makes all pictures of the documentation again, each from a named run with its seeds; five minutes on two cores.
# Needs zen-cli[report,examples].
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python ../../examples/zen_vs_phi.py --svg zen_vs_phi.svg
python ../../benchmarks/exact_figure.py exact.svg
bash ../../examples/story_research.sh "$work"
mv "$work/accuracies.svg" accuracies.svg

# How an evolution goes: the published problem cifar-1m, seed 0.
zen search --preset cifar-1m --algorithm evolution --seed 0 --budget 120kevals --verify 0 --out "$work/search" \
    --format jsonl >/dev/null
zen report "$work/search" ../../examples/networks/zennet-1.0M.json --to svg -o "$work/search.html"

# A front with its proven bounds: the same problem, by the exact search.
zen search --preset cifar-1m --front macs --algorithm exact --gap 2% --top 8 --verify 0 --out "$work/front" \
    --format jsonl >/dev/null
zen report "$work/front" --to svg -o "$work/front.html"

mv "$work/search.history.svg" search-history.svg
mv "$work/front.macs.svg" front-macs.svg
