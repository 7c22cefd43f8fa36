"""The parts of the exact search that know widths, depths and prices, each by its own law."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from exact_tools import admits, measure, members, tiny_space
from hypothesis import given, settings
from hypothesis import strategies as st

from zen_cli.metrics.block_terms import block_terms
from zen_cli.nas.algorithms.exact.gains import Rates
from zen_cli.nas.algorithms.exact.graph import Cells, cover, make_gene, points, singles
from zen_cli.nas.algorithms.exact.prices import Descent, Plane
from zen_cli.nas.algorithms.exact.problem import Grid, Stage, Variant, make_variants, read_problem
from zen_cli.nas.algorithms.exact.tables import SubLayer, sublayer_tables
from zen_cli.nas.limits import Limits
from zen_cli.nas.space import WidthRange
from zen_cli.net.ops import OPS

WIDTHS = st.integers(1, 40).map(lambda steps: 8 * steps)
GROUPED = tiny_space("bottleneck", group_widths=[0, 8, 12], mid_width={"min": 8, "max": 80}, kernels=[1, 3, 7])
PAIRS = tiny_space("mbconv", expansions=[1, 2, 6], kernels=[1, 3, 7], width={"min": 8, "max": 320})
TWINS = tiny_space("mbconv", expansions=[1, 4], kernels=[1, 3, 7], width={"min": 8, "max": 320}, pair_widths=False)
BASIC = tiny_space("basic", kernels=[1, 3, 7], width={"min": 8, "max": 320}, mid_width={"min": 8, "max": 320})
VARIANTS = [
    variant
    for space in (BASIC, GROUPED, PAIRS, TWINS)
    for variant in make_variants(space, space.seeds[0].blocks[1].gene)
]


def test_every_op_that_the_exact_search_takes_is_among_the_variants() -> None:
    assert {op for op, kind in OPS.items() if kind.is_monotone} == {variant.gene.op for variant in VARIANTS}


@settings(max_examples=150, deadline=None)
@given(
    variant=st.sampled_from(VARIANTS),
    data=st.data(),
    widths=st.tuples(WIDTHS, WIDTHS),
    stride=st.sampled_from([1, 2, 3]),
    side=st.integers(3, 20),
    sublayers=st.integers(1, 4),
    convention=st.sampled_from(["paper", "zennas"]),
)
def test_tables_add_up_to_the_terms_of_a_block(  # type: ignore[no-untyped-def]
    variant, data: st.DataObject, widths: tuple[int, int], stride: int, side: int, sublayers: int, convention: str
) -> None:
    ins, out = widths
    low, high, step = variant.mids
    mid = out if variant.is_tied else data.draw(st.integers(0, (high - low) // step)) * step + low
    tables = sublayer_tables(
        variant, Stage(side, stride), stride, *(singles([width], 8) for width in (ins, mid, out)), convention
    )
    for number, kernel in enumerate(variant.kernels):
        gene = make_gene(variant, kernel, out, mid, stride, sublayers)
        expected, _ = block_terms(gene, ins, side, convention, first=False)
        gain, params, macs = worth(tables, number, sublayers)
        assert (params, macs) == (expected.params, expected.macs)
        assert gain == pytest.approx(expected.log_gain, abs=1e-9)
        assert variant.layers * sublayers == expected.layers


def worth(tables: SubLayer, kernel: int, sublayers: int) -> tuple[float, float, float]:
    """(gain, params, MACs) of a block where every cell is the only one."""
    rows = [
        entry[0, 0] + across[0, 0] + first[kernel, 0, 0] + (sublayers - 1) * more[kernel, 0, 0]
        for entry, across, first, more in zip(tables.entry, tables.across, tables.first, tables.more, strict=True)
    ]
    return float(rows[0]), float(rows[1]), float(rows[2])


def cells_and_members(variant: Variant, data: st.DataObject) -> tuple[list[Cells], list[Cells]]:
    """A cell for each width of a block, and a member of each."""
    cells, inside = [], []
    for low, high, step in (Grid(8, 320, 8), variant.mids, Grid(8, 320, 8)):
        ends = sorted(data.draw(st.integers(0, (high - low) // step)) * step + low for _ in range(3))
        cells.append(Cells(np.array(ends[:1]), np.array(ends[2:]), step))
        inside.append(singles(ends[1:2], step))
    if variant.is_tied:
        inside[1] = inside[2]
        cells[1] = cells[2]
    return cells, inside


@settings(max_examples=150, deadline=None)
@given(
    variant=st.sampled_from(VARIANTS),
    data=st.data(),
    stride=st.sampled_from([1, 2]),
    sublayers=st.integers(1, 3),
)
def test_a_cell_gains_no_less_and_costs_no_more_than_its_members(variant, data, stride, sublayers) -> None:  # type: ignore[no-untyped-def]
    cells, inside = cells_and_members(variant, data)
    stage = Stage(9, stride)
    whole = sublayer_tables(variant, stage, stride, *cells, "paper")
    one = sublayer_tables(variant, stage, stride, *inside, "paper")
    for kernel in range(len(variant.kernels)):
        (gain, *costs), (member_gain, *member_costs) = (worth(each, kernel, sublayers) for each in (whole, one))
        assert gain >= member_gain - 1e-9
        assert all(cost <= member_cost for cost, member_cost in zip(costs, member_costs, strict=True))


@settings(max_examples=150, deadline=None)
@given(
    variant=st.sampled_from([variant for variant in VARIANTS if OPS[variant.gene.op].is_residual]),
    data=st.data(),
    stride=st.sampled_from([1, 2]),
    sublayers=st.integers(1, 3),
    prices=st.tuples(st.floats(0.01, 1), *[st.floats(1e-9, 1e-5)] * 3),
)
def test_a_cell_is_worth_no_less_than_its_members_and_less_than_its_most_and_fewest_macs_at_once(  # type: ignore[no-untyped-def]
    variant, data, stride, sublayers, prices
) -> None:
    """With evenness: a cell has one number of MACs at a time."""
    cells, inside = cells_and_members(variant, data)
    stage, (unit, macs, *levels) = Stage(9, stride), prices
    rates = Rates(0.0, macs, unit, tuple(levels))
    whole, one = (sublayer_tables(variant, stage, stride, *each, "paper", is_even=True) for each in (cells, inside))
    for kernel in range(len(variant.kernels)):
        value, loose = (even_worth(whole, rates, kernel, sublayers, tight=tight) for tight in (True, False))
        slack = 1e-9 * max(1.0, abs(loose))
        assert even_worth(one, rates, kernel, sublayers, tight=False) - slack <= value <= loose + slack


def even_worth(tables: SubLayer, rates: Rates, kernel: int, sublayers: int, *, tight: bool) -> float:
    """What a block is worth at these rates where every cell is the only one."""
    levels = rates.levels
    shares = [share.at(rates, *levels)[kernel, 0, 0] for share in tables[2:4]]
    total = (
        tables[0].at(rates, *levels)[0, 0]
        + tables[1].at(rates, *levels)[0, 0]
        + shares[0]
        + (sublayers - 1) * shares[1]
    )
    assert tables.opening is not None
    if not tight or tables.spreads is None:
        return float(total + rates.unit * tables.opening[kernel, 0, 0, 0])
    opening, first, more = tables.spreads
    total += opening.at(rates, *levels)[kernel, 0, 0, 0]
    for share, spreads, count in zip(tables[2:4], (first, more), (1, sublayers - 1), strict=True):
        inner = sum(each.at(rates, *levels)[kernel, 0, 0] for each in spreads)
        total += count * (inner - rates.unit * share.units[kernel, 0, 0])
    return float(total)


@settings(max_examples=40, deadline=None)
@given(ratio=st.floats(1.0, 3.0), top=st.integers(1, 300), step=st.sampled_from([1, 4, 8]))
def test_cells_hold_every_width_once_however_often_they_are_split(ratio: float, top: int, step: int) -> None:
    span = WidthRange(min=step, max=step * top, step=step)
    cells = cover(span, ratio)
    for _ in range(4):
        held = [w for lo, hi in zip(cells.lo.tolist(), cells.hi.tolist(), strict=True) for w in range(lo, hi + 1, step)]
        assert held == list(range(span.min, span.max + 1, step))
        finer, parents = cells.split()
        assert bool((cells.lo[parents] <= finer.lo).all() and (finer.hi <= cells.hi[parents]).all())
        cells = finer
    few = points(span, ratio)
    assert bool(few.single.all()) and set(few.lo.tolist()) <= set(range(span.min, span.max + 1, step))


@pytest.mark.parametrize("limits", [Limits(sublayers=9), Limits(layers=12), Limits(sublayers=6, layers=22)])
@pytest.mark.parametrize("counts_blocks", [False, True])
def test_depths_are_those_of_the_members(limits: Limits, counts_blocks: bool) -> None:
    one = {"width": {"max": 8}, "mid_width": {"max": 8}, "stem_width": None, "head_width": None}
    space = tiny_space("basic", "bottleneck", kernels=[3], max_blocks=4, depth={"max": 2}, **one)
    problem = read_problem(space, space.seeds[0], limits, convention="paper", norm="l1", alpha=0.01)
    depths = replace(problem, counts_blocks=counts_blocks).depths
    reached = set()
    for genome in members(space, 5):
        if admits(limits, measure(genome, space.seeds[0], "paper")):
            state = 0
            for gene in genome[1:-1]:
                kind = depths.kinds[problem.variants[problem.variant_of(gene)].layers]
                state = int(depths.next[kind][state, depths.steps.index(gene.sublayers)])
            sublayers = sum(gene.sublayers for gene in genome[1:-1])
            layers = sum(gene.depth * (2 if gene.op == "basic" else 3) for gene in genome[1:-1])
            assert depths.states[state] == (sublayers, layers, len(genome) - 2 if counts_blocks else 0)
            reached.add(state)
    assert depths.most == 4  # two blocks of two sub-layers
    if counts_blocks:
        assert reached | {0} == set(range(len(depths.states)))


def test_the_descent_finds_the_lowest_point_of_known_planes() -> None:
    planes = [Plane(10, (1.0, 0.5)), Plane(14, (-2.0, 1.0)), Plane(18, (-0.5, -3.0)), Plane(9, (0.2, 0.2))]
    descent = Descent((8.0, 8.0), (True, True), 3.0)
    for _ in range(30):
        prices = descent.ask()
        if descent.settled:
            break
        plane = max(planes, key=lambda one: one.at(prices))
        descent.tell(prices, plane.at(prices), plane)
    x, y = np.meshgrid(np.linspace(0, 12, 241), np.linspace(0, 12, 241), indexing="ij")
    lowest = np.max([one.level + one.slope[0] * x + one.slope[1] * y for one in planes], axis=0).min()
    assert descent.value <= float(lowest) + 1e-6
    assert descent.value >= float(lowest) - 0.2  # the grid is coarse


def test_the_descent_takes_shorter_steps_while_nothing_gets_better() -> None:
    descent = Descent((8.0, 8.0), (True, True), 3.0)
    descent.tell(descent.ask(), 10.0, Plane(10, (1.0, 0.0)))
    reaches = []
    for number in range(6):
        prices = descent.ask()
        reaches.append(max(abs(new - old) for new, old in zip(prices, descent.best, strict=True)))
        descent.tell(prices, 11.0 + number, Plane(1, (0.0, 0.0)))
    assert reaches[0] == 3.0
    assert all(after < 0.9 * before for before, after in pairwise(reaches))
