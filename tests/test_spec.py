"""Laws of the spec: its identity, its JSON, and what it refuses."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from strategies import specs

from zen_cli import ArchSpec, parse_spec
from zen_cli.errors import SpecError
from zen_cli.net.network import Network, cost, label
from zen_cli.net.spec import json_schema

TINY: dict[str, Any] = {"resolution": 8, "num_classes": 10, "blocks": [{"op": "conv", "width": 8}]}


@given(specs())
def test_json_reads_back_as_the_same_spec(spec: ArchSpec) -> None:
    assert parse_spec(json.loads(json.dumps(spec.to_dict()))) == spec


@given(specs(), st.text(st.characters(min_codepoint=32, exclude_categories=("Cs", "Cc")), max_size=20), st.randoms())
def test_the_id_does_not_depend_on_the_name_or_the_order_of_keys(spec: ArchSpec, name: str, rng: Any) -> None:
    def shuffled(value: Any) -> Any:
        if isinstance(value, list):
            return [shuffled(item) for item in value]
        if not isinstance(value, dict):
            return value
        keys = list(value)
        rng.shuffle(keys)
        return {key: shuffled(value[key]) for key in keys}

    assert parse_spec(shuffled({**spec.to_dict(), "name": name})).id == spec.id


@given(specs())
def test_the_id_does_not_depend_on_defaults_written_out(spec: ArchSpec) -> None:
    full = spec.model_dump(by_alias=True)  # every field, unset ones as null
    assert parse_spec(full).id == spec.id


@given(specs(), st.data())
def test_the_id_depends_on_the_network(spec: ArchSpec, data: st.DataObject) -> None:
    changed = copy.deepcopy(spec.to_dict())
    block = changed["blocks"][data.draw(st.integers(0, len(changed["blocks"]) - 1))]
    match data.draw(st.sampled_from(["width", "kernel", "depth", "num_classes", "resolution"])):
        case "width":
            block["width"] += 1
        case "kernel":
            block["kernel"] += 2
        case "depth":
            block["depth"] += 2
        case key:
            changed[key] += 1
    assert parse_spec(changed).id != spec.id


def test_one_network_written_in_several_ways_has_one_id() -> None:
    def of(*blocks: dict[str, Any]) -> str:
        return parse_spec({**TINY, "blocks": [*TINY["blocks"], *blocks]}).id

    bottleneck = {"op": "bottleneck", "width": 16, "mid_width": 24}
    assert of({**bottleneck, "groups": 3}) == of({**bottleneck, "group_width": 8})
    assert of(bottleneck) == of({**bottleneck, "groups": 1}) == of({**bottleneck, "group_width": 24})
    assert of({"op": "mbconv", "width": 16, "mid_width": 24}) == of({**bottleneck, "groups": 24})
    assert of({"op": "mbconv", "width": 16, "expansion": 2}) == of({"op": "mbconv", "width": 16, "mid_width": 32})
    conv = {"op": "conv", "width": 16}
    assert of({**conv, "depth": 2}) == of(conv, conv)
    # A block starts with a projection shortcut, so two residual blocks are not one of twice the depth.
    assert of({**bottleneck, "depth": 2}) != of(bottleneck, bottleneck)


@given(specs())
def test_a_spec_is_frozen_and_hashable(spec: ArchSpec) -> None:
    assert hash(spec) == hash(parse_spec(spec.to_dict()))
    with pytest.raises(ValidationError):
        spec.resolution = 1


@given(specs())
def test_channels_and_maps_chain(spec: ArchSpec) -> None:
    width = spec.in_channels
    for unit in spec.units:
        assert unit.in_width == width
        assert unit.mid_width % unit.groups == 0
        width = unit.width
    assert width == spec.blocks[-1].width
    assert spec.sublayers == spec.cost.sublayers


def test_replace_checks_again() -> None:
    spec = parse_spec(TINY)
    assert spec.replace(resolution=16).resolution == 16
    with pytest.raises(SpecError, match="resolution: 0 is too small; use at least 1"):
        spec.replace(resolution=0)


BLOCK_FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"op": "covn", "width": 8}, 'blocks[0].op: unknown op "covn"; did you mean "conv"?'),
    ({"width": 8}, "blocks[0].op: missing; use one of basic, bottleneck, conv, mbconv"),
    ({"op": "conv", "width": 8, "kernal": 3}, 'blocks[0].kernal: unknown key; did you mean "kernel"?'),
    ({"op": "conv"}, "blocks[0].width: missing; add it"),
    ({"op": "conv", "widht": 8}, 'blocks[0].widht: unknown key; did you mean "width"? (and 1 more)'),
    ({"op": "conv", "width": "3"}, 'blocks[0].width: must be a whole number, not "3" (a string)'),
    ({"op": "conv", "width": True}, "blocks[0].width: must be a whole number, not true (a boolean)"),
    ({"op": "conv", "width": 8.5}, "blocks[0].width: must be a whole number, not 8.5"),
    ({"op": "conv", "width": None}, "blocks[0].width: must be a whole number, not null"),
    ({"op": "conv", "width": float("nan")}, "blocks[0].width: must be a whole number, not nan"),
    ({"op": "conv", "width": 0}, "blocks[0].width: 0 is too small; use at least 1"),
    ({"op": "conv", "width": -8}, "blocks[0].width: -8 is too small; use at least 1"),
    ({"op": "conv", "width": 10**12}, "blocks[0].width: 1000000000000 is too large; use at most 65536"),
    ({"op": "conv", "width": 10**30}, "blocks[0].width: "),
    ({"op": "conv", "width": 8, "kernel": 4}, "blocks[0].kernel: 4 is even; use an odd kernel"),
    ({"op": "conv", "width": 8, "depth": 0}, "blocks[0].depth: 0 is too small"),
    ({"op": "conv", "width": 8, "se": 0}, "blocks[0].se: 0 is too small; use more than 0"),
    ({"op": "conv", "width": 8, "se": float("inf")}, "blocks[0].se: must be a finite number, not inf"),
    (
        {"op": "bottleneck", "width": 8, "mid_width": 64, "groups": 7},
        "blocks[0].groups: 7 does not divide mid_width 64; use 1, 2, 4, 8, 16, 32 or 64",
    ),
    (
        {"op": "bottleneck", "width": 8, "mid_width": 60, "group_width": 7},
        "blocks[0].group_width: 7 does not divide mid_width 60; use ",
    ),
    (
        {"op": "bottleneck", "width": 8, "mid_width": 8, "group_width": 1, "groups": 1},
        "blocks[0].groups: given together with group_width; keep one of the two",
    ),
    ({"op": "mbconv", "width": 8}, "blocks[0].expansion: give either expansion or mid_width"),
    (
        {"op": "mbconv", "width": 8, "expansion": 1, "pair_width": 8, "depth": 3},
        "blocks[0].depth: 3 is odd; with pair_width units come in pairs, use an even depth",
    ),
    ("conv", "blocks[0]: must be an object"),  # type: ignore[list-item]
]


@pytest.mark.parametrize(("block", "message"), BLOCK_FAULTS, ids=lambda value: str(value)[:50])
def test_a_wrong_block_is_named_with_what_would_be_right(block: Any, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_spec({**TINY, "blocks": [block]})
    text = str(caught.value)
    assert text.startswith(message)
    assert "\n" not in text
    assert len(text) < 200


NETWORK_FAULTS: list[tuple[Any, str]] = [
    ([], "an architecture is a JSON object with blocks, not an array"),
    (None, "an architecture is a JSON object with blocks, not null"),
    ({}, "blocks: missing; add it"),
    ({"blocks": []}, "blocks: is empty; give at least 1"),
    ({"blocks": {}}, "blocks: must be an array, not an object"),
    ({"blocks": "conv"}, 'blocks: must be an array, not "conv" (a string)'),
    ({**TINY, "schema": "zen-arch/2"}, 'schema: "zen-arch/2" is not known; this version of zen reads "zen-arch/1"'),
    ({**TINY, "schema": []}, "schema: [] is not known"),
    ({**TINY, "resolutoin": 3}, 'resolutoin: unknown key; did you mean "resolution"?'),
    ({**TINY, "resolution": 10**12}, "resolution: 1000000000000 is too large; use at most 16384"),
    (
        {**TINY, "resolution": {}},
        "resolution: must be a whole number (side of the input image, or [height, width]), not an object",
    ),
    ({**TINY, "resolution": [432]}, "resolution[1]: missing; add it"),
    ({**TINY, "resolution": [432, 0]}, "resolution[1]: 0 is too small; use at least 1"),
    ({**TINY, "conv": 3}, "conv: unknown key; known: "),
    ({**TINY, "x" * 10**6: 3}, "x" * 37 + "...: unknown key"),
    ({**TINY, "blocks": [0] * 10**6}, "blocks: holds 1000000 items; use at most 1000"),
    ({**TINY, "blocks": [{**TINY["blocks"][0], "x": [0] * 10**6}]}, "blocks[0].x: holds 1000000 items"),
    ({**TINY, **{f"key{index}": 0 for index in range(200)}}, "holds 203 keys; use at most 100"),
    ({**TINY, "x": [[[0] * 900] * 900] * 2}, "holds more than 100000 values"),
    ({**TINY, "name": 3}, "name: must be a string, not 3"),
    ({**TINY, "name": "a\nb"}, "name: holds a control character; use printable text"),
    ({**TINY, "blocks": [{"op": "conv", "width": 8, "depth": 1000}] * 11}, "blocks: 11000 units in all, more than"),
    (
        {**TINY, "resolution": 2, "blocks": [{"op": "conv", "width": 8, "stride": 2}] * 2},
        "blocks[1].stride: 2 on a 1 x 1 map shrinks it to nothing; use stride 1 here or a resolution above 2",
    ),
]


@pytest.mark.parametrize(("data", "message"), NETWORK_FAULTS, ids=lambda value: str(value)[:50])
def test_a_wrong_network_is_named_with_what_would_be_right(data: Any, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_spec(data, "nets.json:1")
    assert str(caught.value).startswith("nets.json:1: " + message)
    assert len(str(caught.value)) < 230


def test_further_faults_are_counted() -> None:
    with pytest.raises(SpecError, match=r"\(and 1 more\)"):
        parse_spec({**TINY, "resolution": 0, "num_classes": -1})


def test_the_schema_names_every_key_that_the_model_has() -> None:
    schema = json_schema()
    keys = {"schema", "name", "resolution", "in_channels", "num_classes", "blocks"}
    ends = {"head", "head_activation", "head_bias", "head_parts", "head_pool"}
    assert set(schema["properties"]) == keys | {"activation", "bn_eps", "padding"} | ends
    ops = {name: set(part["properties"]) for name, part in schema["$defs"].items()}
    assert ops["BottleneckBlock"] >= {"op", "kernel", "width", "stride", "depth", "se", "mid_width", "groups"}
    assert all(part["additionalProperties"] is False for part in schema["$defs"].values())


@given(specs())
def test_a_spec_is_a_network(spec: ArchSpec) -> None:
    network: Network = spec
    assert network.spec is spec and network.module is None and network.source is None
    assert network.cost == cost(spec)
    assert network.cost.layers == len(network.chain)
    assert label(spec.replace(name="mine")) == "mine" and label(spec.replace(name=None)) == spec.id


def test_a_deep_network_is_made_of_few_layer_objects() -> None:
    deep = {"op": "mbconv", "width": 16, "expansion": 2, "pair_width": 8, "depth": 1000, "stride": 2}
    spec = parse_spec({"resolution": 8, "blocks": [deep]})
    assert len(spec.chain) == 3000
    assert len(set(map(id, spec.chain))) <= 12 and len(set(map(id, spec.units))) <= 4


def test_images_need_not_be_square() -> None:
    """What depends on the size alone is that of a square of the same area; of both sides the order matters."""
    square, wide = parse_spec({**TINY, "resolution": 12}), parse_spec({**TINY, "resolution": [8, 18]})
    assert wide.cost == square.cost
    assert wide.image_size == wide.chain[0].in_size == (8, 18)
    assert parse_spec({**TINY, "resolution": [12, 12]}).id == square.id
    assert len({square.id, wide.id, parse_spec({**TINY, "resolution": [18, 8]}).id}) == 3
    again = parse_spec(json.loads(json.dumps(wide.to_dict())))
    assert (again, again.id) == (wide, wide.id)
    with pytest.raises(SpecError, match="resolution: a search takes square images, not 8 x 18"):
        _ = wide.side
