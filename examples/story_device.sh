#!/usr/bin/env bash
# quick
# needs: python:onnx python:onnxruntime python:PIL
# A backbone for a device: from a limit to ONNX and a training start. Files go to the folder that is named, or to a new one.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$(mktemp -d)}
mkdir -p "$out"

# 1. What it may cost: 10M multiply-adds on images of 64 x 64.
zen search --max-macs 10M --resolution 64 --num-classes 10 --budget 40kevals --verify 0 --top 2 --out "$out/run" \
    --format jsonl >"$out/found.jsonl"

# 2. The two best side by side, and where the cost of the first is.
zen compare "$out/found.jsonl" --format table
head -n 1 "$out/found.jsonl" | zen score --layers --format csv - >"$out/layers.csv"

# 3. Files that need no zen. Each is loaded again and compared with the network before it is written.
head -n 1 "$out/found.jsonl" | zen export - --to onnx --force -o "$out/net.onnx"
head -n 1 "$out/found.jsonl" | zen export - --to torch --force -o "$out/net.py"

# 4. A training start: here on drawn shapes; on yours with: python examples/train_folder.py net.py IMAGES
python "$here/train_folder.py" --demo --epochs 1
echo "files: $out"
