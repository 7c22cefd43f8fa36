#!/usr/bin/env bash
# quick
# needs: jq
# Keeps the networks with at most 200 million multiply-adds, and scores those again with an error bar: a record is an
# input too, so commands chain.
set -euo pipefail
cd "$(dirname "$0")"

zen score --estimator mean-field networks/*.json |
    jq -c 'select(.cost.macs <= 2e8)' |
    zen score --draws 8 --batch-size 4 - |
    jq -c '{name, zen: .zen.value, std_error: .zen.std_error}'
