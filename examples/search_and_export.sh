#!/usr/bin/env bash
# quick
# needs: jq
# From limits to a file: searches networks of at most 300k parameters and 12 sub-layers, takes from the five best the one
# with the fewest multiply-adds, and writes it as a Python file that needs only PyTorch.
set -euo pipefail
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

zen search --space zennet-resnet --resolution 32 --num-classes 10 --max-params 300k --max-sublayers 12 \
    --budget 10kevals --verify 0 --top 5 --format jsonl |
    tee "$out/candidates.jsonl" |
    jq -cs 'min_by(.cost.macs)' |
    zen export - --to torch -o "$out/net.py"

# What was found, and how.
jq -r '[.name, .zen.value, .cost.macs, .search.evaluations] | @tsv' "$out/candidates.jsonl"
python "$out/net.py" # the file checks itself
