#!/usr/bin/env bash
# quick
# needs: jq
# Scores a folder of networks by the closed form and ranks them: the score beside what it costs.
set -euo pipefail
cd "$(dirname "$0")"

zen score --estimator mean-field networks/*.json |
    jq -rs 'sort_by(-.zen.value)[] | [.name, (.zen.value * 100 | round / 100), .cost.params, .cost.macs] | @tsv'
