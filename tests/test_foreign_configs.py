"""Configurations of pycls and of Once-for-All: the costs that their own code counts, and faults with their place."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zen_cli.errors import SpecError
from zen_cli.formats.base import Context
from zen_cli.formats.reading import read
from zen_cli.formats.table import find_format
from zen_cli.net.network import Network

Change = Callable[[dict[str, Any]], Any]

REGNET = {"DEPTH": 16, "W0": 48, "WA": 27.89, "WM": 2.09, "GROUP_W": 8, "SE_ON": True}
STAGES = {"DEPTHS": [3, 4, 6, 3], "WIDTHS": [256, 512, 1024, 2048], "STRIDES": [1, 2, 2, 2]}
EFFNET = {
    "STRIDES": [1, 2, 2, 2, 1, 2, 1],
    "DEPTHS": [1, 2, 2, 3, 3, 4, 1],
    "WIDTHS": [16, 24, 40, 80, 112, 192, 320],
    "EXP_RATIOS": [1, 6, 6, 6, 6, 6, 6],
    "KERNELS": [3, 3, 5, 3, 5, 5, 3],
}
RESNET = {"TRANS_FUN": "bottleneck_transform", "NUM_GROUPS": 1, "WIDTH_PER_GROUP": 64}
CIFAR = {"TRAIN": {"DATASET": "cifar10", "IM_SIZE": 32}}


def config(type_: str, classes: int = 1000, depth: int | None = None, **sections: Any) -> dict[str, Any]:
    model = {"TYPE": type_, "NUM_CLASSES": classes, **({} if depth is None else {"DEPTH": depth})}
    return {"MODEL": model, "OPTIM": {"BASE_LR": 0.1}, **sections}


def resnext(**changes: Any) -> dict[str, Any]:
    own = {"STEM_TYPE": "res_stem_in", "STEM_W": 64, "BOT_MULS": [0.5] * 4, "GROUP_WS": [4, 8, 16, 32]}
    return config("anynet", ANYNET={**STAGES, **own, **changes})


def network(value: Any) -> Network:
    format_ = find_format(value)
    assert format_ is not None
    return format_.read(value, Context("here")).network


# Parameters and MACs as torchvision counts them for the same networks, and as pycls does for the last three.
COSTS = {
    "RegNetY-400MF": (config("regnet", REGNET=REGNET), 4_344_144, 401_842_848),
    "EfficientNet-B0": (config("effnet", EN=EFFNET), 5_288_548, 385_814_752),
    "ResNet-50": (
        config("resnet", depth=50, RESNET={**RESNET, "STRIDE_1X1": False, "ZERO_INIT_FINAL_TRANSFORM_BN": True}),
        25_557_032,
        4_089_184_256,
    ),
    "ResNeXt-50": (resnext(), 25_028_904, 4_230_479_872),
    "RegNetX-400MF": (
        config("regnet", REGNET={"DEPTH": 22, "W0": 24, "WA": 24.48, "WM": 2.54, "GROUP_W": 16}),
        5_157_512,
        397_677_568,
    ),
    "R-56": (config("resnet", 10, 56, **CIFAR), 855_770, 125_747_840),
    "V-56": (
        config(
            "anynet",
            10,
            ANYNET={
                "STEM_TYPE": "res_stem_cifar",
                "STEM_W": 16,
                "BLOCK_TYPE": "vanilla_block",
                "DEPTHS": [9, 9, 9],
                "WIDTHS": [16, 32, 64],
                "STRIDES": [1, 2, 2],
            },
            **CIFAR,
        ),
        853_018,
        125_485_696,
    ),
}


@pytest.mark.parametrize("name", COSTS)
def test_a_configuration_of_pycls_costs_what_its_network_costs(name: str) -> None:
    value, params, macs = COSTS[name]
    cost = network(value).cost
    assert (cost.params, cost.macs) == (params, macs)


def test_a_configuration_is_read_from_yaml(tmp_path: Path) -> None:
    yaml = pytest.importorskip("yaml", reason="needs PyYAML")
    path = tmp_path / "R-50.yaml"
    path.write_text(yaml.safe_dump(config("resnet", depth=50, RESNET=RESNET)))
    (item,) = read([str(path)])
    assert item.spec is not None
    assert item.spec.name == "R-50"
    assert not item.notes
    strides = [layer.stride[0] for layer in item.spec.chain if layer.kernel[0] == 3]
    assert set(strides) == {1}  # STRIDE_1X1 is on where nothing is said


def test_the_stride_of_a_bottleneck_is_where_pycls_has_it() -> None:
    first, second = (network(config("resnet", depth=50, RESNET={**RESNET, "STRIDE_1X1": on})) for on in (True, False))
    assert first.cost.params == second.cost.params
    assert first.cost.macs < second.cost.macs
    pairs = zip(first.chain, second.chain, strict=True)
    moved = [(one.kernel[0], one.stride, other.stride) for one, other in pairs if one.stride != other.stride]
    assert moved == [(1, (2, 2), (1, 1)), (3, (1, 1), (2, 2))] * 3


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (config("vit"), 'MODEL.TYPE: "vit" is not known'),
        (config("regnet", REGNET={"GROUPW": 8}), 'REGNET.GROUPW: unknown key; did you mean "GROUP_W"?'),
        (config("regnet", REGNET={"WM": 1.0}), "REGNET.DEPTH: needs at most 1000 units, W0 of at least 8, WM above 1"),
        (config("regnet", REGNET={"DEPTH": 10**9}), "REGNET.DEPTH: needs at most 1000 units"),
        (config("regnet", REGNET={"W0": 1e300}), "REGNET.W0: must be a number of at least 0, not 1e+300"),
        (config("regnet", REGNET={"SE_ON": 1}), "REGNET.SE_ON: must be true or false, not 1"),
        (config("resnet", depth=51, RESNET=RESNET), "MODEL.DEPTH: 51 is no ResNet for ImageNet"),
        (config("resnet", 10, 57, **CIFAR), "MODEL.DEPTH: 57 is no ResNet for CIFAR"),
        (config("anynet"), "ANYNET.DEPTHS: missing; add it"),
        (resnext(STRIDES=[1, 2]), "ANYNET.STRIDES: has 2 numbers where 4 are needed; give one a stage"),
        (resnext(BOT_MULS=[0.5, 0, 1, 1]), "ANYNET.BOT_MULS: must be 4 numbers above 0"),
        (resnext(BLOCK_TYPE="res_bottleneck_linear_block"), "ANYNET.BLOCK_TYPE: "),
        (resnext(DEPTHS="[3]"), "ANYNET.DEPTHS: must be an array of 1 to 1000"),
        (config("effnet", EN={**EFFNET, "KERNELS": [4] * 7}), "as a spec: blocks[1].kernel: 4 is even"),
        (config("anynet", ANYNET=[]), "ANYNET: must be an object, not an array"),
        ({"MODEL": {"TYPE": "regnet", "SCALING_FACTOR": 2.0}}, "MODEL.SCALING_FACTOR: a scaled network"),
    ],
    ids=range(16),
)
def test_what_is_wrong_with_a_configuration_of_pycls_is_said(value: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecError) as caught:
        network(value)
    assert words in str(caught.value)


# Once-for-All.


def conv(in_width: int, width: int, **keys: Any) -> dict[str, Any]:
    return {"name": "ConvLayer", "in_channels": in_width, "out_channels": width, "act_func": "relu6", **keys}


def unit(in_width: int, width: int, ratio: float, identity: bool = False, **keys: Any) -> dict[str, Any]:
    layer = {"name": "MBInvertedConvLayer", "in_channels": in_width, "out_channels": width, "expand_ratio": ratio}
    layer |= {"kernel_size": 3, "stride": 1, "mid_channels": None, "act_func": "relu6", "use_se": False, **keys}
    shortcut = {"name": "IdentityLayer"} if identity else None
    return {"name": "MobileInvertedResidualBlock", "mobile_inverted_conv": layer, "shortcut": shortcut}


def once_for_all() -> dict[str, Any]:
    return {
        "name": "ProxylessNASNets",
        "first_conv": conv(3, 16, kernel_size=3, stride=2),
        "blocks": [
            unit(16, 8, 1),
            unit(8, 16, 4, stride=2),
            unit(16, 16, 3, True, kernel_size=[5, 5], use_se=True),
            {"name": "ResidualBlock", "conv": {"name": "ZeroLayer"}, "shortcut": {"name": "IdentityLayer"}},
            unit(16, 24, 6, mid_channels=80, kernel_size=7, act_func="h_swish"),
        ],
        "feature_mix_layer": conv(24, 64, kernel_size=1),
        "classifier": {"name": "LinearLayer", "in_features": 64, "out_features": 10},
        "resolution": 32,
    }


def counted(config: dict[str, Any]) -> int:
    """The parameters of a configuration, counted from itself: weights, BN, biases of gates and of the classifier."""

    def bn_conv(in_width: int, width: int, area: int, groups: int = 1) -> int:
        return in_width // groups * width * area + 2 * width

    total = bn_conv(3, config["first_conv"]["out_channels"], 9)
    for row in config["blocks"]:
        layer = row.get("mobile_inverted_conv")
        if layer is None:
            continue
        in_width, width, kernel = layer["in_channels"], layer["out_channels"], layer["kernel_size"]
        side = kernel[0] if isinstance(kernel, list) else kernel
        inside = layer["mid_channels"] or in_width * layer["expand_ratio"]
        total += bn_conv(in_width, inside, 1) if layer["expand_ratio"] != 1 else 0
        total += bn_conv(inside, inside, side * side, inside) + bn_conv(inside, width, 1)
        if layer["use_se"]:
            squeeze = max(8, (inside // 4 + 4) // 8 * 8)
            total += 2 * inside * squeeze + inside + squeeze
    mix = config["feature_mix_layer"]
    total += bn_conv(mix["in_channels"], mix["out_channels"], 1)
    last = config["classifier"]
    return total + (last["in_features"] + 1) * last["out_features"]


def test_a_configuration_of_once_for_all_is_the_network_that_its_layers_say() -> None:
    config = once_for_all()
    found = network(config)
    assert found.cost.params == counted(config)
    spec = found.spec
    assert spec is not None
    assert (spec.resolution, spec.num_classes, len(spec.blocks)) == (32, 10, 6)
    assert [gene.kernel for gene in spec.genes] == [3, 3, 3, 5, 7, 1]
    kernels = [layer.kernel[0] for layer in spec.chain]
    assert kernels == [3, 3, 1, 1, 3, 1, 1, 5, 1, 1, 7, 1, 1]  # a ratio of 1 has no first 1x1


def test_a_second_layer_at_the_end_is_a_hidden_layer_of_the_head() -> None:
    config = {**once_for_all(), "final_expand_layer": conv(24, 96, kernel_size=1)}
    format_ = find_format(config)
    assert format_ is not None
    config["feature_mix_layer"] = conv(96, 64, kernel_size=1, act_func="h_swish")
    reading = format_.read(config, Context("here"))
    spec = reading.network.spec
    assert spec is not None
    assert (spec.head, spec.head_activation, spec.blocks[-1].width) == ((64,), "hard_swish", 96)
    assert any("bias" in note.text for note in reading.notes)


def changed(change: Change) -> dict[str, Any]:
    config = once_for_all()
    change(config)
    return config


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda row: row.update(first_conv=3), "here.first_conv: must be an object, not a number"),
        (lambda row: row.update(blocks={}), "here.blocks: must be an array of 1 to 1000"),
        (lambda row: row["first_conv"].update(groups=2), "here.first_conv.groups: 2 cannot be written as a spec"),
        (lambda row: row["first_conv"].update(act_func="tanh"), 'here.first_conv.act_func: "tanh" is not known'),
        (lambda row: row["blocks"].insert(0, unit(8, 16, 4)), "in_channels: 8 is not 16, which the block before gives"),
        (lambda row: row["blocks"].insert(0, unit(16, 8, 4, True)), "shortcut: is an identity where shapes differ"),
        (lambda row: row["blocks"].append({"name": "x"}), "here.blocks[5].conv: missing; add it"),
        (
            lambda row: row["blocks"][0]["mobile_inverted_conv"].update(name="system"),
            '.name: "system" is not known',
        ),
        (lambda row: row["blocks"][0]["mobile_inverted_conv"].update(groups=2), ".groups: cannot be written"),
        (lambda row: row["blocks"][0]["mobile_inverted_conv"].update(expand_ratio="6"), ".expand_ratio: must be a"),
        (lambda row: row["classifier"].pop("out_features"), "here.classifier.out_features: missing; add it"),
    ],
    ids=range(11),
)
def test_what_is_wrong_with_a_configuration_of_once_for_all_is_said(change: Change, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        network(changed(change))
    assert words in str(caught.value)


def test_a_configuration_may_be_a_line_of_a_stream(tmp_path: Path) -> None:
    path = tmp_path / "nets.jsonl"
    path.write_text(f"{json.dumps(once_for_all())}\n" * 2)
    assert [item.spec is not None for item in read([str(path)])] == [True, True]
