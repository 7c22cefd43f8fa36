"""Laws of operations and their calibration: found again from the times that they give."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import specs

from zen_cli.net.layers import ConvLayer, square_conv
from zen_cli.net.ops import Unit
from zen_cli.net.spec import ArchSpec
from zen_cli.networks import networks as published
from zen_cli.profiling.fitting import COLD, Timed, Whole, calibrate, cold_ramps, fit_laws, weights_of
from zen_cli.profiling.least_squares import solve_nonnegative
from zen_cli.profiling.probes import draw_probes
from zen_cli.target.graph import KINDS, Operation, operations_of, unit_operations
from zen_cli.target.latency import law_ms, whole_of
from zen_cli.target.model import Cold, LatencyModel, Law
from zen_cli.target.terms import RUN, Terms, ragged_share, terms

SIZES = {"overhead": 3e-3, "groups": 1e-3, "padded": 8e-9, "wide": 1e-9, "ragged": 2e-9}


def a_law(random: Random) -> Law:
    return {name: random.uniform(0.5, 2) * SIZES.get(name, 3e-8) for name in Terms._fields}


@pytest.fixture(scope="module")
def networks() -> list[ArchSpec]:
    return draw_probes(9, seed=3)


@given(st.integers(0, 2**32), st.integers(1, 30), st.integers(1, 8))
def test_least_squares_that_are_not_negative_are_optimal(seed: int, rows: int, columns: int) -> None:
    draw = np.random.default_rng(seed)
    matrix, wanted = draw.standard_normal((rows, columns)), draw.standard_normal(rows)
    x = solve_nonnegative(matrix, wanted)
    slope = matrix.T @ (matrix @ x - wanted)
    assert (x >= 0).all()
    assert (slope > -1e-6).all() and np.abs(slope * x).max() < 1e-6  # the conditions of Karush, Kuhn and Tucker


def test_a_column_of_zeros_gets_nothing() -> None:
    assert solve_nonnegative(np.array([[0.0, 2.0], [0.0, 1.0]]), np.array([4.0, 2.0])).tolist() == [0, 2]


@given(st.integers(1, 3), st.integers(1, 2), st.integers(1, 40))
def test_ragged_outputs_are_those_of_no_whole_run(half: int, stride: int, side: int) -> None:
    layer = square_conv(16, 16, 2 * half + 1, side, stride)
    out = layer.out_size[1]
    inside = [at for at in range(out) if at * stride - half >= 0 and at * stride + half < side]
    whole = len(inside) // RUN * RUN
    assert ragged_share(layer) == pytest.approx((out - whole) / out)


def test_rows_of_a_pointwise_convolution_follow_each_other() -> None:
    assert ragged_share(square_conv(16, 16, 1, 6)) == 0
    assert ragged_share(square_conv(16, 16, 1, 5)) == pytest.approx(1 / 25)


def test_terms_count_whole_vectors() -> None:
    layer = ConvLayer(24, 40, (3, 3), (12, 12), (1, 1), (1, 1))
    row = terms(Operation("", "dense", 0, 0, layer=layer))
    assert row.padded == 32 * 48 * 9 * 144 and row.wide == 32 * 64 * 9 * 144
    assert (row.reads, row.writes, row.weights) == (32 * 144, 48 * 144, 32 * 48 * 9)
    assert row.groups == row.gathered == 0


@pytest.mark.parametrize(("side", "unfilled", "few"), [(3, True, True), (4, False, False), (5, True, False)])
def test_products_of_matrices_have_terms_for_positions_that_fill_no_vectors(
    side: int, unfilled: bool, few: bool
) -> None:
    """A map of 4 x 4 fills one vector of 16, one of 5 x 5 one and a half, one of 3 x 3 none."""
    row = terms(Operation("", "pointwise", 0, 0, layer=square_conv(32, 64, 1, side)))
    assert (row.unfilled, row.few) == (32 * 64 * unfilled, 32 * 64 * few)
    row = terms(Operation("", "depthwise", 0, 0, layer=square_conv(32, 32, 3, side, groups=32)))
    assert row.unfilled == row.few == 0


@pytest.mark.parametrize(
    ("side", "kernel", "kind"),
    [(16, 1, "pointwise"), (16, 3, "small"), (17, 3, "dense"), (16, 5, "dense"), (99, 1, "pointwise")],
)
def test_small_maps_have_a_law_of_their_own(side: int, kernel: int, kind: str) -> None:
    """80 channels: 20,480 elements on 16 x 16, more on 17 x 17."""
    (one, *_) = unit_operations(Unit("conv", kernel, 1, 80, 64, 64, 1, 0, False), side)
    assert one.kind == kind


@given(specs())
def test_no_term_of_a_network_is_below_what_is_counted(spec: ArchSpec) -> None:
    for one in operations_of(spec):
        row = terms(one)
        assert one.kind in KINDS and min(row) >= 0
        assert row.padded >= one.macs and row.wide >= row.padded >= row.ragged and row.reads >= one.reads


def test_laws_are_found_again_without_what_cold_weights_cost() -> None:
    random = Random(5)
    laws = {kind: a_law(random) for kind in KINDS}
    rows = [operations_of(network.spec) for network in published()[::8]]
    ramp = cold_ramps(list(map(weights_of, rows)))[-1]
    timed = [
        Timed(row, [law_ms(laws[one.kind], one) + 1e-7 * cold * terms(one).weights for one in row])
        for row in rows
        for cold in (ramp.share(weights_of(row)),)
    ]
    assert any(ramp.share(weights_of(row)) > 0 for row in rows)
    found = fit_laws(timed)
    assert {"dense", "pointwise", "depthwise", "image"} <= set(found)
    for row in rows:
        known = [one for one in row if one.kind in found]
        near = sum(law_ms(laws[one.kind], one) for one in known)
        assert sum(law_ms(found[one.kind], one) for one in known) == pytest.approx(near, rel=2e-3)


def test_ranges_of_cold_weights_end_where_networks_are_larger() -> None:
    ramps = cold_ramps([1e5, 2e5, 4e5, 4.5e6, 5e6, 6e7])
    assert [ramp.least for ramp in ramps] == list(COLD[2 : 2 + len(ramps)])
    assert COLD[1] < 4e5 <= ramps[0].least and ramps[-1].most <= 4.5e6 < COLD[len(ramps) + 3]
    assert all(one.most == other.least for one, other in pairwise(ramps))
    assert [ramps[0].share(size) for size in (0, COLD[2], (COLD[2] + COLD[3]) / 2, COLD[3], 1e9)] == [0, 0, 0.5, 1, 1]


def test_no_rate_is_negative_where_more_work_took_less_time() -> None:
    layers = [square_conv(16 * width, 16, 3, 8) for width in range(1, 20)]
    rows = [Operation("", "dense", 0, 0, layer=layer) for layer in layers]
    assert min(fit_laws([Timed(rows, [1 / layer.in_width for layer in layers])])["dense"].values()) >= 0


def test_calibration_finds_what_a_profiler_cannot_see(networks: list[ArchSpec]) -> None:
    random = Random(7)
    laws = {kind: a_law(random) for kind in KINDS}
    slow = {kind: {name: 1.3 * rate for name, rate in law.items()} for kind, law in laws.items()}
    true = LatencyModel(laws=laws, start=0.02, cold=(Cold(least=COLD[3], most=COLD[4], rate=5e-8),))
    rows = [operations_of(spec) for spec in networks]
    model = calibrate(slow, [Whole(row, whole_of(true, row)) for row in rows], trust=1e-6)
    for row in rows:
        assert whole_of(model, row) == pytest.approx(whole_of(true, row), rel=2e-3)


def test_probes_are_drawn_from_all_spaces_by_a_seed(networks: list[ArchSpec]) -> None:
    assert [spec.id for spec in draw_probes(3, seed=3)] == [spec.id for spec in networks[:3]]
    assert len({spec.id for spec in networks}) == 9
    ops = {gene.op for spec in networks for gene in spec.genes}
    assert {"mbconv", "basic", "bottleneck"} & ops and len(ops) > 2
