"""Searches around a network: every move keeps what the network says, and the answer ends with the network itself."""

from __future__ import annotations

import json
from functools import cache
from random import Random
from typing import Any

import pytest
from cli_here import ZenHere

from zen_cli import ArchSpec
from zen_cli.errors import SpecError, UsageError
from zen_cli.nas.algorithms.exact.support import unsupported
from zen_cli.nas.limits import Limits
from zen_cli.nas.original import original_of
from zen_cli.nas.request import check_request
from zen_cli.nas.space import BlockSpace, genome_of, parse_space, to_spec
from zen_cli.nas.space.around import space_around
from zen_cli.nas.space.inside import inside_of
from zen_cli.net.spec import parse_spec

INPUT = {"resolution": 64, "num_classes": 10}
STEM, HEAD = {"op": "conv", "width": 16, "stride": 2}, {"op": "conv", "kernel": 1, "width": 128}
NETWORKS: dict[str, list[dict[str, Any]]] = {
    "odd depths, no head": [
        {"op": "conv", "kernel": 7, "width": 16, "stride": 2},
        {"op": "bottleneck", "width": 64, "mid_width": 16, "depth": 3, "stride": 2},
        {"op": "bottleneck", "width": 128, "mid_width": 32, "depth": 5, "stride": 2},
    ],
    "groups": [
        STEM,
        {"op": "bottleneck", "width": 32, "mid_width": 32, "group_width": 16, "stride": 2, "se": 0.25},
        {"op": "bottleneck", "width": 64, "mid_width": 64, "group_width": 16, "depth": 3, "stride": 2},
    ],
    "two stem blocks and a stage in two blocks": [
        STEM,
        {"op": "conv", "width": 24},
        {"op": "mbconv", "width": 24, "mid_width": 72, "stride": 2},
        {"op": "mbconv", "width": 24, "mid_width": 144, "depth": 2, "kernel": 5},
        {"op": "mbconv", "width": 40, "mid_width": 144, "stride": 2},
        HEAD,
    ],
    "expansions": [
        STEM,
        {"op": "mbconv", "width": 24, "expansion": 2, "stride": 2, "depth": 3},
        {"op": "mbconv", "width": 40, "expansion": 6, "stride": 2, "depth": 2},
        HEAD,
        HEAD,
    ],
    "convolutions": [
        STEM,
        {"op": "conv", "width": 32, "depth": 2, "stride": 2},
        {"op": "conv", "width": 64, "depth": 3, "stride": 2, "se": 0.25},
    ],
    "basic units and odd widths": [
        STEM,
        {"op": "basic", "width": 20, "mid_width": 30, "depth": 2},
        {"op": "basic", "width": 36, "mid_width": 36, "depth": 2, "stride": 2},
        {"op": "bottleneck", "width": 34, "mid_width": 18, "depth": 2, "stride": 2},
        HEAD,
    ],
}


@cache
def network(name: str) -> ArchSpec:
    return parse_spec({"name": "mine", "blocks": NETWORKS[name], **INPUT})


@pytest.mark.parametrize("name", NETWORKS)
def test_every_move_keeps_what_the_network_says(name: str) -> None:
    space = parse_space(space_around(network(name), "around").to_dict())
    assert isinstance(space, BlockSpace)
    seed, random = space.seeds[0], Random(0)
    assert seed.id == network(name).id
    model = genome = space.start(seed)
    widths, depths, insides = set(), set(), set()
    for step in range(1500):
        genome = (space.neighbour if step % 2 else space.mutate)(genome, random)
        assert space.excludes(genome, seed) == ""
        member = to_spec(genome, seed)  # a spec that is valid
        inner = space.inner(genome)
        for index, (gene, own) in enumerate(zip(genome, model, strict=True)):
            if index in inner:
                assert (gene.op, gene.stride, gene.se, gene.group_width) == (
                    own.op,
                    own.stride,
                    own.se,
                    own.group_width,
                )
            else:
                assert gene == own
        assert (member.resolution, member.num_classes) == (64, 10)
        widths.add(genome[inner[-1]].width)
        depths.add(genome[inner[-1]].depth)
        insides.add(inside_of(genome[inner[-1]]))
    assert len(widths) > 5
    assert {1, 2, 3} <= depths  # odd and even ones
    assert all(space.excludes(member, seed) == "" for member in space.smallest(seed))


def test_widths_inside_keep_their_ratio_and_widths_of_a_stage_stay_one() -> None:
    space = space_around(network("two stem blocks and a stage in two blocks"), "around")
    assert space.mid_ratios == (3.0, 3.6, 6.0)
    genome, random = space.start(space.seeds[0]), Random(1)
    for _ in range(500):
        genome = space.neighbour(genome, random)
        assert genome[2].width == genome[3].width <= genome[4].width
        for gene in genome[2:5]:
            nearest = min(abs(inside_of(gene) - ratio * gene.width) for ratio in space.mid_ratios)
            assert nearest <= 4  # half a step


def test_groups_stay_whole_and_the_width_follows_them() -> None:
    space = space_around(network("groups"), "around")
    genome, random = space.start(space.seeds[0]), Random(1)
    for _ in range(500):
        genome = space.neighbour(genome, random)
        assert all(gene.width == gene.mid and gene.mid % 16 == 0 for gene in genome[1:])


def test_blocks_that_could_be_one_are_one() -> None:
    unit = {"op": "bottleneck", "width": 64, "mid_width": 16}
    apart = parse_spec({"blocks": [STEM, {**unit, "stride": 2}, unit, {**unit, "depth": 2}], **INPUT})
    seed = space_around(apart, "around").seeds[0]
    assert seed.id == apart.id
    convs = parse_spec({"blocks": [STEM, {"op": "conv", "width": 32}, {"op": "conv", "width": 32}], **INPUT})
    assert [block.depth for block in space_around(convs, "around").seeds[0].blocks] == [1, 2]


def test_it_keeps_the_rules_that_the_network_keeps() -> None:
    rules = space_around(network("odd depths, no head"), "around").rules
    assert rules is not None
    assert rules.never_narrower
    narrow = space_around(network("basic units and odd widths"), "around").rules
    assert narrow is not None
    assert not narrow.never_narrower


def test_a_network_with_nothing_inside_is_refused() -> None:
    with pytest.raises(SpecError, match="from_: the network has no block between stem and head"):
        space_around(parse_spec({"blocks": [STEM], **INPUT}), "around")


# Spaces of one's own.

FREE: dict[str, Any] = {
    "kind": "blocks",
    "name": "mine",
    "seeds": [{"blocks": NETWORKS["odd depths, no head"], **INPUT}],
    "ops": ["bottleneck", "conv"],
    "width": {"max": 256},
    "mid_width": {"max": 64},
}


def test_a_space_of_free_blocks_takes_odd_depths_inner_convolutions_and_no_head() -> None:
    space = parse_space(FREE)
    assert isinstance(space, BlockSpace)
    assert (space.heads, space.counts_units) == (0, True)
    seed, random = space.seeds[0], Random(0)
    genome = space.start(seed)
    seen = set()
    for _ in range(2000):
        genome = space.neighbour(genome, random)
        assert space.excludes(genome, seed) == ""
        seen |= {(gene.op, gene.depth % 2) for gene in genome[1:]}
    assert seen == {("conv", 0), ("conv", 1), ("bottleneck", 0), ("bottleneck", 1)}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"stem_blocks": 2}, "seeds[0]: is outside its own space, blocks: a member has 2 conv blocks as stem"),
        ({"head_blocks": 1}, "seeds[0]: is outside its own space, blocks: a member has 1 conv"),
        ({"stem_blocks": 0}, "stem_blocks: 0 is too small; use at least 1"),
        ({"stem_width": {"max": 64}, "stem_blocks": 2}, "stem_width: a stem of several blocks is fixed"),
        ({"head_width": {"max": 64}}, "head_width: there are 0 head blocks"),
        ({"ops": ["mbconv"], "expansions": [2]}, "pair_widths: units that count one by one have no pairs"),
        ({"odd_depths": False}, "blocks[1].depth: 3 is odd; bottleneck units come in pairs here"),
        ({"mid_ratios": [0.5]}, "blocks[1].mid_width: 16 is none of the mid_ratios 0.5 of width 64"),
        ({"mid_ratios": [0.5, 0.5]}, "mid_ratios: 0.5 is given twice; give it once"),
        ({"fixed_blocks": True, "seeds": FREE["seeds"] * 2}, "fixed_blocks: the blocks are those of one seed"),
    ],
    ids=range(10),
)
def test_what_is_wrong_with_a_space_is_said(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_space({**FREE, **changes})
    assert words in str(caught.value)


# The search.


def request(**more: Any) -> tuple[Any, list[str]]:
    notes: list[str] = []
    return check_request({"from_": network("groups"), "verify": 0, **more}, note=notes.append), notes


def test_the_limits_are_the_networks_own_cost_or_what_is_given() -> None:
    cost = network("groups").cost
    settings, (line,) = request()
    assert settings.limits == Limits(params=cost.params, macs=cost.macs)
    assert "of mine; see max_params and max_macs" in line
    assert settings.evenness is not None
    settings, (line,) = request(max_params="2k")
    assert settings.limits == Limits(params=2000, macs=cost.macs)
    assert request(max_macs="1M")[0].limits == Limits(macs=1_000_000)
    settings, _ = request(resolution=128, num_classes=2)
    larger = network("groups").replace(resolution=128, num_classes=2)
    assert settings.limits == Limits(params=larger.cost.params, macs=larger.cost.macs)
    found = original_of(settings)
    assert found is not None
    assert found.spec.id == larger.id


@pytest.mark.parametrize("name", ["space", "preset"])
def test_a_network_and_a_space_are_one_too_many(name: str) -> None:
    value = {"space": "mobile", "preset": "cifar-1m"}[name]
    with pytest.raises(UsageError, match=f"from_: given together with {name}; .* keep one of the two"):
        request(**{name: value})


def test_the_exact_search_says_why_it_takes_no_such_space() -> None:
    space = space_around(network("groups"), "around").model_copy(update={"rules": None})
    assert "the exact search needs free blocks" in unsupported(space, Limits(sublayers=20))


def test_the_answer_ends_with_the_original(zen_here: ZenHere, tmp_path: Any) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(network("groups").to_dict()))
    budget = ["--budget", "2000evals", "--verify", "0", "--top", "3"]
    done = zen_here("search", "--from", str(path), *budget)
    *found, last = done.rows
    assert 1 <= len(found) <= 3
    assert (last["name"], last["search"]["role"], last["id"]) == ("mine", "original", network("groups").id)
    assert all("role" not in row["search"] for row in found)
    assert all(row["cost"]["macs"] <= last["cost"]["macs"] for row in found)
    assert found[0]["search"]["score"] > last["search"]["score"] == pytest.approx(last["zen"]["value"])
    assert genome_of(parse_spec(last["arch"]))[1].se == 0.25
    assert all(genome_of(parse_spec(row["arch"]))[1].se == 0.25 for row in found)
    table = zen_here("search", "--from", str(path), *budget, "--format", "table").out
    assert table.index("── the original ") < table.index("mine ")
    assert (
        zen_here("search", "--from", str(path), *budget, "--format", "csv").out.splitlines()[-1].endswith(",original")
    )


def test_the_original_is_one_row_also_where_it_was_found_again(zen_here: ZenHere, tmp_path: Any) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(network("groups").to_dict()))
    rows = zen_here("search", "--from", str(path), "--budget", "300evals", "--verify", "0", "--top", "50").rows
    assert [row["id"] for row in rows].count(network("groups").id) == 1
    assert rows[-1]["search"]["role"] == "original"


def test_verified_answers_verify_the_original_too(zen_here: ZenHere, tmp_path: Any) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(network("groups").to_dict()))
    words = ["--budget", "2000evals", "--verify", "1", "--top", "1", "--draws", "2", "--batch-size", "2"]
    first, last = zen_here("search", "--from", str(path), *words).rows
    for key in ("estimator", "seed", "batch_size"):
        assert first["zen"][key] == last["zen"][key]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "no such file"),
        ("{}", "blocks: missing; add it"),
        ("two", "--from: "),
        ('{"blocks": [{"op": "conv", "width": 8}]}', "--from: the network has no block between stem and head"),
    ],
    ids=range(4),
)
def test_what_is_no_network_is_one_line(zen_here: ZenHere, tmp_path: Any, text: str | None, words: str) -> None:
    path = tmp_path / "mine.json"
    if text is not None:
        one = json.dumps(network("groups").to_dict())
        path.write_text(f"{one}\n{one}\n" if text == "two" else text)
    zen_here("search", "--from", str(path), "--verify", "0").fails(words)


def test_a_network_whose_groups_tie_widths_together_is_refused() -> None:
    blocks = [{"op": "conv", "width": 8}, {"op": "basic", "width": 8, "mid_width": 8, "group_width": 4}]
    with pytest.raises(SpecError, match="from_: the network has a basic block with groups between stem and head"):
        space_around(parse_spec({"resolution": 16, "blocks": blocks}), "around")
