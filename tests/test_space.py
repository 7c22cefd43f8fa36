"""Spaces: every move stays inside, every block can change, and what is wrong with a space is said in one line."""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zen_cli.errors import SourceError, SpecError, UsageError
from zen_cli.nas.space import (
    BUILTIN,
    BlockSpace,
    Genome,
    Space,
    genome_of,
    load_space,
    parse_space,
    to_spec,
)
from zen_cli.nas.space.line import RegNetGenome, stages_of
from zen_cli.net.spec import MAX_UNITS, parse_spec

SEED = {
    "resolution": 32,
    "num_classes": 10,
    "blocks": [
        {"op": "conv", "width": 24, "stride": 1},
        {"op": "bottleneck", "kernel": 5, "width": 20, "mid_width": 24, "group_width": 12, "stride": 2, "depth": 4},
        {"op": "mbconv", "kernel": 3, "width": 20, "expansion": 3, "stride": 2, "depth": 4},
        {"op": "basic", "kernel": 3, "width": 20, "mid_width": 16, "depth": 2},
        {"op": "conv", "kernel": 1, "width": 60},
    ],
}
ODD: dict[str, Any] = {
    "kind": "blocks",
    "name": "odd",
    "seeds": [SEED],
    "ops": ["basic", "bottleneck", "mbconv"],
    "kernels": [3, 5],
    "expansions": [1, 3, 4],
    "group_widths": [12, 8],
    "pair_widths": False,
    "width": {"min": 4, "max": 100, "step": 4},
    "mid_width": {"min": 8, "max": 96, "step": 8},
    "head_width": {"min": 20, "max": 100, "step": 20},
    "depth": {"min": 2, "max": 7},
    "split_at": 5,
    "max_blocks": 9,
}


@cache
def space_of(name: str) -> Space:
    return parse_space(ODD) if name == "odd" else load_space(name)


def blocks_space(name: str) -> BlockSpace:
    space = space_of(name)
    assert isinstance(space, BlockSpace)
    return space


def walk(name: str, resolution: int, seed: int, steps: int) -> list[Any]:
    """The members that a random walk meets, by neighbours and by mutations in turn."""
    space, random = space_of(name), Random(seed)
    genome = space.start(space.seed(resolution))
    rows = [genome]
    for step in range(steps):
        genome = (space.neighbour if step % 2 else space.mutate)(genome, random)
        rows.append(genome)
    return rows


names = pytest.mark.parametrize("name", [*BUILTIN, "odd"])
block_names = pytest.mark.parametrize("name", ["resnet", "mobile", "zennet-resnet", "zennet-mobile", "odd"])
resolutions = st.sampled_from([32, 224])


@names
@settings(max_examples=15)
@given(seed=st.integers(0, 2**32), resolution=resolutions)
def test_every_move_stays_in_the_space(name: str, seed: int, resolution: int) -> None:
    space = space_of(name)
    model = space.seed(resolution)
    for genome in set(walk(name, resolution, seed, 100)):
        assert space.excludes(genome, model) == ""
        assert to_spec(space.genes(genome, model), model).sublayers > 0


@names
def test_the_smallest_members_are_members(name: str) -> None:
    space = space_of(name)
    model = space.seed(32)
    for genome in space.smallest(model):
        assert to_spec(space.genes(genome, model), model).sublayers > 0
        assert space.excludes(genome, model) == ""


@block_names
@settings(max_examples=10)
@given(seed=st.integers(0, 2**32), resolution=resolutions)
def test_a_genome_becomes_a_spec_and_comes_back(name: str, seed: int, resolution: int) -> None:
    space = blocks_space(name)
    model = space.seed(resolution)
    for genome in walk(name, resolution, seed, 60):
        spec = to_spec(genome, model)
        assert genome_of(spec) == genome
        assert sum(gene.sublayers for gene in genome) == spec.sublayers
        assert space.decode([list(gene) for gene in genome]) == genome


def test_a_regnet_genome_comes_back_from_its_json_form() -> None:
    for genome in walk("regnet", 224, 0, 50):
        assert space_of("regnet").decode(list(genome)) == genome


@names
@settings(max_examples=10)
@given(seed=st.integers(0, 2**32))
def test_identity_is_that_of_the_network(name: str, seed: int) -> None:
    """Two members have the same identity if and only if their specs have the same id."""
    space = space_of(name)
    model = space.seed(32)
    rows = {genome: to_spec(space.genes(genome, model), model).id for genome in walk(name, 32, seed, 80)}
    assert len({space.identity(genome) for genome in rows}) == len(set(rows.values()))
    pairs = {(space.identity(genome), id_) for genome, id_ in rows.items()}
    assert len(pairs) == len(set(rows.values()))


def test_expansions_that_round_to_one_width_are_one_network() -> None:
    space = parse_space({**ODD, "depth": {"min": 1}, "width": {"min": 1, "max": 100, "step": 1}})
    assert isinstance(space, BlockSpace)
    genome = genome_of(space.seeds[0])
    thin = genome[2]._replace(width=1, mid=1)
    one, three = ((*genome[:2], thin._replace(expansion=e), *genome[3:]) for e in (1, 3))
    assert one != three
    assert to_spec(one, space.seeds[0]).id == to_spec(three, space.seeds[0]).id
    assert space.identity(one) == space.identity(three)


@names
def test_the_same_generator_makes_the_same_walk(name: str) -> None:
    assert walk(name, 32, 7, 40) == walk(name, 32, 7, 40)
    assert walk(name, 32, 7, 40) != walk(name, 32, 8, 40)


@block_names
def test_every_block_can_change_and_only_fixed_ones_cannot(name: str) -> None:
    space, random = blocks_space(name), Random(0)
    genome = genome_of(space.seed(32))
    changed: Counter[int] = Counter()
    for _ in range(4000):
        other = space.mutate(genome, random)
        if len(other) == len(genome):
            changed.update(index for index, (a, b) in enumerate(zip(genome, other, strict=True)) if a != b)
    fixed = {index for index, span in ((0, space.stem_width), (len(genome) - 1, space.head_width)) if span is None}
    assert set(changed) == set(range(len(genome))) - fixed


def test_blocks_kinds_and_values_are_drawn_evenly() -> None:
    space, random = blocks_space("zennet-mobile"), Random(1)
    genome = genome_of(space.seed(32))
    index = 2
    draws = 60_000
    counts: Counter[tuple[str, Any]] = Counter()
    for _ in range(draws):
        other = space.mutate(genome, random)
        if len(other) != len(genome) or other[index] == genome[index]:
            continue
        before, after = genome[index], other[index]
        field = next(
            f for f in ("kernel", "expansion", "depth", "width", "mid") if getattr(before, f) != getattr(after, f)
        )
        counts[field, getattr(after, field)] += 1
    movable = len(genome) - 1  # the head is fixed
    kinds = 7  # width, depth, drop, cut, kernel, mid width, expansion
    share = draws / movable / kinds
    for kernel in (5, 7):
        assert counts["kernel", kernel] == pytest.approx(share / 2, rel=0.15)
    for expansion in (2, 4, 6):
        assert counts["expansion", expansion] == pytest.approx(share / 3, rel=0.15)
    moves = space.width.moves(genome[index].width)
    for width in moves:
        assert counts["width", width] == pytest.approx(share / len(moves), rel=0.3)


def test_widths_go_as_far_as_the_space_says() -> None:
    """No hidden limit: a walk that always takes the wider one ends at the space's bound."""
    space, random = blocks_space("zennet-resnet"), Random(0)
    genome: Genome = genome_of(space.seed(32))
    for _ in range(3000):
        other = space.mutate(genome, random)
        genome = max(genome, other, key=lambda member: max(gene.width for gene in member[1:-1]))
    assert max(gene.width for gene in genome[1:-1]) == space.width.max == 8192


def test_a_deep_block_splits() -> None:
    space, random = blocks_space("zennet-resnet"), Random(0)
    genome = genome_of(space.seed(32))
    for _ in range(3000):
        genome = space.mutate(genome, random)
        assert all(gene.sublayers < 6 for gene in genome[1:-1]) or len(genome) == space.max_blocks


def test_blocks_are_not_split_below_the_least_depth() -> None:
    space = blocks_space("odd")
    random = Random(3)
    genome = space.start(space.seed(32))
    for _ in range(2000):
        genome = space.mutate(genome, random)
        assert all(gene.sublayers >= 2 for gene in genome[1:-1])


@pytest.mark.parametrize("name", BUILTIN)
def test_built_in_spaces_load_and_their_documents_read_back(name: str) -> None:
    space = load_space(name)
    assert space.name == name
    assert space.to_dict()["summary"]
    assert parse_space(space.to_dict()) == space
    for resolution in (32, 224):
        assert space.seed(resolution).cost.params > 0


def test_the_seed_follows_the_resolution() -> None:
    space = blocks_space("zennet-mobile")
    assert [space.seed(side).resolution for side in (16, 32, 64, 112, 224, 448)] == [32, 32, 32, 224, 224, 224]


def spoiled(**changes: Any) -> dict[str, Any]:
    return {key: value for key, value in {**ODD, **changes}.items() if value is not None}


BAD = [
    (spoiled(widht={"min": 8, "max": 16}), ["widht"]),
    (spoiled(kind="tree"), ["kind", "tree"]),
    (spoiled(kind=None), ["kind"]),
    (spoiled(schema="zen-space/2"), ["zen-space/2", "zen-space/1"]),
    (spoiled(width={"min": 100, "max": 8, "step": 4}), ["width", "above max"]),
    (spoiled(width={"min": 9, "max": 100, "step": 4}), ["width", "step", "divide"]),
    (spoiled(width={"max": 0}), ["width.max"]),
    (spoiled(depth={"min": 9, "max": 3}), ["depth", "above max"]),
    (spoiled(kernels=[3, 4]), ["kernels", "4 is even"]),
    (spoiled(kernels=[]), ["kernels"]),
    (spoiled(kernels=["3"]), ["kernels"]),
    (spoiled(ops=["basic", "transformer"]), ["ops"]),
    (spoiled(expansions=[]), ["expansions"]),
    (spoiled(group_widths=[64]), ["group_widths", "64"]),
    (spoiled(seeds=[]), ["seeds"]),
    (spoiled(kernels=[7]), ["seeds[0]", "outside its own space", "kernel"]),
    (spoiled(width={"min": 40, "max": 100, "step": 4}), ["seeds[0]", "outside", "blocks[1].width"]),
    (spoiled(depth={"min": 3, "max": 7}), ["seeds[0]", "blocks[1]", "depth"]),
    (spoiled(max_blocks=4), ["seeds[0]", "max_blocks"]),
    (spoiled(seeds=[{**SEED, "blocks": SEED["blocks"][1:]}]), ["seeds[0]", "stem"]),  # type: ignore[index]
    ({"kind": "regnet", "name": "r", "kernel": 4}, ["kernel", "even"]),
    ({"kind": "regnet", "name": "r", "depth": {"min": 2, "max": 3}}, ["depth", "4 stages"]),
    ({"kind": "regnet", "name": "r", "slope": {"min": 5, "max": 3}}, ["slope", "above max"]),
    ({"kind": "regnet", "name": "r", "factor": {"min": 100, "max": 100}}, ["factor.min", "at least 101"]),
    ({"kind": "regnet", "name": "r", "slope": {"min": 1, "max": 1_000_000}}, ["slope.max", "at most 100000"]),
    ({"kind": "regnet", "name": "r", "depth": {"min": 4, "max": 1001}}, ["depth.max", "at most 1000"]),
    ({"kind": "regnet", "name": "r", "stages": 8, "slope": {"min": 1, "max": 2}}, ["stages", "no member of 8 stages"]),
    ({"kind": "regnet", "name": "r", "initial_width": {"min": 1, "max": 2, "step": 1}}, ["stages", "no member"]),
    ({"kind": "regnet", "name": "r", "stages": 8, "initial_width": {"min": 8192, "max": 8192}}, ["no member"]),
    ({"kind": "regnet", "name": "r", "ratios": [1, 2, 1]}, ["ratios", "1 is given twice"]),
    ({"kind": "regnet", "name": "a\x1b[2J\nb"}, ["name", "control character"]),
    ({"kind": "regnet", "name": "r", "summary": "a\u202eb"}, ["summary", "control character"]),
    (spoiled(name="a\u2028b"), ["name", "control character"]),
    (spoiled(depth={"min": 2, "max": 7, "steps": []}), ["depth.steps", "is empty"]),
    (spoiled(ops=["basic"] * 1_000_000), ["ops", "holds 1000000 items; use at most 1000"]),
    (spoiled(ops=["basic", "mbconv", "basic"]), ["ops", '"basic" is given twice; give it once']),
    (spoiled(kernels=[3, 5, 3]), ["kernels", "3 is given twice"]),
    (spoiled(**{f"key{i}": 0 for i in range(100)}), ["keys; use at most 100"]),
    ([ODD], ["JSON object"]),
    ("resnet", ["JSON object"]),
]


@pytest.mark.parametrize(("document", "words"), BAD, ids=[" ".join(words) for _, words in BAD])
def test_what_is_wrong_with_a_space_is_said_in_one_line(document: object, words: list[str]) -> None:
    with pytest.raises(SpecError) as caught:
        parse_space(document, "my.json")
    message = str(caught.value)
    assert message.startswith("my.json: ")
    assert "\n" not in message
    assert len(message) < 300
    for word in words:
        assert word in message


REGNET: dict[str, Any] = {"schema": "zen-space/1", "kind": "regnet", "name": "r"}


@st.composite
def regnets(draw: st.DrawFn) -> dict[str, Any]:
    """Documents of RegNet spaces, most of them sound."""

    def span(least: int, most: int) -> dict[str, int]:
        low = draw(st.integers(least, most))
        return {"min": low, "max": draw(st.integers(low, most)), "reach": draw(st.integers(1, 50))}

    return {
        **REGNET,
        "stages": draw(st.integers(1, 8)),
        "slope": span(1, draw(st.sampled_from([300, 3000, 100_000]))),
        "factor": span(101, draw(st.sampled_from([150, 300, 10_000]))),
        "depth": span(8, draw(st.sampled_from([16, 64, 1000]))),
        "initial_width": {"min": 8 * draw(st.integers(1, 30)), "max": 8 * draw(st.sampled_from([30, 200, 8192]))},
        "group_widths": draw(st.lists(st.sampled_from([0, 8, 24, 4096]), min_size=1, max_size=3, unique=True)),
        "ratios": draw(st.lists(st.integers(1, 16), min_size=1, max_size=3, unique=True)),
    }


@settings(max_examples=20)
@given(regnets(), st.integers(0, 2**32))
def test_a_regnet_space_is_refused_or_has_members_that_moves_do_not_leave(document: dict[str, Any], seed: int) -> None:
    try:
        space = parse_space(document)
    except SpecError as error:
        assert "no member of" in str(error)
        return
    model, random = space.seed(16_384), Random(seed)
    genome = space.start(model)
    for step in range(30):
        assert space.excludes(genome, model) == ""
        spec = to_spec(space.genes(genome, model), model)
        assert [block.op for block in spec.blocks] == ["conv", *["bottleneck"] * document["stages"]]
        genome = (space.neighbour if step % 2 else space.mutate)(genome, random)
    assert all(space.excludes(member, model) == "" for member in space.smallest(model))


@settings(max_examples=200)
@given(
    st.builds(
        RegNetGenome,
        st.integers(8, 65_536),
        st.integers(1, 100_000),
        st.integers(101, 10_000),
        st.integers(1, 200),
        st.just(0),
        st.just(1),
    )
)
def test_stages_are_the_runs_of_the_equations_unit_by_unit(genome: RegNetGenome) -> None:
    start, slope, factor = genome.initial_width, genome.slope * 0.1, genome.factor * 0.01
    rows: list[tuple[int, int]] = []
    for unit in range(genome.depth):
        power = round(math.log((start + slope * unit) / start) / math.log(factor))
        width = round(start * factor**power / 8) * 8
        rows = [*rows[:-1], (width, rows[-1][1] + 1)] if rows and rows[-1][0] == width else [*rows, (width, 1)]
    assert stages_of(genome) == tuple(rows)


@settings(max_examples=20)
@given(st.integers(1, 5), st.integers(1, 60), st.integers(101, 400), st.integers(1, 12))
def test_the_first_member_of_a_regnet_space_is_that_of_least_depth_and_slope(
    stages: int, slope: int, factor: int, depth: int
) -> None:
    spans = {"slope": (slope, slope + 60), "factor": (factor, factor + 20), "depth": (depth, depth + 12)}
    every = (
        RegNetGenome(8, *numbers, 8, 1)
        for numbers in sorted(
            itertools.product(range(slope, slope + 61), (factor, factor + 20), range(depth, depth + 13)),
            key=lambda row: (row[2], row[0], row[1]),
        )
    )
    expected = next((genome for genome in every if len(stages_of(genome)) == stages), None)
    fields = {name: {"min": low, "max": high} for name, (low, high) in spans.items()}
    document = {**REGNET, "stages": stages, "initial_width": {"min": 8, "max": 8}, **fields}
    try:
        space = parse_space(document)
    except SpecError:
        assert expected is None or depth + 12 < stages
        return
    assert space.start(space.seed(224)) == expected


def test_a_regnet_space_says_which_images_are_too_small() -> None:
    space = parse_space({**REGNET, "small_image": 8})
    for resolution, least in ((4, 5), (9, 17)):
        with pytest.raises(SpecError, match=rf"resolution: {resolution} is too small .* use at least {least}"):
            space.seed(resolution)
        model = space.seed(least if least <= 8 else 17)
        assert to_spec(space.genes(space.start(model), model), model).chain


def test_no_move_leads_to_more_units_than_a_spec_holds() -> None:
    deep = {**ODD, "depth": {"min": 2, "max": 500}, "split_at": None, "max_blocks": 60}
    space, random = parse_space(deep), Random(0)
    model = space.seed(32)
    blocks = genome_of(model)
    genome: Genome = (blocks[0], *[blocks[1]._replace(depth=500)], *[blocks[2]._replace(depth=500, stride=2)])
    genome = (*genome, *[blocks[3]._replace(depth=499)] * 18, blocks[-1])
    before = sum(gene.depth for gene in genome)
    for _ in range(3000):
        other = space.neighbour(genome, random)
        genome = max(genome, other, key=lambda member: sum(gene.depth for gene in member))
    assert before < sum(gene.depth for gene in genome) <= MAX_UNITS
    assert space.excludes(genome, model) == ""
    assert to_spec(genome, model).sublayers > 0


def test_files_that_are_no_spaces(tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text('{"kind": "blocks",')
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "large.json").write_bytes(b" " * (8 * 2**20 + 1))
    (tmp_path / "space.json").write_bytes(b"---\nkind: blocks\n")
    for name in ("broken.json", "folder.json", "missing.json", "large.json", "space.json", "a\0.json"):
        with pytest.raises(SourceError, match=name.replace("\0", r"\?")):
            load_space(str(tmp_path / name))
    for text, kind in (("kind: blocks\nname: a\n", "YAML"), ("{'kind': 'blocks'}", "Python"), ("\x89PNG", "an image")):
        (tmp_path / "space.json").write_bytes(text.encode("latin-1"))
        with pytest.raises(SourceError, match=f"space.json: is {kind}"):
            load_space(str(tmp_path / "space.json"))
    with pytest.raises(UsageError, match="did you mean"):
        load_space("resnte")
    (tmp_path / "good.json").write_bytes(b"\xef\xbb\xbf" + json.dumps(space_of("odd").to_dict()).encode())
    assert load_space(str(tmp_path / "good.json")) == space_of("odd")


def test_a_network_outside_is_told_why() -> None:
    space = blocks_space("zennet-resnet")
    rows = space.seed(32).to_dict()
    for change, reason in (
        ({"kernel": 9}, "kernel"),
        ({"width": 20}, "width"),
        ({"mid_width": 4000}, "mid_width"),
        ({"stride": 2}, "strides"),
    ):
        blocks = [dict(block) for block in rows["blocks"]]
        blocks[1] |= change
        spec = parse_spec({**rows, "blocks": blocks})
        assert reason in space.excludes(genome_of(spec), space.seed(32))
