"""The parts of the exact search: tables, cells, prices, paths and cuts, each by its own law."""

from __future__ import annotations

from random import Random

import pytest
import torch
from exact_tools import measure, members, tiny_space, value
from hypothesis import given, settings
from hypothesis import strategies as st

from zen_cli.metrics.terms import block_terms
from zen_cli.nas.algorithms.exact.branch import cut, traits
from zen_cli.nas.algorithms.exact.cells import cover, points, singles
from zen_cli.nas.algorithms.exact.dual import Descent, Plane
from zen_cli.nas.algorithms.exact.dynamic import Program
from zen_cli.nas.algorithms.exact.graph import make_graph
from zen_cli.nas.algorithms.exact.listing import TooManyError, list_paths
from zen_cli.nas.algorithms.exact.polish import Polisher
from zen_cli.nas.algorithms.exact.problem import LAYERS_PER_SUBLAYER, Problem, Stage, Variant, read_problem
from zen_cli.nas.algorithms.exact.prune import prune
from zen_cli.nas.algorithms.exact.tables import sublayer_tables
from zen_cli.nas.limits import Limits
from zen_cli.nas.space import Gene, WidthRange
from zen_cli.net.ops import OPS

WIDTHS = st.integers(1, 40).map(lambda steps: 8 * steps)
MIXED = tiny_space("basic", "bottleneck", width={"min": 8, "max": 16}, kernels=[3])


def problem_of(limits: Limits, norm: str = "l1") -> Problem:
    return read_problem(MIXED, MIXED.seeds[0], limits, convention="paper", norm=norm, alpha=0.01)


@settings(max_examples=60, deadline=None)
@given(
    op=st.sampled_from(["basic", "bottleneck", "mbconv"]),
    kernel=st.sampled_from([1, 3, 7]),
    widths=st.tuples(WIDTHS, WIDTHS, WIDTHS),
    stride=st.sampled_from([1, 2, 3]),
    side=st.integers(3, 20),
    sublayers=st.integers(1, 4),
    expansion=st.sampled_from([1, 2, 6]),
    convention=st.sampled_from(["paper", "zennas"]),
)
def test_tables_add_up_to_the_terms_of_a_block(
    op: str,
    kernel: int,
    widths: tuple[int, int, int],
    stride: int,
    side: int,
    sublayers: int,
    expansion: int,
    convention: str,
) -> None:
    ins, mid, out = widths
    expansion = expansion if op == "mbconv" else 0
    gene = Gene(op, kernel, out, stride, sublayers * OPS[op].units_per_sublayer, mid, expansion)
    expected, _ = block_terms(gene, ins, side, convention, first=False)
    variant = Variant(op, (kernel,), expansion=expansion)
    tables = sublayer_tables(
        variant, Stage(side, stride), stride, *(singles([width], 8) for width in (ins, mid, out)), convention
    )
    gain, params, macs = (
        float(entry + first + shortcut + (sublayers - 1) * more)
        for entry, first, more, shortcut in zip(*tables_in_order(tables), strict=True)
    )
    assert (params, macs) == (expected.params, expected.macs)
    assert gain == pytest.approx(expected.log_gain, abs=1e-9)
    assert variant.layers * sublayers == expected.layers


def tables_in_order(tables):  # type: ignore[no-untyped-def]
    return tables.entry, tables.first, tables.more, tables.shortcut


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


def test_the_descent_finds_the_lowest_point_of_known_planes() -> None:
    planes = [Plane(10, (1.0, 0.5)), Plane(14, (-2.0, 1.0)), Plane(18, (-0.5, -3.0)), Plane(9, (0.2, 0.2))]
    descent = Descent((8.0, 8.0), (True, True), 3.0)
    for _ in range(30):
        prices = descent.ask()
        if descent.settled:
            break
        plane = max(planes, key=lambda one: one.at(prices))
        descent.tell(prices, plane.at(prices), plane)
    axis = torch.linspace(0, 12, 241, dtype=torch.float64)
    x, y = torch.meshgrid(axis, axis, indexing="ij")
    lowest = torch.stack([one.level + one.slope[0] * x + one.slope[1] * y for one in planes]).amax(0).min()
    assert descent.value <= float(lowest) + 1e-6
    assert descent.value >= float(lowest) - 0.2  # the grid is coarse


@pytest.mark.parametrize("prices", [(0.0, 0.0), (2e-3, 0.0), (1e-3, 2e-5), (0.0, 1e-4)])
@pytest.mark.parametrize("norm", ["l1", "frobenius"])
def test_the_program_finds_the_best_of_all_networks_at_any_prices(prices: tuple[float, float], norm: str) -> None:
    problem = problem_of(Limits(params=1, sublayers=5), norm)
    rows = [measure(genome, MIXED.seeds[0], "paper") for genome in members(MIXED, 3)]
    best = max(value(*row, norm) - prices[0] * row[0].params - prices[1] * row[0].macs for row in rows)
    singles_graph = make_graph(problem, 1.0, covering=True)
    solution = Program(problem, singles_graph).solve(prices)
    assert solution.value == pytest.approx(best, abs=1e-9)
    path = solution.path()
    row = measure(path.genome, MIXED.seeds[0], "paper")
    assert value(*row, norm) - prices[0] * row[0].params - prices[1] * row[0].macs == pytest.approx(best, abs=1e-9)
    assert Program(problem, make_graph(problem, 2.0, covering=True)).solve(prices).value >= best - 1e-9


def test_listing_finds_what_pruning_keeps() -> None:
    problem, prices = problem_of(Limits(params=1, sublayers=5)), (1e-3, 1e-5)
    values = {
        genome: value(*row, "l1") - prices[0] * row[0].params - prices[1] * row[0].macs
        for genome in members(MIXED, 3)
        for row in [measure(genome, MIXED.seeds[0], "paper")]
    }
    floor = sorted(values.values())[-150]
    expected = {genome for genome, one in values.items() if one >= floor - 1e-9}
    graph = make_graph(problem, 1.0, covering=True)
    solution = Program(problem, graph).solve(prices)
    assert set(list_paths(solution, lambda: floor, 100_000)) == expected
    pruned = prune(solution, floor)
    assert pruned is not None
    assert set(list_paths(Program(problem, pruned).solve(prices), lambda: floor, 100_000)) == expected
    with pytest.raises(TooManyError):
        list(list_paths(solution, lambda: floor, 20))
    assert prune(solution, solution.value + 1) is None


def test_a_cut_parts_every_network_from_some_and_loses_none() -> None:
    problem, prices = problem_of(Limits(params=1, sublayers=4)), (1e-3, 1e-5)
    graph = make_graph(problem, 1.0, covering=True)
    lowest = -1e9
    everything = set(list_paths(Program(problem, graph).solve(prices), lambda: lowest, 10_000_000))
    rng = Random(3)
    for _ in range(6):
        some = rng.sample(sorted(everything), 2)
        if traits(problem, some[0]) == traits(problem, some[1]):
            continue
        halves = cut(problem, graph, some)
        assert halves is not None
        parts = [set(list_paths(Program(problem, one).solve(prices), lambda: lowest, 10_000_000)) for one in halves]
        assert parts[0] | parts[1] == everything
        assert not parts[0] & parts[1]
        assert parts[0] and parts[1]


def test_polishing_never_makes_worse_and_weighs_like_the_list() -> None:
    limits = Limits(params=4_000, macs=150_000, sublayers=5)
    problem, rng = problem_of(limits), Random(1)
    genomes = list(members(MIXED, 3))
    for genome in rng.sample(genomes, 5):
        polisher = Polisher(problem)
        start, end = polisher.weigh(genome), polisher.polish(genome)
        total, width, side = measure(genome, MIXED.seeds[0], "paper")
        assert (start.params, start.macs) == (total.params, total.macs)
        assert start.value == pytest.approx(value(total, width, side, "l1"), abs=1e-9)
        assert start.feasible == limits.admits(total)
        assert end.merit >= start.merit
        assert all(limits.admits(measure(one, MIXED.seeds[0], "paper")[0]) for one in polisher.ranking())


def test_layers_of_a_sublayer_are_those_of_its_block() -> None:
    for op, layers in LAYERS_PER_SUBLAYER.items():
        gene = Gene(op, 3, 16, 1, OPS[op].units_per_sublayer, 16, 1 if op == "mbconv" else 0)
        assert block_terms(gene, 16, 8, "paper", first=False)[0].layers == layers
