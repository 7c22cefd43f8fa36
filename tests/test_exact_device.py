"""The exact search within a device: against full lists of tiny spaces, with memory and weights counted by the graph."""

from __future__ import annotations

from functools import cache

import pytest
from exact_tools import measure, members, tiny_space, value
from hypothesis import given, settings
from hypothesis import strategies as st

from zen_cli.errors import UsageError
from zen_cli.nas.algorithms.exact.first_cost import Weights
from zen_cli.nas.algorithms.exact.graph import make_gene, singles
from zen_cli.nas.algorithms.exact.live import FORBIDDEN
from zen_cli.nas.algorithms.exact.problem import Stage, make_variants
from zen_cli.nas.algorithms.exact.solve import solve, upper_bound
from zen_cli.nas.algorithms.exact.tables import sublayer_tables
from zen_cli.nas.limits import Limits
from zen_cli.nas.space import genome_of
from zen_cli.target.memory import Footprint, block_footprint, footprint

TINY = {
    "basic": tiny_space("basic"),
    "bottleneck": tiny_space("bottleneck", width={"min": 8, "max": 16}, group_widths=[0, 8]),
    "mbconv": tiny_space("mbconv", width={"min": 8, "max": 16}),
    "mixed": tiny_space("basic", "bottleneck", width={"min": 8, "max": 16}, kernels=[3], head_width=None),
}
INNER, ITEM = 3, 4  # sub-layers between stem and head; bytes of float32


@cache
def listed(name: str) -> list[tuple[float, int, int, Footprint]]:
    """(score, params, MACs, footprint) of every network of a space."""
    seed, rows = TINY[name].seeds[0], []
    for genome in members(TINY[name], INNER):
        terms, *rest = measure(genome, seed, "paper")
        needs = footprint(genome, seed.in_channels, seed.resolution, seed.classifier)
        rows.append((value(terms, *rest, "frobenius"), terms.params, terms.macs, needs))
    return rows


def share(values: list[int], part: float) -> int:
    return sorted(values)[int(part * (len(values) - 1))]


@pytest.mark.parametrize("name", TINY)
@pytest.mark.parametrize("part", [0.05, 0.4])
def test_the_optimum_within_memory_and_weights_is_that_of_the_list(name: str, part: float) -> None:
    space, rows = TINY[name], listed(name)
    peak, weights = (share([getattr(row[3], key) for row in rows], part) for key in ("peak", "weights"))
    params, macs = (share([row[column] for row in rows], part) for column in (1, 2))
    for bounds in (
        {"memory": ITEM * peak},
        {"weights": ITEM * weights},
        {"memory": ITEM * peak, "weights": ITEM * weights, "macs": macs},
        {"params": params, "weights": ITEM * (params - 60)},  # two limits of which neither contains the other
        {"params": params, "weights": ITEM * params},
    ):
        limits = Limits(**bounds, sublayers=INNER + 2)
        admitted = [
            row[0]
            for row in rows
            if row[1] <= bounds.get("params", row[1])
            and row[2] <= bounds.get("macs", row[2])
            and ITEM * row[3].peak <= bounds.get("memory", ITEM * row[3].peak)
            and ITEM * row[3].weights <= bounds.get("weights", ITEM * row[3].weights)
        ]
        result = solve(space, space.seeds[0], limits, gap=0.0, top=3)
        assert result.values[0] == pytest.approx(max(admitted), abs=1e-9)
        assert result.bound >= max(admitted) - 1e-9
        assert (result.stopped, result.gap) == ("optimal", 0)
        assert upper_bound(space, space.seeds[0], limits) >= max(admitted) - 1e-9
        for spec in result.networks:
            needs = footprint(genome_of(spec), spec.in_channels, spec.resolution, spec.classifier)
            assert ITEM * needs.peak <= bounds.get("memory", 10**9)
            assert ITEM * needs.weights <= bounds.get("weights", 10**9)


VARIANTS = [variant for name in TINY for variant in make_variants(TINY[name], genome_of(TINY[name].seeds[0])[1])]
WIDTHS = st.integers(1, 40).map(lambda number: 8 * number)


@settings(max_examples=100, deadline=None)
@given(
    variant=st.sampled_from(VARIANTS),
    widths=st.tuples(WIDTHS, WIDTHS, WIDTHS),
    stride=st.sampled_from([1, 2]),
    side=st.integers(3, 20),
    sublayers=st.integers(1, 3),
)
def test_a_block_is_no_choice_exactly_where_it_needs_too_much(  # type: ignore[no-untyped-def]
    variant, widths: tuple[int, int, int], stride: int, side: int, sublayers: int
) -> None:
    ins, mid, out = widths
    mid = out if variant.is_tied else mid
    cells = [singles([each], 8) for each in (ins, mid, out)]
    gene = make_gene(variant, variant.kernels[0], out, mid, stride, sublayers)
    needs = block_footprint(gene, ins, side, False)
    for most in (needs.peak, needs.peak - 1):
        tables = sublayer_tables(
            variant, Stage(side, stride), stride, *cells, "paper", first_cost=Weights(), most_live=float(most)
        )
        parts = (tables.entry, tables.across, tables.first, *[tables.more] * (sublayers - 1))
        gain = sum(float(part.gain.ravel()[0]) for part in parts)
        assert (gain < FORBIDDEN / 2) == (most < needs.peak)
        assert sum(float(part.params.ravel()[0]) for part in parts) == needs.weights


def test_a_limit_that_nothing_keeps_says_what_the_smallest_network_needs() -> None:
    space = TINY["basic"]
    for bounds in ({"memory": 100}, {"weights": 100}):
        (name,) = bounds
        with pytest.raises(UsageError, match=f"max_{name}: 100B is below every network of the space"):
            solve(space, space.seeds[0], Limits(**bounds, sublayers=5))
