"""Laws that hold for every op of the table, whatever it is; a new op is tested by being in the table."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from strategies import blocks, specs

from zen_cli.errors import SpecError
from zen_cli.formats.plainnet import parse_plainnet, to_plainnet
from zen_cli.net.counting import layer_cost, projection_cost, se_cost, unit_cost
from zen_cli.net.module import build_block
from zen_cli.net.notation import notation
from zen_cli.net.ops import OPS, Unit, block_units, repeated_units
from zen_cli.net.spec import ArchSpec, parse_spec


def block_of(row: dict[str, Any]) -> Any:
    return parse_spec({"resolution": 32, "blocks": [row]}).blocks[0]


@pytest.mark.parametrize("op", OPS)
def test_an_op_says_all_that_is_asked_of_it(op: str) -> None:
    kind = OPS[op]
    assert kind.name() == op
    for word in (kind.letter, kind.title, kind.color, kind.chart_style, kind.hashed_as):
        assert word
    assert kind.hashed_as in OPS
    assert len({other.letter for other in OPS.values()}) == len(OPS)
    assert (kind.structure is None) == (kind.structure_example == "")


@given(blocks())
def test_a_gene_is_its_block(row: dict[str, Any]) -> None:
    block = block_of(row)
    again = block_of(block.gene.to_block())
    assert again.gene == block.gene
    assert block_units(again.gene, 7) == block_units(block.gene, 7)
    assert block.gene.with_sublayers(3).sublayers == 3


@given(blocks())
def test_units_are_those_that_the_op_gives_one_by_one(row: dict[str, Any]) -> None:
    gene, in_width = block_of(row).gene, 5
    units = block_units(gene, in_width)
    assert len(units) == gene.depth
    for index, unit in enumerate(units):
        assert (unit.mid_width, unit.width, unit.groups) == gene.kind.unit_widths(gene, index)
        assert (unit.in_width, unit.stride) == (in_width, gene.stride if index == 0 else 1)
        assert unit.projection == (gene.kind.is_residual and (index == 0 or in_width != unit.width))
        in_width = unit.width
    repeated = Counter[Unit]()
    for unit, times in repeated_units(gene, 5):
        repeated[unit] += times
    assert +repeated == Counter(units)


@given(blocks())
@settings(max_examples=30)
def test_the_module_of_a_block_is_what_its_layers_say(row: dict[str, Any]) -> None:
    block, side = block_of(row), 12
    with torch.device("meta"):
        module, x = build_block(block.gene, 6), torch.empty(2, 6, side, side)
    for unit, part in zip(block_units(block.gene, 6), module, strict=True):
        x = part(x)
        layers = unit.layers(side)
        assert layers[0].in_width == unit.in_width
        assert all(after.in_width == before.out_width for before, after in pairwise(layers))
        side = layers[-1].out_size[0]
        assert x.shape == (2, layers[-1].out_width, side, side)
        shapes = [tuple(weight.shape) for name, weight in part.named_parameters() if name.endswith("conv.weight")]
        for layer in layers:
            shapes.remove(layer.weight_shape)
        beside = sum(map(math.prod, shapes))  # the shortcut and squeeze-and-excitation
        squeeze = se_cost(unit.mid_width, unit.squeeze).params if unit.squeeze else 0
        if unit.projection:
            squeeze += projection_cost(unit, 1).params
        assert beside <= squeeze
        assert unit_cost(unit, 12).params == sum(parameter.numel() for parameter in part.parameters())
        assert unit_cost(unit, 12).layers == len(layers) == sum(layer_cost(layer).layers for layer in layers)


@given(specs(se=False))
def test_what_a_structure_string_can_express_it_reads_back(spec: ArchSpec) -> None:
    try:
        text = to_plainnet(spec)
    except SpecError as error:
        assert str(error).startswith("blocks[")
        return
    again = parse_plainnet(text, resolution=spec.resolution, num_classes=spec.num_classes)
    assert again.id == spec.id
    assert notation(again) == notation(spec)


@pytest.mark.parametrize("op", OPS)
def test_an_op_that_is_not_in_the_table_is_an_error(op: str) -> None:
    row = {"op": op + "x", "width": 8}
    with pytest.raises(SpecError, match=rf'unknown op "{op}x"; did you mean "{op}"'):
        block_of(row)
