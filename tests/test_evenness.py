"""Evenness: blocks and chains agree, its bound holds, and published networks have the published parts.

The table of published networks counts a pooling as a depthwise convolution and a unit, and a head as a unit; so do the
expectations of its last column here, and its activations contain the pooled map.
"""

from __future__ import annotations

import csv
import math
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from strategies import specs

from zen_cli import ArchSpec, parse_spec
from zen_cli.errors import ScoreError
from zen_cli.metrics import find
from zen_cli.metrics.evenness import (
    Evenness,
    best_units,
    block_sums,
    chain_evenness,
    depth_term,
    network_evenness,
    upper_bound,
)
from zen_cli.metrics.settings import ScoreSettings
from zen_cli.net.chain import chain_of
from zen_cli.net.layers import Chain, shrink, square_conv
from zen_cli.net.ops import Gene, block_units, walk

FACTS = os.environ.get("ZEN_FACTS")  # a folder with tables of published networks

REGNETS = {  # units, widths, channels in a group: arXiv 2003.13678
    "RegNetX-200MF": ((1, 1, 4, 7), (24, 56, 152, 368), 8),
    "RegNetY-200MF": ((1, 1, 4, 7), (24, 56, 152, 368), 8),
    "RegNetX-400MF": ((1, 2, 7, 12), (32, 64, 160, 384), 16),
    "RegNetY-400MF": ((1, 3, 6, 6), (48, 104, 208, 440), 8),
    "RegNetX-600MF": ((1, 3, 5, 7), (48, 96, 240, 528), 24),
    "RegNetY-600MF": ((1, 3, 7, 4), (48, 112, 256, 608), 16),
    "RegNetY-800MF": ((1, 3, 8, 2), (64, 128, 320, 768), 16),
    "RegNetX-800MF": ((1, 3, 7, 5), (64, 128, 288, 672), 16),
    "RegNetX-1.6GF": ((2, 4, 10, 2), (72, 168, 408, 912), 24),
    "RegNetY-1.6GF": ((2, 6, 17, 2), (48, 120, 336, 888), 24),
    "RegNetY-3.2GF": ((2, 5, 13, 1), (72, 216, 576, 1512), 24),
    "RegNetX-3.2GF": ((2, 6, 15, 2), (96, 192, 432, 1008), 48),
    "RegNetX-4.0GF": ((2, 5, 14, 2), (80, 240, 560, 1360), 40),
    "RegNetY-4.0GF": ((2, 6, 12, 2), (128, 192, 512, 1088), 64),
    "RegNetY-6.4GF": ((2, 7, 14, 2), (144, 288, 576, 1296), 72),
    "RegNetX-6.4GF": ((2, 4, 10, 1), (168, 392, 784, 1624), 56),
    "RegNetY-8.0GF": ((2, 4, 10, 1), (168, 448, 896, 2016), 56),
    "RegNetX-8.0GF": ((2, 5, 15, 1), (80, 240, 720, 1920), 120),
    "RegNetX-12GF": ((2, 5, 11, 1), (224, 448, 896, 2240), 112),
    "RegNetY-12GF": ((2, 5, 11, 1), (224, 448, 896, 2240), 112),
    "RegNetY-16GF": ((2, 4, 11, 1), (224, 448, 1232, 3024), 112),
    "RegNetX-16GF": ((2, 6, 13, 1), (256, 512, 896, 2048), 128),
    "RegNetX-32GF": ((2, 7, 13, 1), (336, 672, 1344, 2520), 168),
    "RegNetY-32GF": ((2, 5, 12, 1), (232, 696, 1392, 3712), 232),
}
RESNETS = {  # units, base width of the middle convolution, its groups: arXiv 1512.03385, 1611.05431
    "ResNet-50": ((3, 4, 6, 3), 64, 1),
    "ResNet-101": ((3, 4, 23, 3), 64, 1),
    "ResNet-152": ((3, 8, 36, 3), 64, 1),
    "ResNeXt-50": ((3, 4, 6, 3), 128, 32),
    "ResNeXt-101": ((3, 4, 23, 3), 128, 32),
    "ResNeXt-152": ((3, 8, 36, 3), 128, 32),
}
EFFICIENT = {  # width and depth multipliers: arXiv 1905.11946
    "EfficientNet-B0": (1.0, 1.0),
    "EfficientNet-B1": (1.0, 1.1),
    "EfficientNet-B2": (1.1, 1.2),
    "EfficientNet-B3": (1.2, 1.4),
    "EfficientNet-B4": (1.4, 1.8),
    "EfficientNet-B5": (1.6, 2.2),
}
B0 = ((1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3), (6, 5, 2, 192, 4))
B0_STAGES = (*B0, (6, 3, 1, 320, 1))  # expansion, kernel, stride, width, units

# activations, units, s_eff, rho, shares from side 112 to 7, deficit: a few rows of the table of published networks
PARTS = {
    "RegNetX-200MF": (1996064, 13, 24.2, 0.65, (0.107, 0.060, 0.064, 0.269, 0.500), 0.015),
    "RegNetX-800MF": (4757312, 16, 20.3, 0.77, (0.047, 0.088, 0.177, 0.398, 0.290), 0.015),
    "RegNetY-4.0GF": (11568704, 22, 14.5, 0.83, (0.016, 0.178, 0.235, 0.510, 0.061), 0.031),
    "RegNetX-32GF": (34333712, 23, 12.7, 0.87, (0.005, 0.159, 0.349, 0.471, 0.016), 0.027),
    "ResNet-50": (9809408, 16, 16.7, 0.72, (0.032, 0.193, 0.248, 0.365, 0.162), 0.229),
    "ResNeXt-101": (19919872, 33, 16.1, 1.02, (0.016, 0.104, 0.129, 0.678, 0.073), 0.122),
    "EfficientNet-B0": (6737696, 16, 20.9, 1.54, (0.105, 0.121, 0.090, 0.356, 0.328), 0.048),
}


def regnet(name: str, resolution: int = 224) -> Evenness:
    depths, widths, group = REGNETS[name]
    genes = [Gene("conv", 3, 32, 2, 1)]
    for depth, width in zip(depths, widths, strict=True):
        genes.append(Gene("bottleneck", 3, width, 2, depth, width, group_width=0 if group >= width else group))
    return network_evenness(genes, 3, resolution)


def resnet(name: str, resolution: int = 224) -> Evenness:
    """The chain has a pooling after the stem, so it is put together here."""
    depths, base, groups = RESNETS[name]
    chain: Chain = (square_conv(3, 64, 7, resolution, 2),)
    units, width, side = [], 64, resolution // 4
    for index, depth in enumerate(depths):
        mid = base * 2**index
        gene = Gene("bottleneck", 3, 256 * 2**index, 1 if index == 0 else 2, depth, mid)
        gene = gene._replace(group_width=mid // groups if groups > 1 else 0)
        layers = chain_of([gene], width, side)
        units += [range(len(chain) + 3 * unit, len(chain) + 3 * unit + 3) for unit in range(depth)]
        chain, width, side = chain + layers, gene.width, shrink(side, gene.stride)
    return chain_evenness(chain, units, len(units))


def efficientnet(name: str, resolution: int) -> Evenness:
    """Units of expansion 1 have no first 1x1 convolution, so the chain is put together here."""
    wider, deeper = EFFICIENT[name]

    def rounded(width: float) -> int:
        near = max(8, int(width + 4) // 8 * 8)
        return near + 8 if near < 0.9 * width else near

    width, side = rounded(32 * wider), shrink(resolution, 2)
    chain = [square_conv(3, width, 3, resolution, 2)]
    units = []
    for expansion, kernel, stride, base, count in B0_STAGES:
        for index in range(math.ceil(count * deeper)):
            begin, step = len(chain), stride if index == 0 else 1
            inside = width * expansion
            if expansion > 1:
                chain.append(square_conv(width, inside, 1, side))
            chain.append(square_conv(inside, inside, kernel, side, step, inside))
            side, width = shrink(side, step), rounded(base * wider)
            chain.append(square_conv(inside, width, 1, side))
            units.append(range(begin, len(chain)))
    chain.append(square_conv(width, rounded(1280 * wider), 1, side))
    return chain_evenness(tuple(chain), units, len(units))


def published(name: str, resolution: int) -> Evenness:
    return as_tabulated(name, counted(name, resolution))


def counted(name: str, resolution: int) -> Evenness:
    if name in REGNETS:
        return regnet(name, resolution)
    return resnet(name, resolution) if name in RESNETS else efficientnet(name, resolution)


def with_unit(found: Evenness, macs: int) -> Evenness:
    """The parts with one more unit of these MACs."""
    count, total = found.units, found.unit_macs + macs
    log_macs = (found.unit_term - math.log(count)) * count + math.log(macs)
    return found._replace(unit_term=math.log(count + 1) + log_macs / (count + 1), unit_macs=total)


def as_tabulated(name: str, found: Evenness) -> Evenness:
    if name in RESNETS:
        pooled = 64 * (found.resolution // 4) ** 2
        return with_unit(found, 9 * pooled)._replace(activations=found.activations + pooled)
    if name in EFFICIENT:
        return with_unit(found, found.macs - found.unit_macs - stem_macs(name, found.resolution))
    return found


def stem_macs(name: str, resolution: int) -> int:
    width = 8 * round(32 * EFFICIENT[name][0] / 8)
    return 27 * width * shrink(resolution, 2) ** 2


def check(found: Evenness, activations: int, units: int, row: tuple[float, ...], deficit: float) -> None:
    assert (found.activations, found.units) == (activations, units)
    values = (found.effective_side, found.map_ratio, *(share for _, share in found.shares))
    for value, expected, digits in zip(values, row, (1, 2, 3, 3, 3, 3, 3), strict=True):
        assert value == pytest.approx(expected, abs=0.53 * 10**-digits)
    assert found.unit_deficit == pytest.approx(deficit, abs=0.00051)


@pytest.mark.parametrize("name", PARTS)
def test_published_networks_have_the_published_parts(name: str) -> None:
    activations, units, side, ratio, shares, deficit = PARTS[name]
    check(published(name, 224), activations, units, (side, ratio, *shares), deficit)


@pytest.mark.skipif(not FACTS, reason="ZEN_FACTS does not name a folder with shapes_published.csv")
def test_all_published_networks_have_the_parts_of_the_table() -> None:
    with (Path(FACTS or "") / "shapes_published.csv").open(encoding="utf-8", newline="") as file:
        rows: list[dict[str, Any]] = list(csv.DictReader(file))
    assert {row["net"] for row in rows} == {*REGNETS, *RESNETS, *EFFICIENT}
    for row in rows:
        found = published(row["net"], int(row["resolution"]))
        shares = [float(row[key]) for key in row if key.startswith("share_")]
        numbers = (float(row["s_eff"]), float(row["rho"]), *shares)
        check(found, int(row["chain_acts"]), int(row["units"]), numbers, float(row["unit_macs_deficit_nats"]))


def evenness_of(spec: ArchSpec) -> Evenness:
    return network_evenness(spec.genes, spec.in_channels, spec.resolution)


def unit_ranges(spec: ArchSpec) -> tuple[list[range], int]:
    """The layers of each unit, counted without the cached sums, and how many units are residual."""
    units, residual, begin = [], 0, 0
    for index, (gene, width, side) in enumerate(walk(spec.genes, spec.in_channels, spec.resolution)):
        for place, unit in enumerate(block_units(gene, width)):
            end = begin + len(unit.layers(side))
            is_conv = gene.op == "conv"
            if not is_conv or (gene.kernel > 1 and (index, place) != (0, 0)):
                units.append(range(begin, end))
                residual += not is_conv
            begin = end
    return units, residual


@given(specs(max_blocks=5))
def test_blocks_and_chain_agree(spec: ArchSpec) -> None:
    units, residual = unit_ranges(spec)
    if not units:
        with pytest.raises(ScoreError, match="evenness needs a unit"):
            evenness_of(spec)
        return
    found, expected = evenness_of(spec), chain_evenness(spec.chain, units, residual)
    assert found.value == pytest.approx(expected.value, abs=1e-9)
    assert found._replace(unit_term=0, level_term=0) == expected._replace(unit_term=0, level_term=0)
    assert found.value == pytest.approx(find("even").evaluate(spec, ScoreSettings()).value)


@given(specs(max_blocks=5, ops=("basic", "bottleneck", "mbconv")))
def test_nothing_exceeds_the_free_bound(spec: ArchSpec) -> None:
    found = evenness_of(spec)
    assert found.value <= found.bound + 1e-9
    assert found.bound <= upper_bound(2 * found.macs, len(found.level_macs))
    assert sum(share for _, share in found.shares) == pytest.approx(1)
    assert found.unit_deficit >= -1e-9


def test_equal_units_at_one_resolution_meet_the_bound_but_for_stem_and_depth() -> None:
    genes = [Gene("conv", 3, 16, 1, 1), *[Gene("basic", 3, 16, 1, 1, 16)] * 4]
    found = network_evenness(genes, 3, 32)
    unit = 2 * 16 * 16 * 9 * 32 * 32
    assert found.unit_term == pytest.approx(math.log(4 * unit))
    assert found.level_term == pytest.approx(math.log(4 * unit + 3 * 16 * 9 * 32 * 32))
    assert found.depth_term == 0  # below 40M MACs fewer units than N* cost nothing


def test_the_depth_term_counts_both_ways_above_40m_macs_and_one_way_below() -> None:
    assert best_units(200e6) == best_units(4e9) == 18
    assert best_units(200e6 / 16) == pytest.approx(9)
    assert depth_term(9, 200e6) == pytest.approx(math.log(2) ** 2)
    assert depth_term(36, 200e6) == pytest.approx(math.log(2) ** 2)
    assert depth_term(3, 39e6) == 0 < depth_term(3, 41e6)
    assert depth_term(0, 200e6) == 0


def test_a_block_cut_in_two_changes_no_sum() -> None:
    whole = block_sums(Gene("mbconv", 3, 24, 1, 4, 24, 4), 24, 14, False)
    parts = [block_sums(Gene("mbconv", 3, 24, 1, 2, 24, 4), 24, 14, False)] * 2
    added = [sum(values) for values in zip(*parts, strict=True)]
    assert list(whole[:-1]) == pytest.approx(added[:-1])


def test_a_record_holds_the_parts() -> None:
    spec = parse_spec(
        {
            "resolution": 32,
            "blocks": [
                {"op": "conv", "width": 16},
                {"op": "mbconv", "width": 16, "expansion": 4, "depth": 2, "stride": 2},
                {"op": "conv", "kernel": 1, "width": 64},
            ],
        }
    )
    metric = find("even")
    row = metric.row(metric.evaluate(spec, ScoreSettings())).model_dump()
    assert row["units"] == row["residual_units"] == 2
    assert row["share_32"] + row["share_16"] == pytest.approx(1, abs=1e-3)
    assert row["bound"] >= row["value"]
