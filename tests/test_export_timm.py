"""The `timm` file: what timm's training script does with it, for a few steps on generated images."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch
from export_cases import PLAIN

from zen_cli.export import Wish, export

timm = pytest.importorskip("timm", reason="the extra timm is not installed")


@pytest.mark.filterwarnings("ignore")  # timm's own
def test_timm_trains_it_a_few_steps(tmp_path: Path) -> None:
    export([PLAIN], ["timm"], Wish(f"{tmp_path}/"))
    spec = importlib.util.spec_from_file_location("plain_timm", tmp_path / "plain_timm.py")
    assert spec is not None
    assert spec.loader is not None
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    torch.manual_seed(0)
    net = timm.create_model("plain_timm", num_classes=4, drop_rate=0.1)
    net.set_grad_checkpointing()
    optimizer = timm.optim.create_optimizer_v2(net, opt="sgd", lr=0.1, momentum=0.9, weight_decay=4e-5)
    loss_of = timm.loss.LabelSmoothingCrossEntropy(0.1)
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
