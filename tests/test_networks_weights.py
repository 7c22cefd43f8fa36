"""Published networks are those of torchvision and timm: the same chains, and the same logits from the same weights."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from zen_cli.formats.base import Overrides
from zen_cli.formats.reading import read
from zen_cli.net.traced import TracedNetwork
from zen_cli.networks import find
from zen_cli.trace.blocks import spec_of

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
from library_weights import logits_of_both  # a benchmark is a script, not a module of the package

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
        "regnetz_005",
        "mobilenet_edgetpu_100",
    ],
}
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
    pytest.importorskip(library, reason=f"{library} is not installed")
    expected, logits = logits_of_both(library, name)
    assert expected.std() > 0
    torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))
