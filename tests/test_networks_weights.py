"""Published networks are those of torchvision and timm: the same chains, and the same logits from the same weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from zen_cli import build
from zen_cli.formats.base import Overrides
from zen_cli.formats.reading import read
from zen_cli.net.traced import TracedNetwork
from zen_cli.networks import find
from zen_cli.trace.blocks import spec_of

# One of each family, and its library; all of them small.
FAMILIES = {
    "torchvision": [
        "resnet18",
        "resnext50_32x4d",
        "mobilenet_v2",
        "mobilenet_v3_small",
        "mnasnet0_5",
        "efficientnet_b0",
        "efficientnet_v2_s",
        "regnet_x_400mf",
        "regnet_y_400mf",
        "vgg11_bn",
    ],
    "timm": [
        "resnet26d",
        "resnet50c",
        "resnetrs50",
        "seresnet18",
        "gernet_s",
        "mobilenetv1_100",
        "semnasnet_050",
        "spnasnet_100",
        "fbnetc_100",
        "hardcorenas_a",
        "efficientnet_lite0",
        "efficientnet_es",
        "tf_efficientnetv2_b0",
        "tinynet_e",
        "lcnet_050",
        "repvgg_a0",
    ],
}
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


def copy_weights(source: list[nn.Module], target: list[nn.Module]) -> None:
    """One after the other; a convolution of one pixel fits a linear layer."""
    for one, other in zip(source, target, strict=True):
        state = one.state_dict()
        if isinstance(one, nn.Conv2d) and isinstance(other, nn.Linear):
            state["weight"] = state["weight"].flatten(1)
        other.load_state_dict(state)


CASES = [pytest.param(library, name, id=name) for library, names in FAMILIES.items() for name in names]


@pytest.mark.parametrize(("library", "name"), CASES)
def test_the_chain_of_a_traced_model_is_that_of_the_spec(library: str, name: str) -> None:
    pytest.importorskip(library, reason=f"{library} is not installed")
    (item,) = read([f"{library}:{name}"], Overrides(resolution=224))
    spec = find(name).spec.replace(resolution=224)
    assert item.network is not None, item.error
    assert item.network.chain == spec.chain
    assert item.network.cost[:2] == spec.cost[:2]
    assert isinstance(item.network, TracedNetwork)
    found = spec_of(item.network)
    assert (found.chain, found.cost[:4]) == (spec.chain, spec.cost[:4])


@pytest.mark.parametrize(("library", "name"), CASES)
def test_the_same_weights_give_the_same_logits(library: str, name: str) -> None:
    if library == "timm":
        model = pytest.importorskip("timm", reason="timm is not installed").create_model(name)
    else:
        models = pytest.importorskip("torchvision.models", reason="torchvision is not installed")
        model = models.get_model(name, weights=None)
    ours, random = build(find(name).spec_as(name)), torch.Generator().manual_seed(0)
    theirs, modules = weighted(model), weighted(ours)
    randomise(theirs, random)
    copy_weights(theirs, modules)
    # Sides of maps are odd, 65 to 3: there TensorFlow's padding, which tf_ networks have, is the same on both sides.
    images = torch.randn(2, 3, 65, 65, generator=random)
    with torch.inference_mode():
        expected, logits = model.eval()(images), ours.eval()(images)
    assert expected.std() > 0
    torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))
