#!/usr/bin/env bash
# quick
# needs: jq
# Where a score comes from: the five layers with the largest gain, and the layer where Delta saturates.
set -euo pipefail
cd "$(dirname "$0")"

zen score --estimator mean-field --breakdown networks/zennet-0.1ms.json |
    jq -r '.breakdown | (.layers | sort_by(-.log_sigma)[:5][] |
        "layer \(.layer): \(.kernel)x\(.kernel), \(.in_width) to \(.out_width) channels, log sigma \(.log_sigma)"),
        "Delta saturates at layer \(.saturation_layer // "none")"'
