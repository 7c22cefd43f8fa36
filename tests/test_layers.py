"""Layers, stages and comparisons: rows add up to the exact cost and score; tables fit; documents are read back."""

from __future__ import annotations

import csv
import io
import json
import math

import pytest
from cli_here import ZenHere
from hypothesis import given
from strategies import specs
from test_target import a_target

from zen_cli.metrics.mean_field import score_chain
from zen_cli.metrics.records import CostRow
from zen_cli.net.chain import Chain
from zen_cli.net.layers import ConvLayer, Pool
from zen_cli.net.spec import ArchSpec, parse_spec
from zen_cli.networks import find
from zen_cli.networks import names as known_names
from zen_cli.networks.near import near
from zen_cli.report.comparison import differences
from zen_cli.report.layers import conv_text, layer_rows
from zen_cli.report.stages import most_live, stage_rows
from zen_cli.target.latency import latency_ms

SMALL = {
    "name": "small",
    "resolution": 32,
    "num_classes": 10,
    "blocks": [
        {"op": "conv", "width": 16, "stride": 2},
        {"op": "mbconv", "width": 24, "expansion": 4, "stride": 2, "depth": 2, "se": 0.25},
        {"op": "conv", "width": 64, "kernel": 1},
    ],
}


class Traced:
    """A network that is known by its chain alone."""

    def __init__(self, spec: ArchSpec) -> None:
        self.id, self.name, self.chain, self.cost = spec.id, "traced", spec.chain, spec.cost
        self.source, self.spec, self.module, self.layer_names = "nowhere", None, None, ()


def reach(chain: Chain, axis: int) -> int:
    """The pixels that the first output depends on, found from the output back to the image."""
    low = high = 0
    for layer in reversed(chain):
        span = layer.dilation[axis] * (layer.kernel[axis] - 1)
        low, high = low * layer.stride[axis], high * layer.stride[axis] + span
        if layer.pool is not None:
            low, high = low * layer.pool.stride[axis], high * layer.pool.stride[axis] + layer.pool.kernel[axis] - 1
    return high - low + 1


@given(specs())
def test_layers_and_stages_add_up_to_the_exact_cost_and_the_score(spec: ArchSpec) -> None:
    layers = layer_rows(spec)
    stages = stage_rows(spec, layers)
    for rows in (layers, stages):
        assert (sum(row.params for row in rows), sum(row.macs for row in rows)) == spec.cost[:2]
    closed = score_chain(spec.chain)
    assert math.isclose(sum(row.log_sigma or 0.0 for row in layers) + closed.log_delta, closed.value, abs_tol=1e-9)
    assert sum(row.kind == "conv" for row in layers) == spec.cost.layers
    assert sum(row.units for row in stages) == len(spec.units)
    assert math.isclose(sum(row.macs_share for row in stages), 1)


@given(specs())
def test_the_most_live_memory_of_a_layer_is_the_memory_that_the_network_needs(spec: ArchSpec) -> None:
    layers = layer_rows(spec)
    needed = CostRow.of(spec, spec.cost, "float32").memory
    assert most_live(layers) == most_live(stage_rows(spec, layers)) == needed
    for row in layers:
        assert row.out_shape and row.live and row.live >= 4 * math.prod(row.out_shape)


@given(specs())
def test_the_receptive_field_is_that_found_from_the_output_back(spec: ArchSpec) -> None:
    fields = [row.receptive_field for row in layer_rows(spec) if row.kind == "conv"]
    for depth, field in enumerate(fields, start=1):
        assert field == (reach(spec.chain[:depth], 0), reach(spec.chain[:depth], 1))


@given(specs())
def test_a_network_without_blocks_has_the_same_layers_and_one_row_for_the_rest(spec: ArchSpec) -> None:
    layers = layer_rows(Traced(spec))
    assert (sum(row.params for row in layers), sum(row.macs for row in layers)) == spec.cost[:2]
    assert all(row.params >= 0 and row.macs >= 0 for row in layers)
    ours = [row for row in layer_rows(spec) if row.kind == "conv"]
    for name in ("conv", "in_shape", "out_shape", "macs", "receptive_field", "log_sigma"):
        assert [getattr(row, name) for row in layers[:-1]] == [getattr(row, name) for row in ours]


def test_pools_and_rectangles_widen_the_receptive_field() -> None:
    chain = (
        ConvLayer(3, 8, (7, 5), (16, 16), (2, 1), (3, 2)),
        ConvLayer(8, 8, (3, 3), (4, 8), padding=(1, 0), dilation=(2, 1), pool=Pool("max", (3, 3), (2, 2), (1, 1))),
    )
    spec = parse_spec(SMALL)
    traced = Traced(spec)
    traced.chain = chain
    found = layer_rows(traced)[1].receptive_field
    assert found == (reach(chain, 0), reach(chain, 1))
    assert [conv_text(layer) for layer in chain] == ["7x5/2x1", "3x3 d2"]


def test_differences_name_the_stage_and_the_field() -> None:
    first = parse_spec(SMALL)
    blocks = [*SMALL["blocks"]]
    blocks[1] = {**blocks[1], "width": 32, "se": None}
    second = parse_spec({**SMALL, "resolution": 64, "blocks": [*blocks[:2], {"op": "conv", "width": 8}, blocks[2]]})
    assert differences(first, second) == [
        "resolution: 32 → 64",
        "stage1: width 24 → 32, se 0.25 → -",
        "stage1: with op conv, kernel 3, width 8, stride 1, depth 1",
    ]
    assert differences(first, first) == []
    assert differences(first, Traced(second)) == ["one of the two is not written as blocks; compare the numbers"]


def test_layers_as_documents_and_csv(zen_here: ZenHere) -> None:
    done = zen_here("score", "--layers", "--format", "jsonl", "-", stdin=json.dumps(SMALL))
    (row,) = done.rows
    spec = parse_spec(SMALL)
    assert row["id"] == spec.id
    assert sum(layer["params"] for layer in row["layers"]) == row["cost"]["params"]
    again = zen_here("score", "--estimator", "mean-field", "-", stdin=done.out)
    assert again.rows[0]["id"] == spec.id
    text = zen_here("score", "--layers", "--format", "csv", "-", stdin=json.dumps(SMALL)).out
    rows = list(csv.DictReader(io.StringIO(text)))
    assert sum(int(layer["macs"]) for layer in rows) == spec.cost.macs
    assert rows[0]["out_shape"] == "16x16x16"


def test_networks_side_by_side(zen_here: ZenHere) -> None:
    other = {**SMALL, "name": "another", "resolution": 64}
    done = zen_here("compare", "-", "--format", "table", stdin=json.dumps([SMALL, other]))
    assert "resolution: 32 → 64" in done.out
    assert "(same)" in done.out


def test_a_comparison_ends_with_published_networks_of_about_the_same_cost(zen_here: ZenHere) -> None:
    done = zen_here("compare", "resnet18", "resnet50", "--format", "table")
    names = [line.split()[0] for line in done.out.split("of about the MACs of resnet18")[1].splitlines() if line]
    assert "resnet50" not in names and "resnet18" not in names
    assert sum(name in known_names() for name in names) == 5
    assert "of about" not in zen_here("compare", "resnet18", "resnet50", "--format", "table", "--no-references").out
    assert len(zen_here("compare", "resnet18", "resnet50").rows) == 2  # data hold what was named


def test_a_comparison_on_a_target_has_the_latency_of_all(zen_here: ZenHere) -> None:
    target = a_target(host="elsewhere")
    (zen_here.folder / "t.json").write_bytes(target.to_bytes())
    words = ("compare", "mobilenet_v2", "efficientnet_b0", "--target", "t.json")
    for row, name in zip(zen_here(*words).rows, ("mobilenet_v2", "efficientnet_b0"), strict=True):
        assert row["latency_ms"] == pytest.approx(latency_ms(target, find(name).spec))
    table = zen_here(*words, "--format", "table").out
    assert "predicted latency (ms)" in table and " ms " in table.split("of about the MACs")[1]
    (zen_here.folder / "t.json").write_text('{"schema": "zen-target/1", "name": "micro"}')
    zen_here(*words).fails("--target: micro says nothing about times")


def test_published_networks_are_put_on_the_images_of_the_others() -> None:
    like = parse_spec({**find("mobilenet_v2").spec.to_dict(), "resolution": 128, "num_classes": 10})
    rows = near([like], 6, known={like.id})
    assert rows and len({row.published.paper for row in rows}) == len(rows)
    for row in rows:
        assert (row.spec.resolution, row.spec.num_classes, row.top1) == (128, 10, None)
        assert like.cost.macs / 1.6 <= row.spec.cost.macs <= like.cost.macs * 1.6
        assert row.word == f"{row.published.name} --resolution 128 --num-classes 10"
    same = near([find("mobilenet_v2").spec], 6)
    assert (same[0].published.name, same[0].word, same[0].top1) == ("mobilenet_v2", "mobilenet_v2", 71.878)
    small = parse_spec({**SMALL, "resolution": 16, "blocks": [{"op": "conv", "width": 64, "depth": 20}]})
    assert near([small], 6) == []  # the maps of all vanish on such images


def test_a_comparison_as_data(zen_here: ZenHere) -> None:
    text = json.dumps([SMALL, {**SMALL, "num_classes": 100}])
    first, second = zen_here("compare", "-", stdin=text).rows
    scored = zen_here("score", "--estimator", "mean-field", "-", stdin=text).rows
    assert [first["zen"], second["zen"]] == [row["zen"]["value"] for row in scored]
    assert second["params"] - first["params"] == 90 * 65
    rows = list(csv.DictReader(io.StringIO(zen_here("compare", "-", "--format", "csv", stdin=text).out)))
    assert [int(row["macs"]) for row in rows] == [first["macs"], second["macs"]]


def test_what_cannot_be_listed_or_compared_is_one_line(zen_here: ZenHere) -> None:
    text = json.dumps(SMALL)
    zen_here("score", "--layers", "--draws", "4", "-", stdin=text).fails("--draws", "no effect")
    zen_here("compare").fails("0 to compare", "at least two")
    zen_here("compare", "-", stdin=text).fails("1 to compare")
    zen_here("compare", "-", "--draws", "x", stdin=text).fails("--draws")
    zen_here("compare", "-", "nothing.json", stdin=text).fails("nothing.json")
    zen_here("compare", "-", "--convention", "x", stdin=text + text).fails("--convention")
