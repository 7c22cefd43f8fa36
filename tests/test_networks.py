"""Published networks: what they cost, and that they are the networks that their names mean elsewhere."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import pytest
from cli import Zen

from zen_cli import load, parse_spec, score
from zen_cli.errors import SourceError
from zen_cli.metrics.mean_field import score_chain
from zen_cli.networks import find, names, networks

FACTS = os.environ.get("ZEN_FACTS")  # a folder with tables of published networks
# Counted on the modules of torchvision 0.29 and timm 1.0.31, on images of 224 x 224.
with open(Path(__file__).parent / "data" / "networks.csv", encoding="utf-8", newline="") as stream:
    COUNTED = list(csv.DictReader(stream))


def test_every_network_costs_what_the_library_that_has_it_builds() -> None:
    assert len(COUNTED) > 180
    for row in COUNTED:
        cost = find(row["name"]).spec.replace(resolution=224).cost
        assert (cost.params, cost.macs) == (int(row["params"]), int(row["macs"])), row["name"]


# Families of the table that blocks cannot express: concatenations, other normalisations, convolutions before others.
NOT_BLOCKS = {
    *("shufflenet_v2_x1_0", "squeezenet1_1", "densenet121", "googlenet", "convnext_tiny", "convnextv2_atto"),
    *("mobilenetv4_conv_small", "mobilenetv4_conv_medium", "mixnet_s", "ghostnet_100"),
}


@pytest.mark.skipif(not FACTS, reason="ZEN_FACTS does not name a folder with networks.json")
def test_every_network_of_the_table_that_blocks_can_express_has_its_counts() -> None:
    rows = json.loads((Path(FACTS or "") / "networks.json").read_text(encoding="utf-8"))
    counted = {row["name"].partition(":")[2]: row for row in rows}
    assert set(counted) - set(names()) == NOT_BLOCKS
    for name in set(counted) - NOT_BLOCKS:
        row, cost = counted[name], find(name).spec.replace(resolution=counted[name]["resolution"]).cost
        assert (cost.params, cost.macs) == (row["params"], row["macs"]), name


def test_a_name_has_the_epsilon_and_the_padding_of_its_library() -> None:
    wanted = {"mobilenet_v3_large": 1e-3, "mobilenetv3_large_100": None, "tf_efficientnet_b0": 1e-3, "resnet18": None}
    assert {name: load(name).bn_eps for name in wanted} == wanted
    assert [name for name in wanted if load(name).padding == "same"] == ["tf_efficientnet_b0"]


def test_names_are_of_one_network_each() -> None:
    all_names = [name for row in networks() for name in (row.name, *row.aliases)]
    assert sorted(all_names) == sorted(names())
    assert len({row.spec.id for row in networks()}) == len(networks())


def test_every_network_is_a_spec_that_reads_back() -> None:
    for row in networks():
        again = parse_spec(row.spec.to_dict())
        assert (again.id, again.cost, again.name) == (row.spec.id, row.spec.cost, row.name)


def test_the_closed_form_by_blocks_is_that_of_the_chain_and_the_cost_the_counted_one() -> None:
    for row in networks():
        record = score(row.spec, estimator="mean-field")
        assert record.zen.value == pytest.approx(score_chain(row.spec.chain).value, rel=1e-9), row.name
        assert (record.cost.params, record.cost.macs) == (row.spec.cost.params, row.spec.cost.macs), row.name


def test_published_accuracies_have_a_source() -> None:
    rows = [row.accuracy for row in networks() if row.accuracy is not None]
    assert len(rows) > 60
    assert all(40 < row.top1 < 90 and row.source for row in rows)


def test_a_name_is_read_where_a_file_is(zen: Zen) -> None:
    assert load("mobilenet_v2").cost.params == 3_504_872
    record = zen.score("resnet18", "--estimator", "mean-field", "--resolution", "32", "--num-classes", "10").rows[0]
    spec = find("resnet18").spec.replace(resolution=32, num_classes=10)
    assert (record["id"], record["name"]) == (spec.id, "resnet18")


def test_a_file_of_the_name_comes_first(zen: Zen) -> None:
    (zen.folder / "resnet18").write_text('{"name": "mine", "blocks": [{"op": "conv", "width": 8}]}', encoding="utf-8")
    assert zen.score("resnet18", "--estimator", "mean-field").rows[0]["name"] == "mine"


@pytest.mark.parametrize("word", ["resnet-50", "mobilenetv2", "EfficientNet_B0"])
def test_a_name_that_is_none_gets_the_nearest(zen: Zen, word: str) -> None:
    zen.score(word).fails("did you mean the network")


def test_find_says_the_nearest_name() -> None:
    with pytest.raises(SourceError, match='resnet5o: no published network has this name; did you mean "resnet50'):
        find("resnet5o")
    with pytest.raises(SourceError, match="--list-networks"):
        find("q")


def test_the_list_has_what_is_known_of_each(zen: Zen) -> None:
    rows = {row["name"]: row for row in zen("score", "--list-networks").rows}
    assert list(rows) == [row.name for row in networks()]
    row = rows["mobilenet_v2"]
    assert (row["params"], row["macs"], row["resolution"], row["top1"]) == (3_504_872, 300_774_272, 224, 71.878)
    assert rows["regnet_y_256gf"]["top1"] is None
