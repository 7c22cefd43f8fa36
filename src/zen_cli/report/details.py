"""What the page shows of one network when it is chosen: numbers, stages, layers, commands and its spec."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import Any

import orjson

from ..units import format_count
from .charts import breakdown_rows
from .layers import LayerRow, layer_rows, size_text
from .stages import stage_rows
from .subject import Shown

STAGE_TITLES = ("stage", "blocks", "units", "output", "field", "params", "%", "MACs", "%", "log σ")


def details(row: Shown) -> dict[str, Any]:
    """The parts of a network's section as JSON types; each text is shown as text."""
    spec, layers = row.network.spec, layer_rows(row.network)
    return {
        "label": row.label,
        "file": file_stem(row),
        "numbers": _numbers(row),
        "titles": STAGE_TITLES,
        "stages": _stages(row, layers),
        "layers": breakdown_rows(layers),
        "commands": commands(row),
        "spec": "" if spec is None else orjson.dumps(spec.to_dict(), option=orjson.OPT_INDENT_2).decode(),
    }


def file_stem(row: Shown) -> str:
    """A name for files of the network that needs no quotes."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", row.network.name or row.network.id).strip("_-")[:60] or row.network.id


def commands(row: Shown) -> list[str]:
    """What to type to have the network as a file, to measure its score and to train it."""
    stem = file_stem(row)
    word = row.word or shlex.quote(f"{stem}.json")
    if row.network.spec is None:
        return [f"zen score {word} --draws 32"]
    return [
        f"zen export {word} --to torch -o {stem}.py",
        f"zen export {word} --to onnx -o {stem}.onnx",
        f"zen score {word} --draws 32",
        f"python examples/train_folder.py {stem}.py IMAGES",
    ]


def _numbers(row: Shown) -> list[tuple[str, str]]:
    cost, record = row.network.cost, row.record
    rows = [
        ("parameters", f"{cost.params:,}"),
        ("MACs", f"{cost.macs:,}"),
        ("activations", f"{cost.activations:,}"),
        ("layers in the chain", str(cost.layers)),
        ("id", row.network.id),
    ]
    if record is not None and record.zen.estimator == "monte-carlo":
        error = "" if record.zen.std_error is None else f" ± {record.zen.std_error:.2f}"
        rows.insert(0, ("Zen, Monte-Carlo (nats)", f"{record.zen.value:.2f}{error}, {record.zen.draws} draws"))
    if row.top1 is not None:
        rows.append(("top-1 accuracy on ImageNet, as published", f"{row.top1:.1f}%"))
    evenness = None if record is None or record.search is None else record.search.evenness
    if evenness is not None:
        rows.append(("evenness", f"{evenness.value:.3f} of {evenness.best:.3f} nats"))
    return [("score", f"{row.value:.2f}"), *rows]


def _stages(row: Shown, layers: Sequence[LayerRow]) -> list[list[str]]:
    return [
        [
            stage.stage,
            stage.blocks,
            str(stage.units or ""),
            size_text(stage.out_shape),
            size_text(stage.receptive_field),
            format_count(stage.params),
            f"{stage.params_share:.1%}",
            format_count(stage.macs),
            f"{stage.macs_share:.1%}",
            "" if stage.log_sigma is None else f"{stage.log_sigma:.2f}",
        ]
        for stage in stage_rows(row.network, layers)
    ]
