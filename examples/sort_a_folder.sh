#!/usr/bin/env bash
# quick
# Scores a folder of networks by the closed form, the highest score first, each with what it costs.
set -euo pipefail
cd "$(dirname "$0")"

zen score --estimator mean-field --sort zen --columns name,zen,params,macs --format csv networks/*.json
