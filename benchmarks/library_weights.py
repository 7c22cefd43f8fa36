"""A network of torchvision or timm and the one that zen has under its name, with the same random weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from zen_cli import build
from zen_cli.networks import find

SHORTCUTS = (".proj.", ".downsample.", ".shortcut.", ".conv_1x1.", ".identity.", ".norm.")  # in order


def weighted(model: nn.Module) -> list[nn.Module]:
    """The modules with weights, from the image to the classes, and shortcuts after the branch beside them."""
    ordered: list[tuple[str, nn.Module]] = []
    shortcuts: dict[str, list[tuple[int, str, nn.Module]]] = {}
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d | nn.BatchNorm2d | nn.Linear):
            word = next((word for word in SHORTCUTS if word in f"{name}."), None)
            if word is None:
                ordered.append((name, module))
            else:
                row = (SHORTCUTS.index(word), name, module)
                shortcuts.setdefault(name.split(word.rstrip("."))[0] + ".", []).append(row)
    for unit, rows in shortcuts.items():
        end = max(index for index, (name, _) in enumerate(ordered) if name.startswith(unit)) + 1
        ordered[end:end] = [(name, module) for _, name, module in sorted(rows, key=lambda row: row[0])]
    return [module for _, module in ordered]


def randomise(modules: list[nn.Module], random: torch.Generator) -> None:
    """Statistics and weights of BN that are not those that every network begins with."""
    for module in modules:
        if isinstance(module, nn.BatchNorm2d):
            for values, low in ((module.running_mean, -0.2), (module.bias, -0.2), (module.weight, 0.8)):
                assert values is not None
                values.data.uniform_(low, low + 0.4, generator=random)
            assert module.running_var is not None
            module.running_var.uniform_(0.5, 1.5, generator=random)


def share_weights(source: list[nn.Module], target: list[nn.Module]) -> None:
    """One after the other; a convolution of one pixel fits a linear layer. The tensors are those of the source."""
    for one, other in zip(source, target, strict=True):
        state = one.state_dict()
        if isinstance(one, nn.Conv2d) and isinstance(other, nn.Linear):
            state["weight"] = state["weight"].flatten(1)
        other.load_state_dict(state, assign=True)


def model_of(library: str, name: str) -> Any:
    """The network that a library builds, with random weights; nothing is downloaded."""
    if library == "timm":
        import timm

        return timm.create_model(name)
    from torchvision import models

    return models.get_model(name, weights=None)


def logits_of_both(library: str, name: str, side: int = 64) -> tuple[Tensor, Tensor]:
    """The logits of two random images by the network of a library, and by that of zen with the same weights."""
    model, random = model_of(library, name), torch.Generator().manual_seed(0)
    with torch.device("meta"):
        ours = build(find(name).spec_as(name))
    theirs = weighted(model)
    randomise(theirs, random)
    share_weights(theirs, weighted(ours))
    images = torch.randn(2, 3, side, side, generator=random)
    with torch.inference_mode():
        return model.eval()(images), ours.eval()(images)
