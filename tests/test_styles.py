"""Keys of published networks: shortcuts, activations, gates, poolings, hidden layers, by laws and by exact counts."""

from __future__ import annotations

import copy
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import orjson
import pytest
import torch
from cli_here import ZenHere
from hypothesis import example, given, settings
from hypothesis import strategies as st
from test_trace import hooked_macs

from zen_cli import ArchSpec, build, parse_spec, score
from zen_cli.errors import SpecError
from zen_cli.exporters.weights import seeded
from zen_cli.formats.plainnet import to_plainnet
from zen_cli.metrics import find
from zen_cli.metrics.mean_field import score_chain
from zen_cli.metrics.settings import ScoreSettings
from zen_cli.metrics.terms import score_spec
from zen_cli.nas.space import genome_of, to_spec
from zen_cli.net.merging import merge
from zen_cli.net.ops import Gene
from zen_cli.net.styled_modules import ParallelConv
from zen_cli.trace.blocks import spec_of
from zen_cli.trace.modules import network_of_module

ACTIVATIONS = ["relu", "relu6", "silu", "hard_swish", "gelu", "leaky_relu"]


@st.composite
def styled_blocks(draw: st.DrawFn) -> dict[str, Any]:
    """A block with some of the keys."""
    op = draw(st.sampled_from(["conv", "basic", "bottleneck", "mbconv", "fused", "repvgg"]))
    width = st.sampled_from([8, 16, 24])
    row: dict[str, Any] = {"op": op, "kernel": draw(st.sampled_from([1, 3, 5])), "width": draw(width)}
    row |= {"depth": draw(st.integers(1, 3)), "stride": draw(st.integers(1, 2))}
    optional: dict[str, st.SearchStrategy[Any]] = {
        "activation": st.sampled_from(ACTIVATIONS),
        "linear": st.booleans(),
        "pool": st.fixed_dictionaries({"kind": st.sampled_from(["max", "avg"]), "kernel": st.sampled_from([1, 3])}),
        "se": st.one_of(st.just(0.25), gates(inner_only=op == "conv")),
    }
    if op == "conv":
        optional |= {"bias": st.booleans(), "norm": st.booleans(), "group_width": st.just(8)}
        row["width"] = 8 * draw(st.integers(1, 2))
        row["group_width"] = row["width"]
    elif op == "repvgg":
        del optional["se"]
    else:
        optional["shortcut"] = st.sampled_from(["first", "needed", "pooled", "identity", "none"])
    if op in ("basic", "bottleneck"):
        row["mid_width"] = draw(width)
    if op == "bottleneck":
        optional["stride_in"] = st.booleans()
    if op in ("mbconv", "fused"):
        row["expansion"] = draw(st.integers(1, 2))
        optional |= {"expansion_of": st.sampled_from(["width", "input"]), "skip_expansion": st.booleans()}
    optional.pop("group_width", None)
    for key in sorted(draw(st.sets(st.sampled_from(sorted(optional))))):
        row[key] = draw(optional[key])
    return row


@st.composite
def gates(draw: st.DrawFn, *, inner_only: bool) -> dict[str, Any]:
    keys: dict[str, st.SearchStrategy[Any]] = {
        "of": st.sampled_from(["inside", "input"]),
        "divisor": st.sampled_from([4, 8]),
        "bias": st.booleans(),
        "activation": st.sampled_from(ACTIVATIONS),
        "gate": st.sampled_from(["sigmoid", "hard_sigmoid"]),
        "place": st.just("inner") if inner_only else st.sampled_from(["inner", "end"]),
    }
    chosen = sorted(draw(st.sets(st.sampled_from(sorted(keys)))))
    return {"ratio": draw(st.sampled_from([0.25, 0.5])), **{key: draw(keys[key]) for key in chosen}}


@st.composite
def styled_specs(draw: st.DrawFn) -> ArchSpec:
    """A small network with some of the keys."""
    classes = draw(st.integers(0, 3))
    row: dict[str, Any] = {"resolution": draw(st.sampled_from([32, [32, 48]])), "num_classes": classes}
    if draw(st.booleans()):
        row["activation"] = draw(st.sampled_from(ACTIVATIONS))
    if classes and draw(st.booleans()):
        row["head"] = draw(st.lists(st.sampled_from([4, 8]), min_size=1, max_size=2))
        row["head_bias"] = draw(st.booleans())
    if draw(st.booleans()):
        row["head_pool"] = {"kind": draw(st.sampled_from(["max", "avg"])), "kernel": draw(st.sampled_from([1, 3]))}
    if classes and draw(st.booleans()):
        row["head_parts"] = draw(st.integers(1, 3))
    if draw(st.booleans()):
        row["bn_eps"] = 1e-3
    row["blocks"] = [draw(styled_blocks()) for _ in range(draw(st.integers(1, 2)))]
    if not any(block["op"] == "repvgg" for block in row["blocks"]) and draw(st.booleans()):
        row["padding"] = "same"
    return parse_spec(row)


# One convolution whose squeeze-and-excitation scales what it gives, not what would be inside.
NARROW = {"op": "fused", "width": 16, "se": 0.25, "expansion": 1, "expansion_of": "input", "skip_expansion": True}
NARROW_SPEC = parse_spec({"resolution": 32, "num_classes": 2, "blocks": [{"op": "conv", "width": 8}, NARROW]})


@example(NARROW_SPEC)
@settings(max_examples=60)
@given(styled_specs())
def test_what_is_counted_is_what_is_built(spec: ArchSpec) -> None:
    module = build(spec).eval()
    assert spec.cost.params == sum(parameter.numel() for parameter in module.parameters())
    assert spec.cost.macs == hooked_macs(module, (3, *spec.image_size))
    with torch.inference_mode():
        assert module(torch.randn(2, 3, *spec.image_size)).shape == (2, spec.num_classes or spec.blocks[-1].width)
    chain = spec.chain
    assert all(after.in_width == before.out_width for before, after in pairwise(chain))
    for before, after in pairwise(chain):
        stride = 1 if after.pool is None else after.pool.stride[0]
        assert after.in_size == tuple((side - 1) // stride + 1 for side in before.out_size)


@settings(max_examples=60)
@given(styled_specs())
def test_a_spec_is_read_back_and_a_genome_is_the_same_network(spec: ArchSpec) -> None:
    again = parse_spec(spec.to_dict())
    assert (again, again.id) == (spec, spec.id)
    genome = genome_of(spec)
    rows = tuple(Gene.of_row(_as_json(gene)) for gene in genome)
    assert rows == genome
    other = to_spec(rows, spec)
    assert (other.id, other.cost, other.chain) == (spec.id, spec.cost, spec.chain)


def _as_json(value: Any) -> Any:
    return [_as_json(each) for each in value] if isinstance(value, tuple) else value


@settings(max_examples=30)
@given(styled_specs())
def test_sums_over_blocks_are_those_over_the_chain(spec: ArchSpec) -> None:
    assert score_spec(spec) == pytest.approx(score_chain(spec.chain).value, rel=1e-9)


BLOCK = {"op": "mbconv", "width": 16, "expansion": 2, "depth": 2, "stride": 2}
CHANGES: list[dict[str, Any]] = [
    {"shortcut": "none"},
    {"linear": True},
    {"activation": "silu"},
    {"pool": {"kind": "max"}},
    {"pool": {"kind": "avg"}},
    {"skip_expansion": True, "expansion": 1},
    {"se": {"ratio": 0.25, "bias": True}},
    {"se": {"ratio": 0.25, "gate": "hard_sigmoid"}},
]


def test_a_key_changes_the_id_where_it_changes_the_network() -> None:
    def id_of(**more: Any) -> str:
        return parse_spec({"resolution": 16, "blocks": [{"op": "conv", "width": 16}, {**BLOCK, **more}]}).id

    assert len({id_of(), *(id_of(**change) for change in CHANGES)}) == len(CHANGES) + 1
    assert id_of(shortcut="needed") == id_of() == id_of(shortcut="first", activation="relu", linear=False)
    assert id_of(se=0.25) == id_of(se={"ratio": 0.25}) != id_of(se={"ratio": 0.25, "of": "input"})
    assert id_of(depth=1, se={"ratio": 0.5, "of": "input"}) == id_of(depth=1, se=0.25)  # both squeeze to 8


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"activation": "tanh"}, "blocks[1].activation: "),
        ({"shortcut": "always"}, "blocks[1].shortcut: "),
        ({"se": {"of": "input"}}, "blocks[1].se.ratio: missing"),
        ({"se": {"ratio": 2}}, "blocks[1].se.ratio: 2 is too large"),
        ({"se": -1}, "blocks[1].se: -1 is too small"),
        ({"pool": {"kind": "median"}}, "blocks[1].pool.kind: "),
        (
            {"pool": {"kind": "max", "kernel": 2, "stride": 3}},
            "blocks[1].pool: a window of 2 with stride 3 leaves a rest",
        ),
        (
            {"pool": {"kind": "max", "kernel": 4, "stride": 2}},
            "blocks[1].pool: a window of 4 with stride 2 leaves a smaller map",
        ),
    ],
)
def test_a_wrong_key_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_spec({"resolution": 16, "blocks": [{"op": "conv", "width": 16}, {**BLOCK, **change}]})
    assert str(caught.value).startswith(message)


ENDS: list[dict[str, Any]] = [
    {},
    {"head": [8]},
    {"head": [8], "head_bias": False},
    {"head_parts": 2},
    {"head_pool": {"kind": "max"}},
    {"head_pool": {"kind": "avg"}},
]


def test_another_end_is_another_network() -> None:
    rows = [{"op": "conv", "width": 8}]
    assert len({parse_spec({"resolution": 16, "blocks": rows, **end}).id for end in ENDS}) == len(ENDS)
    plain = parse_spec({"resolution": 16, "blocks": rows})
    assert parse_spec({"resolution": 16, "blocks": rows, "head_parts": 1, "head": []}).id == plain.id


@torch.no_grad()
@pytest.mark.parametrize("keys", [{}, {"stride": 2}, {"width": 16}, {"group_width": 2}, {"kernel": 5}], ids=str)
def test_one_convolution_does_what_parallel_ones_do(keys: dict[str, Any]) -> None:
    blocks = [{"op": "conv", "width": 8}, {"op": "repvgg", "width": 8, "depth": 1, **keys}]
    unit = seeded(parse_spec({"resolution": 16, "num_classes": 2, "blocks": blocks}), 0).blocks[1][0]
    assert isinstance(unit, ParallelConv)
    images = torch.randn(2, 8, 9, 9, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(unit.act(unit.merged()(images)), unit(images), rtol=1e-4, atol=1e-5)


@torch.no_grad()
@settings(max_examples=25)
@given(styled_specs())
def test_merging_changes_no_logits_and_leaves_convolutions_alone(spec: ArchSpec) -> None:
    net = seeded(spec, 0)
    images = torch.randn(2, 3, *spec.image_size, generator=torch.Generator().manual_seed(0))
    wanted, merged = net(images), merge(copy.deepcopy(net))
    torch.testing.assert_close(merged(images), wanted, rtol=0, atol=1e-4 * float(wanted.abs().max()))
    left = {type(module) for module in merged.modules()}
    assert not left & {torch.nn.BatchNorm2d, ParallelConv}


def test_parallel_convolutions_have_no_squeeze_and_excitation() -> None:
    with pytest.raises(SpecError, match=r"blocks\[0\]\.se: a unit of repvgg has none; leave it out"):
        parse_spec({"blocks": [{"op": "repvgg", "width": 8, "se": 0.25}]})


GROUPED: dict[str, Any] = {"op": "basic", "width": 16, "mid_width": 8, "group_width": 2, "depth": 2}


@pytest.mark.parametrize("more", [{}, {"activation": "silu", "stride": 2}], ids=["plain", "styled"])
def test_both_convolutions_of_a_basic_unit_have_groups(more: dict[str, Any]) -> None:
    spec = parse_spec({"resolution": 16, "num_classes": 2, "blocks": [{"op": "conv", "width": 4}, {**GROUPED, **more}]})
    assert [layer.groups for layer in spec.chain] == [1, 4, 4, 4, 4]
    module = build(spec)
    assert spec.cost.params == sum(parameter.numel() for parameter in module.parameters())
    assert spec.cost.macs == hooked_macs(module, (3, 16, 16))
    assert parse_spec(spec.to_dict()).id == spec.id
    assert score_spec(spec) == pytest.approx(score_chain(spec.chain).value, rel=1e-9)
    assert spec_of(network_of_module(module, (3, 16, 16), source="test:module")).id == spec.id


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({**GROUPED, "group_width": 3}, "blocks[0].group_width: 3 does not divide mid_width 8"),
        (GROUPED, "blocks[0].group_width: makes 4 groups, which do not divide 3 channels"),
        ({"op": "conv", "width": 8, "group_width": 4}, "blocks[0].group_width: makes 2 groups, which do not divide 3"),
    ],
)
def test_groups_that_do_not_divide_are_named(block: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_spec({"resolution": 16, "blocks": [block]})
    assert str(caught.value).startswith(message)


def test_the_epsilon_of_batch_normalisations_is_built_and_is_not_part_of_the_id() -> None:
    document = {"resolution": 16, "num_classes": 2, "blocks": [{"op": "conv", "width": 8}, {**BLOCK, "se": 0.25}]}
    spec, usual = parse_spec({**document, "bn_eps": 1e-3}), parse_spec(document)
    norms = [module for module in build(spec).modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert {norm.eps for norm in norms} == {1e-3}
    assert (spec.id, spec.cost, spec.chain) == (usual.id, usual.cost, usual.chain)
    with pytest.raises(SpecError, match="bn_eps: 0 is too small; use more than 0"):
        parse_spec({**document, "bn_eps": 0})


@pytest.mark.parametrize(("side", "kernel", "stride"), [*product((7, 8, 9), (3, 5), (2, 3))])
def test_same_padding_reads_what_a_window_over_endless_zeros_does(side: int, kernel: int, stride: int) -> None:
    """Windows that cover ceil(side / stride) steps, begun where as little as possible of the zeros is below."""
    blocks = [{"op": "conv", "width": 4, "kernel": kernel, "stride": stride, "norm": False}]
    spec = parse_spec({"resolution": side, "in_channels": 2, "num_classes": 0, "padding": "same", "blocks": blocks})
    conv = build(spec).blocks[0][0].conv
    image, steps = torch.randn(1, 2, side, side), -(-side // stride)
    before = ((steps - 1) * stride + kernel - side) // 2
    endless = torch.nn.functional.pad(image, [before, 20, before, 20])
    expected = torch.nn.functional.conv2d(endless, conv.weight, stride=stride)[:, :, :steps, :steps]
    torch.testing.assert_close(conv(image), expected)
    usual = spec.replace(padding="even")
    assert (spec.id, spec.cost, spec.chain) == (usual.id, usual.cost, usual.chain)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_classes": 0, "head": [8]}, "head: hidden layers without a classifier"),
        ({"num_classes": 0, "head_parts": 2}, "head_parts: has no effect without a classifier"),
        ({"head_bias": False}, "head_bias: has no effect without head"),
        (
            {"padding": "same", "blocks": [{"op": "repvgg", "width": 8}]},
            "padding: with same, the branches of",
        ),
        ({"head_parts": 65}, "head_parts: 65 is too large"),
        ({"head_pool": {"kind": "max", "kernel": 2, "stride": 3}}, "head_pool: a window of 2 with stride 3 leaves"),
    ],
)
def test_an_end_that_is_none_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_spec({"blocks": [{"op": "conv", "width": 8}], **change})
    assert str(caught.value).startswith(message)


def test_what_a_structure_string_cannot_say_it_refuses() -> None:
    spec = parse_spec({"resolution": 16, "blocks": [{"op": "conv", "width": 16}, {**BLOCK, "linear": True}]})
    with pytest.raises(SpecError, match="cannot express shortcuts, activations"):
        to_plainnet(spec)
    with pytest.raises(SpecError, match="padding: a structure string cannot express same"):
        to_plainnet(parse_spec({"padding": "same", "blocks": [{"op": "conv", "width": 16}]}))


def test_exports_of_such_networks_are_checked_against_their_module(zen_here: ZenHere, tmp_path: Path) -> None:
    blocks = [
        {"op": "conv", "kernel": 3, "width": 8, "stride": 2},
        {"op": "bottleneck", "width": 16, "mid_width": 8, "shortcut": "pooled", "stride": 2, "stride_in": True},
        {**BLOCK, "shortcut": "identity", "linear": True, "expansion_of": "input", "stride": 1, "skip_expansion": True},
        {"op": "repvgg", "width": 16, "depth": 2, "group_width": 8},
        {"op": "fused", "width": 16, "expansion": 1, "skip_expansion": True, "linear": True, "shortcut": "identity"},
        {"op": "basic", "width": 16, "mid_width": 8, "group_width": 2, "pool": {"kind": "max"}, "depth": 2},
    ]
    gate = {"ratio": 0.25, "of": "input", "bias": True, "activation": "silu", "gate": "hard_sigmoid", "place": "end"}
    blocks[1]["se"] = gate
    row = {"resolution": 32, "num_classes": 3, "activation": "hard_swish", "head": [8], "blocks": blocks}
    row |= {"bn_eps": 1e-3, "head_pool": {"kind": "max", "kernel": 3, "stride": 1}, "head_parts": 2, "head_bias": False}
    same = {**row, "padding": "same", "blocks": [block for block in blocks if block["op"] != "repvgg"]}
    document = b"\n".join(orjson.dumps(parse_spec(one).to_dict()) for one in (row, same))
    done = zen_here("export", "-", "--to", "torch,onnx,svg,mermaid", "-o", f"{tmp_path}/out/", stdin=document)
    assert done.code == 0, done.err
    assert len(list((tmp_path / "out").iterdir())) == 8


def test_synflow_and_measured_proxies_take_them() -> None:
    rows = [{"op": "conv", "width": 8}, {**BLOCK, "shortcut": "identity", "pool": {"kind": "max"}}]
    spec = parse_spec({"resolution": 16, "num_classes": 3, "head": [4], "blocks": rows})
    for name in ("synflow", "naswot", "even"):
        assert find(name).evaluate(spec, ScoreSettings()).value
    assert score(spec, estimator="monte-carlo", draws=2).zen.value == pytest.approx(score_spec(spec), abs=3.0)
