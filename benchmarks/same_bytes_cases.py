"""The commands of same_bytes.py, and the files that they read."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

from zen_cli.metrics.registry import BUILT_IN, limitable
from zen_cli.networks import names

ROOT = Path(__file__).resolve().parent.parent
CLOSED = ",".join(name for name in limitable() if name not in ("zen", "latency"))
MEASURED = [name for name in BUILT_IN if name not in limitable()]
SPACES = (  # with limits
    "mobile --max-macs 40M --resolution 96",
    "resnet --max-macs 300M --resolution 64",
    "regnet --max-macs 100M --resolution 64",
    "mobilenetv2 --max-macs 60M --resolution 96",
    "mobilenetv3 --max-macs 60M --resolution 96",
    "resnet-d --max-macs 400M --resolution 64",
    "regnetx --max-macs 100M --resolution 64",
    "regnety --max-macs 100M --resolution 64",
    "zennet-mobile --max-params 2M --max-macs 60M --max-sublayers 14 --resolution 64",
    "zennet-resnet --max-params 1M --max-macs 150M --max-sublayers 14 --resolution 32",
)
QUIET = "--verify 0 --quiet --format jsonl"


def prepare(folder: Path) -> None:
    """Writes what the commands read: random networks, and a target that predicts times."""
    from report import random_spec

    rng = random.Random(0)
    specs = [random_spec(rng, rng.choice(["bottleneck", "mbconv"])).to_dict() for _ in range(200)]
    (folder / "specs.jsonl").write_text("".join(json.dumps(spec) + "\n" for spec in specs), encoding="utf-8")
    shutil.copy(ROOT / "examples/networks/zennet-0.5M.json", folder)
    (folder / "target.json").write_bytes(a_target(rng))


def a_target(rng: random.Random) -> bytes:
    """A target with rates of the size that a core of today has; no machine was measured."""
    from zen_cli.target.graph import KINDS
    from zen_cli.target.model import Cold, ErrorRow, LatencyModel, Target
    from zen_cli.target.terms import Terms

    sizes = {"overhead": 1e-3, "groups": 1e-3, "padded": 1e-9, "wide": 1e-9, "ragged": 1e-9}
    laws = {kind: {name: rng.uniform(1, 10) * sizes.get(name, 1e-8) for name in Terms._fields} for kind in KINDS}
    model = LatencyModel(
        laws=laws, start=0.01, cold=(Cold(least=1e5, most=1e6, rate=1e-8), Cold(least=1e6, most=2e6, rate=2e-8))
    )
    error = ErrorRow(median=0.04, p90=0.1, rank_correlation=0.99, n=20, spread=0.03)
    return Target(name="made-up", backend="torch", threads=1, dtype="float32", model=model, error=error).to_bytes()


def cases(*, with_torch: bool) -> Iterator[tuple[str, str]]:
    """Which files a command writes, as a pattern, empty where only stdout counts; and its words."""
    yield from _scores()
    for words in _searches():
        yield "", f"search {words} {QUIET}"
    yield "run/results.jsonl", f"search --out run --budget 4kevals --algorithm evolution --resolution 64 {QUIET}"
    yield "out/*", "export @zennet-0.5M.json --to json,plainnet,mermaid,svg -o out/ --quiet"
    yield "out/*", "export resnet50 regnety_008 @specs.jsonl --to json,mermaid,svg -o out/ --quiet"
    if with_torch:
        yield from _measured()


def _scores() -> Iterator[tuple[str, str]]:
    everything = " ".join(names())
    for definition in ("", "--convention zennas", "--norm l1", "--alpha 0.1"):
        yield "", f"score --estimator mean-field {definition} --proxies {CLOSED} --format jsonl {everything}"
    yield "", f"score --estimator mean-field --breakdown --format jsonl {everything}"
    yield "", f"score --estimator mean-field --format table {everything}"
    yield "", "score --layers --format jsonl resnet50 mobilenet_v3_large regnety_008"
    yield "", f"score --estimator mean-field --breakdown --proxies {CLOSED} --format jsonl @specs.jsonl"
    yield "", "score --estimator mean-field --target @target.json --format jsonl @specs.jsonl resnet50 mobilenet_v2"
    yield "", "compare mobilenet_v2 efficientnet_b0 resnet50 --format json"
    yield "", "compare mobilenet_v2 efficientnet_b0 --format table"


def _searches() -> Iterator[str]:
    for space in SPACES:
        for algorithm in ("evolution --seed 3", "auto --seed 4"):
            yield f"--space {space} --algorithm {algorithm} --budget 6kevals"
    for proxy in CLOSED.split(","):
        yield f"--preset cifar-1m --proxy {proxy} --algorithm evolution --budget 3kevals"
    yield "--preset cifar-1m --budget 60kevals --seed 3"
    yield "--preset imagenet-400m --budget 20kevals --bound --similar"
    yield "--preset cifar-2m --algorithm exact --gap 1% --top 3"
    yield "--preset imagenet-400m --algorithm exact --gap 2% --top 3"
    yield f"--space {SPACES[0]} --algorithm exact --gap 5%"
    yield "--space mobile --resolution 64 --evenness off --max-macs 40M --max-sublayers 12 --budget 6kevals"
    yield "--space mobile --resolution 64 --rules none --max-macs 40M --max-sublayers 12 --budget 6kevals"
    yield "--preset imagenet-400m --front macs --budget 8kevals"
    yield "--space zennet-mobile --max-macs 400M --max-params 6M --front macs,params --budget 8kevals"
    yield "--preset cifar-0.5m --front macs --algorithm exact --top 3 --gap 2%"
    yield "--resolution 64 --seeds 0..2 --budget 3kevals --algorithm evolution"
    yield "--resolution 64 --target @target.json --max-latency 3ms --budget 4kevals --algorithm evolution"
    yield "--resolution 64 --target @target.json --max-latency 1ms --budget 20kevals"
    yield "--resolution 64 --max-memory 200kB --dtype int8 --budget 4kevals"
    yield "--from mobilenet_v2 --resolution 64 --budget 4kevals"


def _measured() -> Iterator[tuple[str, str]]:
    small = "--batch-size 4 --draws 2 --device cpu --format jsonl @zennet-0.5M.json"
    yield "", f"score {small}"
    yield "", f"score --convention zennas --seed 5 {small}"
    yield "", f"score --precision-mode float64 {small}"
    for name in MEASURED:
        options = "--draws 1 --batch-size 4 --device cpu" if "batch_size" in (BUILT_IN[name].measured or ()) else ""
        yield "", f"score --estimator mean-field --proxies {name} {options} --format jsonl @zennet-0.5M.json"
    yield "", f"search --preset cifar-1m --budget 2kevals --algorithm evolution --verify 4 --draws 2 {QUIET[11:]}"
    yield "", f"search --preset cifar-0.5m --resolution 16 --estimator monte-carlo --budget 150evals {QUIET}"
    yield "out/*.py", "export mobilenet_v2 --resolution 64 --to torch -o out/ --quiet"
    yield "out/*", "export mobilenet_v2 --resolution 128 --to onnx,safetensors --weights seed -o out/ --quiet"
