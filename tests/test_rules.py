"""Design rules: every move keeps them, each of them matters, and a space says which it has."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest
from cli import Zen
from hypothesis import given, settings
from hypothesis import strategies as st

from zen_cli import ArchSpec
from zen_cli.errors import SpecError, UsageError
from zen_cli.nas.request import check_request
from zen_cli.nas.space import BlockSpace, Rules, Space, load_space, parse_space, to_spec

RULED = ("mobile", "resnet", "regnet")


def document(name: str) -> dict[str, Any]:
    """A published space with free ends, all kernels and groups, to which rules are added."""
    row = load_space(f"zennet-{name}").to_dict()
    row |= {"stem_width": {"max": 64}, "head_width": {"max": 2048}, "group_widths": [0, 8]}
    for seed in row["seeds"]:
        for block in seed["blocks"][1:-1]:
            if block["op"] == "basic":
                block["mid_width"] = block["width"]
    return row


def walk(space: Space, seed: int, resolution: int, steps: int = 200) -> list[ArchSpec]:
    """The networks that a random walk meets."""
    model, random = space.seed(resolution), Random(seed)
    genome, rows = space.start(model), []
    for _ in range(steps):
        genome = space.neighbour(genome, random)
        assert space.excludes(genome, model) == ""
        rows.append(to_spec(space.genes(genome, model), model))
    return rows


def broken(spec: ArchSpec, model: ArchSpec) -> set[str]:
    """The rules that a network breaks, from its JSON form."""
    rows = spec.to_dict()["blocks"]
    inner = [row for row in rows if row["op"] != "conv"]
    widths = [row["width"] for row in inner]
    found = set()
    if widths != sorted(widths):
        found.add("never_narrower")
    if rows[0]["width"] != model.blocks[0].width:
        found.add("fixed_ends")
    if rows[-1]["op"] == "conv" and len(rows) > 1 and rows[-1]["width"] != model.blocks[-1].width:
        found.add("fixed_ends")
    for row in inner:
        ratio = row.get("mid_width", row["width"]) / row["width"]
        if row.get("pair_width", row["width"]) != row["width"]:
            found.add("equal_pairs")
        if row["op"] == "basic" and not 2 / 3 - 1e-9 <= ratio <= 1.5 + 1e-9:
            found.add("inside_over_width")
        if row["op"] == "bottleneck" and not 1 / 4 - 1e-9 <= ratio <= 1 + 1e-9:
            found.add("width_over_inside")
        if row["kernel"] not in ((3, 5) if row["op"] == "mbconv" else (3,)):
            found.add("depthwise_kernels" if row["op"] == "mbconv" else "dense_kernels")
    return found


@pytest.mark.parametrize("name", RULED)
@settings(max_examples=8)
@given(seed=st.integers(0, 2**32), resolution=st.sampled_from([32, 224]))
def test_every_move_keeps_every_rule(name: str, seed: int, resolution: int) -> None:
    space = load_space(name)
    for spec in walk(space, seed, resolution):
        assert not broken(spec, space.seed(resolution))


@pytest.mark.parametrize("name", ["mobile", "resnet"])
@settings(max_examples=8)
@given(seed=st.integers(0, 2**32))
def test_rules_of_a_free_space_with_groups_hold_as_well(name: str, seed: int) -> None:
    space = parse_space({**document(name), "rules": {}})
    for spec in walk(space, seed, 224):
        assert not broken(spec, space.seed(224))


RULES_OF = [
    ("mobile", "fixed_ends"),
    ("mobile", "never_narrower"),
    ("mobile", "equal_pairs"),
    ("mobile", "depthwise_kernels"),
    ("resnet", "inside_over_width"),
    ("resnet", "width_over_inside"),
    ("resnet", "dense_kernels"),
]


@pytest.mark.parametrize(("name", "rule"), RULES_OF)
def test_each_rule_alone_decides_whether_it_is_kept(name: str, rule: str) -> None:
    off = False if Rules.model_fields[rule].annotation is bool else None
    without = parse_space({**document(name), "rules": {rule: off}})
    met = [found for spec in walk(without, 3, 224, 600) for found in broken(spec, without.seed(224))]
    assert set(met) == {rule}


@pytest.mark.parametrize("name", RULED)
def test_moves_still_reach_far(name: str) -> None:
    """Rules must not stop a walk: widths and depths of its networks differ."""
    specs = walk(load_space(name), 1, 224, 500)
    assert len({spec.id for spec in specs}) > 100
    assert len({spec.blocks[-2].width for spec in specs}) > 10
    assert len({sum(block.depth for block in spec.blocks) for spec in specs}) > 5


def test_the_smallest_members_keep_the_rules() -> None:
    for name in RULED:
        space = load_space(name)
        model = space.seed(224)
        for genome in space.smallest(model):
            assert space.excludes(genome, model) == ""
            assert not broken(to_spec(space.genes(genome, model), model), model)


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({"fixed_end": True}, "rules.fixed_end"),
        ({"inside_over_width": [2, 1]}, "inside_over_width: 2 is above 1"),
        ({"dense_kernels": []}, "dense_kernels"),
        ({"dense_kernels": [5]}, "kernel"),
        (7, "rules"),
    ],
)
def test_wrong_rules_are_refused_with_their_place(rules: object, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_space({**load_space("resnet").to_dict(), "rules": rules})
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_seed_network_against_the_rules_is_refused() -> None:
    with pytest.raises(SpecError, match=r"seeds\[0\].*inside_over_width"):
        parse_space({**load_space("zennet-resnet").to_dict(), "kernels": [3], "rules": {}})


def test_rules_can_be_turned_off_and_on() -> None:
    wanted = {"space": "mobile", "max_macs": "300M"}
    assert check_request(dict(**wanted)).space.rules == Rules()
    assert check_request(dict(**wanted, rules="none")).space.rules is None
    assert check_request(dict(space="zennet-mobile", max_macs="300M", rules="default")).space.rules == Rules()
    with pytest.raises(UsageError, match=r"^rules: unknown 'non'"):
        check_request(dict(**wanted, rules="non"))


def test_presets_are_the_published_problems_without_rules() -> None:
    space = check_request(dict(preset="imagenet-400m")).space
    assert isinstance(space, BlockSpace)
    assert (space.name, space.rules) == ("zennet-mobile", None)
    assert check_request(dict(preset="imagenet-400m", space="mobile")).space.rules == Rules()


def test_check_lists_the_rules(zen: Zen, tmp_path: Path) -> None:
    done = zen("search", "--space", "mobile", "--check", "--max-macs", "300M")
    assert done.code == 0
    for name in Rules.model_fields:
        assert f"{name}:" in done.err
    assert "no design rules" in zen("search", "--space", "mobile", "--rules", "none", "--check").err
