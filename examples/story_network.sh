#!/usr/bin/env bash
# quick
# needs: python:altair python:vl_convert
# From a network that you have to others of the same cost: a published name, the best that a short search finds within
# its parameters and multiply-adds, both side by side, and a page with both. Files go to the folder that is named.
set -euo pipefail
start=${ZEN_START:-mobilenet_v2}
out=${1:-$(mktemp -d)}
mkdir -p "$out"

# 1. What it costs.
cost=$(zen score --estimator mean-field --columns params,macs --format csv "$start" | tail -n 1 | tr -d '\r')

# 2. The best of a short search at no higher cost.
zen search --max-params "${cost%,*}" --max-macs "${cost#*,}" --budget 60kevals --verify 0 --top 3 --out "$out/run" \
    --format jsonl >"$out/found.jsonl"

# 3. Side by side, and a page with charts, drawings and the commands to go on.
head -n 1 "$out/found.jsonl" >"$out/best.jsonl"
zen compare "$start" "$out/best.jsonl" --format table
zen report "$out/run" "$start" --force -o "$out/report.html"
