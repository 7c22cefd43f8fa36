"""The `timm` file: what timm's training script does with it, for a few steps on generated images."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import torch
from export_cases import PLAIN

from zen_cli.exporters.check import Checker
from zen_cli.exporters.plan import ExportOptions
from zen_cli.exporters.run import export

timm = pytest.importorskip("timm", reason="the extra timm is not installed")


@pytest.mark.filterwarnings("ignore")  # timm's own
def test_timm_trains_it_a_few_steps(tmp_path: Path, checker: Checker, monkeypatch: pytest.MonkeyPatch) -> None:
    export([PLAIN], ["timm"], ExportOptions(f"{tmp_path}/"), checker=checker)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("plain_timm")
    create_optimizer = importlib.import_module("timm.optim").create_optimizer_v2
    loss_of = importlib.import_module("timm.loss").LabelSmoothingCrossEntropy(0.1)
    torch.manual_seed(0)
    net = timm.create_model("plain_timm", num_classes=4, drop_rate=0.1)
    net.set_grad_checkpointing()
    optimizer = create_optimizer(net, opt="sgd", lr=0.1, momentum=0.9, weight_decay=4e-5)
    labels = torch.arange(16) % 4
    images = torch.randn(16, 3, 32, 32) + labels.view(-1, 1, 1, 1)
    losses = []
    for _ in range(8):
        loss = loss_of(net(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]
