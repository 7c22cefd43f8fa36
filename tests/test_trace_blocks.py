"""Traced networks as specs: the network that a module was built from comes back, and what does not fit is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from cli_here import ZenHere
from hypothesis import given, settings
from strategies import specs
from torch import nn
from trace_modules import Blur, Gate, Mixed, Net, Parallel, Swish, classifier_of_convolutions

from zen_cli import export, load, score
from zen_cli.errors import TraceError
from zen_cli.net.module import build
from zen_cli.net.spec import ArchSpec, parse_spec
from zen_cli.net.traced import TracedNetwork, parse_chain
from zen_cli.networks import find
from zen_cli.trace.blocks import spec_of
from zen_cli.trace.modules import network_of_module

HERE = str(Path(__file__).parent)
EXPRESSIBLE = {
    "resolution": 32,
    "num_classes": 7,
    "blocks": [
        {"op": "conv", "width": 16, "stride": 2, "depth": 2},
        {"op": "basic", "width": 24, "mid_width": 16, "kernel": 5, "depth": 2},
        {"op": "bottleneck", "width": 32, "mid_width": 16, "groups": 4, "stride": 2, "depth": 3},
        {"op": "mbconv", "width": 32, "expansion": 2, "kernel": 5, "depth": 2},
        {"op": "conv", "width": 64, "kernel": 1},
    ],
}


def traced(spec: ArchSpec) -> TracedNetwork:
    with torch.device("meta"):
        module = build(spec)
    return network_of_module(module, (spec.in_channels, spec.resolution, spec.resolution), source="test:module")


def test_the_spec_of_a_module_is_the_one_that_it_was_built_from() -> None:
    spec = parse_spec(EXPRESSIBLE)
    assert spec_of(traced(spec)).id == spec.id


FAMILIES = """
resnet18 resnet50d resnext50_32x4d seresnet50 regnet_x_400mf regnet_y_400mf gernet_s mobilenetv1_100 mobilenet_v2
mobilenet_v3_small mnasnet1_0 efficientnet_b0 efficientnet_v2_s efficientnet_es lcnet_050 tinynet_e fbnetc_100 vgg11_bn
repvgg_b1g4 regnetz_005 mobilenet_edgetpu_100
"""


@pytest.mark.parametrize("name", FAMILIES.split())
def test_a_published_network_comes_back_from_its_module(name: str) -> None:
    spec = find(name).spec.replace(resolution=224)
    found = spec_of(traced(spec))
    assert (found.id, found.cost[:4]) == (spec.id, spec.cost[:4])


@pytest.mark.parametrize("size", [(32, 48), (64, 32)])
def test_a_module_for_images_that_are_not_square_comes_back(size: tuple[int, int]) -> None:
    pool = {"kind": "max", "kernel": 2, "stride": 2}
    spec = parse_spec({**EXPRESSIBLE, "resolution": size, "head_pool": pool})
    with torch.device("meta"):
        module = build(spec)
    found = spec_of(network_of_module(module, (3, *size), source="test:module"))
    assert (found.id, found.image_size) == (spec.id, size)


@pytest.mark.parametrize("name", ["rows", "fused"])
def test_parallel_convolutions_are_told_from_other_units(name: str) -> None:
    rows = {"rows": {"op": "repvgg", "depth": 3}, "fused": {"op": "fused", "expansion": 1, "skip_expansion": True}}
    blocks = [{"op": "conv", "width": 8}, {**rows[name], "width": 8, "kernel": 3}]
    spec = parse_spec({"resolution": 16, "num_classes": 2, "blocks": blocks})
    assert spec_of(traced(spec)).id == spec.id


def test_the_epsilon_of_a_module_is_that_of_its_spec() -> None:
    spec = parse_spec({**EXPRESSIBLE, "bn_eps": 1e-3})
    assert spec_of(traced(spec)) == spec_of(traced(parse_spec(EXPRESSIBLE))).replace(bn_eps=1e-3)
    mixed = nn.Sequential(nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8, 0.1))
    net = nn.Sequential(mixed, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2))
    with pytest.raises(TraceError, match=r"batch normalisations have epsilons that differ: 1e-05, 0\.1"):
        spec_of(network_of_module(net, (3, 8, 8), source="test:module"))


def test_a_convolution_that_reads_the_whole_map_is_a_hidden_layer() -> None:
    blocks = [{"op": "conv", "width": 8, "stride": 2}, {"op": "conv", "width": 8}]
    spec = parse_spec({"resolution": 16, "num_classes": 5, "head": [12, 12], "head_parts": 8, "blocks": blocks})
    network = network_of_module(classifier_of_convolutions(), (3, 16, 16), source="test:module")
    assert (network.chain, network.layer_names) == (spec.chain, ("0.0", "1.0"))
    assert spec_of(network).id == spec.id


@pytest.mark.parametrize(("side", "padding"), [(32, "same"), (33, None)])
def test_padding_as_of_tensorflow_comes_back_where_it_makes_a_difference(side: int, padding: str | None) -> None:
    spec = parse_spec({**EXPRESSIBLE, "resolution": side, "padding": "same"})
    assert (spec_of(traced(spec)).id, spec_of(traced(spec)).padding) == (spec.id, padding)


@settings(max_examples=30)
@given(specs())
def test_a_spec_comes_back_or_is_refused_and_is_never_another(spec: ArchSpec) -> None:
    try:
        found = spec_of(traced(spec))
    except TraceError:
        return
    assert found.chain == spec.chain
    assert (found.cost.params, found.cost.macs) == (spec.cost.params, spec.cost.macs)


MISFITS = [
    (nn.MaxPool2d((3, 2), 2, (1, 0)), "no block has a pooling with a window of (3, 2) and a stride of (2, 2)"),
    (nn.Sequential(nn.MaxPool2d(2), nn.MaxPool2d(2)), "no block has two poolings in a row, as after stem.0"),
    (nn.Conv2d(8, 8, (1, 3), padding=(0, 1)), "middle has a kernel of 1 x 3"),
    (nn.Sequential(nn.Conv2d(8, 8, 3), nn.ReLU()), "middle.0 has padding (0, 0), and in a block it has (1, 1)"),
    (nn.Sequential(nn.BatchNorm2d(8), nn.ReLU()), "no block has batch_norm after an addition or an activation"),
    (nn.Sequential(nn.Conv2d(8, 8, 1), nn.GroupNorm(2, 8)), "no block has group_norm; middle.0 is followed by it"),
    (nn.Sequential(nn.Conv2d(8, 8, 1), nn.PReLU()), "no block has prelu, as after middle.0"),
    (Blur(), "no block has a fixed convolution, as after stem.0"),
    (Parallel(), "no block has an addition inside of another one, as around middle.large.0"),
    (nn.Sequential(nn.ZeroPad2d((0, 2, 0, 2)), nn.Conv2d(8, 8, 3)), "middle.1 pads its sides as no block does"),
    (nn.Conv2d(8, 8, 3, padding=1, padding_mode="reflect"), "middle pads its sides as no block does"),
    (Mixed(), "no block has kernels that the image mixes, as middle"),
    (Gate(), "no block multiplies maps with each other, as after stem.0"),
    (Swish(), "no block scales a map by a constant, as after stem.0"),
    (nn.Sequential(nn.ReLU(), nn.ReLU()), "no block has a second activation, or one after a gate, as after stem.0"),
]


@pytest.mark.parametrize(("middle", "message"), MISFITS)
def test_a_layer_that_fits_no_block_is_named(middle: nn.Module, message: str) -> None:
    network = network_of_module(Net(middle), (3, 16, 16), source="test:module")
    with pytest.raises(TraceError) as error:
        spec_of(network)
    assert str(error.value).startswith("test:module: cannot be written as blocks: ") and message in str(error.value)


def test_metrics_of_blocks_see_a_module_as_its_spec() -> None:
    spec = parse_spec(EXPRESSIBLE)
    for name in ("even", "entropy_stages", "memory", "weights"):
        rows = [score(network, proxies=(name,), estimator="mean-field") for network in (spec, traced(spec))]
        assert rows[0].proxies[name].value == rows[1].proxies[name].value
    with pytest.raises(TraceError, match="even needs blocks, and it cannot be written so: no block has"):
        score(network_of_module(Net(Parallel()), (3, 16, 16), source="test:module"), proxies=("even",))


def test_export_writes_the_spec_of_a_module(zen_here: ZenHere) -> None:
    (zen_here.folder / "spec.json").write_text(json.dumps(EXPRESSIBLE))
    source = [
        "from zen_cli import load",
        "from zen_cli.net.module import build",
        "net = lambda: build(load('spec.json'))",
    ]
    (zen_here.folder / "own.py").write_text("\n".join(source))
    done = zen_here("export", "module:own:net", "--path", ".", "--resolution", "32", "--to", "json", "--quiet")
    assert done.code == 0, done.err
    assert parse_spec(json.loads(done.out)).id == parse_spec(EXPRESSIBLE).id
    refused = zen_here("export", "module:trace_modules:make", "--path", HERE, "--to", "json", "--quiet")
    assert refused.code == 0  # convolutions and a classifier


def test_python_exports_a_traced_network(tmp_path: Path) -> None:
    spec = parse_spec(EXPRESSIBLE)
    export(traced(spec), to="json", out=tmp_path / "net.json")
    assert load(tmp_path / "net.json").id == spec.id


def test_a_record_of_layers_says_what_to_name_instead() -> None:
    layer = {"in_width": 3, "out_width": 8, "kernel": [1, 1], "in_size": [8, 8]}
    cost = {"params": 1, "macs": 1, "activations": 1, "layers": 1, "sublayers": 1}
    network = parse_chain({"source": "timm:resnet18", "chain": [layer], "cost": cost}, "here")
    with pytest.raises(TraceError, match="does not say where shortcuts are; name timm:resnet18 instead"):
        spec_of(network)
