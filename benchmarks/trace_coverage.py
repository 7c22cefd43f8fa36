"""How much of timm and torchvision can be traced, and whether what is traced is right.

    coverage   every convolutional classifier: exact, traced with a note, or refused; cost against hooks
    scores     60 traced networks at one resolution: closed form against Monte-Carlo
    onnx       40 networks by both exporters of PyTorch: the chain of the file against that of the module

`python benchmarks/trace_coverage.py coverage scores onnx`; needs `zen-cli[timm,onnx]` and onnxscript. Nothing is
downloaded.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import random
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import torch
from report import publish, table
from torch import nn

from zen_cli import score
from zen_cli.bench.statistics import spearman
from zen_cli.errors import TraceError, ZenError
from zen_cli.net.traced import TracedNetwork
from zen_cli.trace.modules import network_of_module
from zen_cli.trace.onnx_file import onnx_network
from zen_cli.trace.zoos import timm_network, torchvision_network

# Files of timm whose models are convolutional: no transformer, no hybrid with one, no MLP over positions. A few models
# in them have attention nevertheless; these are counted apart.
FAMILIES = """
byobnet convmixer convnext cspnet cspnext densenet dla dpn efficientnet fasternet fastvit focalnet ghostnet hardcorenas
hgnet hrnet inception_next inception_resnet_v2 inception_v3 inception_v4 lcnetv2 mambaout metaformer mobilenetv3 nasnet
nfnet pnasnet rdnet regnet repghost repvit res2net resnest resnet resnetv2 rexnet selecsls senet sknet starnet tresnet
vgg vovnet xception xception_aligned
"""
NOT_CONVOLUTIONAL = ("it has attention", "it mixes positions", "it has recurrent")
SIDE, NETWORKS, DRAWS = 96, 60, 2
MOST_SECONDS = 2
EXPORTED = """
torchvision:resnet18 torchvision:resnet50 torchvision:mobilenet_v2 torchvision:mobilenet_v3_small torchvision:vgg11_bn
torchvision:densenet121 torchvision:shufflenet_v2_x1_0 torchvision:squeezenet1_1 torchvision:mnasnet0_5
torchvision:regnet_y_400mf torchvision:efficientnet_b0 torchvision:googlenet timm:convnext_atto timm:repvgg_a0
timm:tf_efficientnet_lite0 timm:mobilenetv3_small_050 timm:ghostnet_050 timm:seresnet18 timm:resnet26d timm:lcnet_050
timm:regnetz_005 timm:tinynet_e timm:fbnetc_100 timm:hardcorenas_a timm:mixnet_s timm:mobilenetv4_conv_small
timm:mobileone_s0 timm:rexnet_100 timm:skresnet18 timm:eca_resnet33ts timm:repghostnet_050 timm:tf_efficientnetv2_b0
torchvision:alexnet torchvision:vgg11 torchvision:shufflenet_v2_x0_5 torchvision:regnet_x_400mf torchvision:mnasnet1_0
torchvision:resnext50_32x4d torchvision:convnext_tiny torchvision:mobilenet_v3_large
"""


class Row(NamedTuple):
    """What tracing a model gave: notes or the reason why not, CPU seconds, and whether its MACs are those of hooks."""

    name: str
    is_traced: bool
    reason: str
    seconds: float
    agrees: bool


def trace(name: str, side: int | None = None) -> TracedNetwork:
    zoo, _, model = name.partition(":")
    return (timm_network if zoo == "timm" else torchvision_network)(model, side)


def hooked_macs(network: TracedNetwork) -> int:
    """MACs as hooks on convolutions and linear layers of a module count them, and what mixes kernels."""
    from timm.layers import CondConv2d

    module, total = network.module, 0
    assert module is not None

    def count(layer: Any, _: object, out: torch.Tensor) -> None:
        nonlocal total
        is_linear = isinstance(layer, nn.Linear)
        if isinstance(layer, CondConv2d):
            total += layer.weight.numel() + layer.weight[0].numel() * out[0, 0].numel()
            return
        total += layer.weight.numel() * (out.numel() // out.shape[-1] if is_linear else out[0, 0].numel())

    kinds = (nn.Conv1d, nn.Conv2d, nn.Linear, CondConv2d)
    handles = [part.register_forward_hook(count) for part in module.modules() if isinstance(part, kinds)]
    image = torch.zeros(1, *image_size(network), device="meta")
    with torch.no_grad():
        module.eval().to("meta")(image)
    for handle in handles:
        handle.remove()
    return total


def image_size(network: TracedNetwork) -> tuple[int, int, int]:
    channels, height, width = getattr(network.module, "default_cfg", {}).get("input_size", (3, 224, 224))
    return channels, height, width


def names() -> list[str]:
    import timm
    import torchvision

    models = {f"timm:{name}" for family in FAMILIES.split() for name in timm.list_models(module=family)}
    found = torchvision.models.list_models(module=torchvision.models)
    return sorted(models) + [
        f"torchvision:{name}" for name in found if not name.startswith(("vit_", "swin_", "maxvit"))
    ]


def run(name: str) -> Row:
    start = time.process_time()
    try:
        network = trace(name)
    except TraceError as error:
        return Row(name, False, str(error), time.process_time() - start, False)
    seconds = time.process_time() - start
    return Row(name, True, "; ".join(network.notes), seconds, hooked_macs(network) == network.cost.macs)


def all_rows() -> list[Row]:
    """A row for each model; those that the file `ROWS` has are taken from there, so that a long run can go on."""
    for name in ("timm:resnet18", "torchvision:resnet18"):
        trace(name)  # imports
    path = Path(os.environ.get("ROWS", os.devnull))
    known = {row.name: row for row in (Row(*json.loads(line)) for line in path.read_text().splitlines())}
    rows = []
    with path.open("a") as stream:
        for name in names():
            row = known.get(name) or run(name)
            if name not in known:
                print(json.dumps(row), file=stream, flush=True)
                print(name, row.reason or "exact", row.agrees, file=sys.stderr)
            rows.append(row)
    return rows


def coverage() -> str:
    rows = all_rows()
    apart = [row for row in rows if row.reason.startswith(NOT_CONVOLUTIONAL)]
    rows = [row for row in rows if row not in apart]
    traced = [row for row in rows if row.is_traced]
    lines = []
    for zoo in ("timm", "torchvision"):
        mine = [row for row in rows if row.name.startswith(zoo)]
        good = [row for row in mine if row.is_traced]
        exact = sum(not row.reason for row in good)
        share = f"{len(good) / len(mine):.1%}"
        lines.append([zoo, len(mine), exact, len(good) - exact, len(mine) - len(good), share])
    others = [row.name for row in traced if not row.agrees]
    wrong = f"; the others are {', '.join(others)}" if others else ""
    left = [row for row in rows if not row.is_traced]
    reasons = Counter(_kind(row) for row in left)
    refused = [
        [reason, count, ", ".join(row.name for row in left if _kind(row) == reason)[:120]]
        for reason, count in reasons.most_common()
    ]
    by_time = sorted(rows, key=lambda row: row.seconds)
    slow = [f"{row.name} {row.seconds:.1f}" for row in by_time[::-1] if row.seconds > MOST_SECONDS]
    return "\n\n".join(
        [
            table(["package", "convolutional classifiers", "exact", "with a note", "refused", "traced"], lines),
            f"{len(traced) / len(rows):.1%} of {len(rows)} are traced, {len(traced) - len(others)} with the MACs of "
            f"hooks{wrong}. {len(apart)} more models of these families have attention and are refused.",
            table(["why refused", "models", "such as"], refused),
            f"One model takes {by_time[len(rows) // 2].seconds:.2f} CPU seconds in the median and "
            f"{by_time[-1].seconds:.2f} at most ({by_time[-1].name}), imports apart; above {MOST_SECONDS} are "
            f"{', '.join(slow) or 'none'}.",
        ]
    )


def _kind(row: Row) -> str:
    return "its longest chain has too little of the MACs" if "its longest chain" in row.reason else row.reason


def scores() -> str:
    chosen: list[TracedNetwork] = []
    pool = names()
    random.Random(0).shuffle(pool)
    for name in pool:
        if len(chosen) == NETWORKS:
            break
        with contextlib.suppress(ZenError):
            network = trace(name, SIDE)
            if network.cost.macs < 1.5e9 and network.chain not in [other.chain for other in chosen]:
                chosen.append(network)
    closed, drawn, errors = [], [], []
    for network in chosen:
        closed.append(score(network, estimator="mean-field").zen.value)
        zen = score(network, draws=DRAWS, batch_size=8, device="cpu").zen
        drawn.append(zen.value)
        errors.append(zen.std_error or 0.0)
        print(network.source, f"{closed[-1]:.2f} {drawn[-1]:.2f} {errors[-1]:.2f}", file=sys.stderr)
    differences = sorted(
        (mine - other, network.source) for mine, other, network in zip(closed, drawn, chosen, strict=True)
    )
    pooled = sum(any(layer.pool is not None for layer in network.chain) for network in chosen)
    return (
        f"{len(chosen)} networks at {SIDE} x {SIDE}, {pooled} of them with poolings, scores {min(drawn):.0f} to "
        f"{max(drawn):.0f} nats: Spearman **{spearman(closed, drawn):.4f}** between closed form and Monte-Carlo "
        f"({DRAWS} draws of 8 images, mean standard error {sum(errors) / len(errors):.2f}). The closed form differs by "
        f"{differences[0][0]:+.2f} ({differences[0][1]}) to {differences[-1][0]:+.2f} nats ({differences[-1][1]}), by "
        f"{differences[len(differences) // 2][0]:+.2f} in the median."
    )


def onnx() -> str:
    good, bad = 0, []
    with tempfile.TemporaryDirectory() as folder:
        for name in EXPORTED.split():
            module = build(name).eval()
            chain = network_of_module(module, (3, 224, 224), source=name).chain
            for front in ("TorchScript", "torch.export"):
                path = Path(folder) / "net.onnx"
                with contextlib.redirect_stdout(io.StringIO()):
                    torch.onnx.export(module, (torch.zeros(1, 3, 224, 224),), path, dynamo=front == "torch.export")
                try:
                    same = onnx_network(path).chain == chain
                except ZenError as error:
                    same = False
                    print(error, file=sys.stderr)
                good, bad = good + same, bad if same else [*bad, f"{name} by {front}"]
                print(name, front, same, file=sys.stderr)
    wrong = "" if not bad else f" The others: {', '.join(bad)}."
    return (
        f"{good} of {2 * len(EXPORTED.split())} exported files give the chain of their module, layer by layer.{wrong}"
    )


def build(name: str) -> nn.Module:
    """The module with random weights."""
    import timm
    import torchvision

    zoo, _, model = name.partition(":")
    if zoo == "timm":
        return timm.create_model(model, pretrained=False)
    extra = {"aux_logits": False, "init_weights": True} if model == "googlenet" else {}
    return torchvision.models.get_model(model, weights=None, **extra)


def main() -> None:
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    parts = {"coverage": coverage, "scores": scores, "onnx": onnx}
    wanted = [word for word in sys.argv[1:] if word in parts] or list(parts)
    titles = {
        "coverage": "**Coverage.**",
        "scores": "**Closed form against random networks.**",
        "onnx": "**ONNX files.**",
    }
    body = "\n\n".join(f"{titles[part]} {parts[part]()}" for part in wanted)
    publish("trace_coverage", "Networks of timm and torchvision that are read by tracing one forward pass.", body)


if __name__ == "__main__":
    main()
