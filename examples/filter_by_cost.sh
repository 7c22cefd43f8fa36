#!/usr/bin/env bash
# quick
# needs: jq
# Keeps the networks with at most 200 million multiply-adds and scores them again, now with a standard error. A record is
# also an input, so the output of one command can be the input of the next.
set -euo pipefail
cd "$(dirname "$0")"

zen score --estimator mean-field networks/*.json |
    jq -c 'select(.cost.macs <= 2e8)' |
    zen score --draws 8 --batch-size 4 - |
    jq -c '{name, zen: .zen.value, std_error: .zen.std_error}'
