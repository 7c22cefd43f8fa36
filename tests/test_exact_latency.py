"""The exact search under a latency: against full lists of tiny spaces, with milliseconds of whole networks."""

from __future__ import annotations

import time
from functools import cache
from typing import Any

import numpy as np
import pytest
import test_exact_even as even
from exact_tools import measure, members, tiny_space, value
from hypothesis import given, settings
from hypothesis import strategies as st
from test_target import a_target

from zen_cli.errors import UsageError, ZenError
from zen_cli.metrics.evenness import network_evenness
from zen_cli.metrics.settings import ScoreSettings
from zen_cli.metrics.terms import score_spec
from zen_cli.nas.algorithms.auto import open_exactly
from zen_cli.nas.algorithms.exact.first_cost import Milliseconds
from zen_cli.nas.algorithms.exact.graph import Cells, make_gene, make_graph
from zen_cli.nas.algorithms.exact.problem import Problem, Stage, make_variants, read_problem
from zen_cli.nas.algorithms.exact.program import Program, TableCache
from zen_cli.nas.algorithms.exact.solve import solve, upper_bound
from zen_cli.nas.algorithms.exact.tables import SubLayer, sublayer_tables
from zen_cli.nas.answer import search
from zen_cli.nas.band import make_band
from zen_cli.nas.front_opening import exact_limits
from zen_cli.nas.limits import Limits, write_least
from zen_cli.nas.outcome import Callbacks
from zen_cli.nas.request import check_request
from zen_cli.nas.space import genome_of, to_spec
from zen_cli.target.latency import block_part, latency_ms, predict_ms
from zen_cli.target.memory import footprint
from zen_cli.target.model import Cold, Target

WARM = a_target()
assert WARM.model is not None
# What the weights of a whole network cost, which is no sum over its blocks.
COLD = (Cold(least=500.0, most=6000.0, rate=3e-4),)
TARGET = WARM.model_copy(update={"model": WARM.model.model_copy(update={"cold": COLD})})
TARGETS = {"cold": TARGET, "by hand": Target(name="mcu", clock=2e8, macs_per_cycle=1.0)}
TINY = {
    "mixed": tiny_space("basic", "bottleneck", width={"min": 8, "max": 16}, kernels=[3], head_width=None),
    "mbconv": tiny_space("mbconv", width={"min": 8, "max": 16}, kernels=[3], head_width=None),
}
INNER = 3  # sub-layers between stem and head


def on(target: Target, **bounds: float) -> Limits:
    settings = ScoreSettings(estimator="mean-field", target=target)
    return Limits(**bounds, sublayers=INNER + 2).on(settings)


@cache
def listed(name: str, target: str) -> list[tuple[float, int, int, int, float]]:
    """(score, params, MACs, weights, milliseconds) of every network of a space."""
    seed, rows = TINY[name].seeds[0], []
    for genome in members(TINY[name], INNER):
        terms, *rest = measure(genome, seed, "paper")
        network = genome, seed.in_channels, seed.resolution, seed.classifier
        costs = terms.params, terms.macs, footprint(*network).weights, predict_ms(TARGETS[target], *network)
        rows.append((value(terms, *rest, "frobenius"), *costs))
    return rows


@pytest.mark.parametrize(("name", "target"), [("mixed", "cold"), ("mbconv", "cold"), ("mixed", "by hand")])
@pytest.mark.parametrize("part", [0.1, 0.5])
def test_the_optimum_within_a_latency_is_that_of_the_list(name: str, target: str, part: float) -> None:
    space, rows = TINY[name], listed(name, target)
    params, macs, weights, ms = (sorted(column)[int(part * len(rows))] for column in list(zip(*rows, strict=True))[1:])
    for others in ({}, {"macs": macs}, {"params": params}, {"weights": 4 * weights}):
        limits = on(TARGETS[target], latency=ms * (1 + TARGETS[target].margin), **others)
        admitted = max(
            row[0]
            for row in rows
            if row[4] <= limits.lowered("latency")
            and row[1] <= others.get("params", row[1])
            and row[2] <= others.get("macs", row[2])
            and 4 * row[3] <= others.get("weights", 4 * row[3])
        )
        result = solve(space, space.seeds[0], limits, gap=0.0)
        assert result.values[0] == pytest.approx(admitted, abs=1e-9)
        assert (result.stopped, result.gap) == ("optimal", 0)
        assert upper_bound(space, space.seeds[0], limits) >= admitted - 1e-9
        assert latency_ms(TARGETS[target], result.networks[0]) <= limits.lowered("latency")


def test_searches_share_no_tables_but_those_that_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    space = TINY["mixed"]
    bounds: list[dict[str, float]] = [{"params": 1e5}, {"macs": 1e5}, {"weights": 1e5}, {"params": 1e5, "memory": 4e3}]
    rows = [Limits(**each, sublayers=INNER + 2) for each in bounds]
    rows += [on(target, latency=1.0) for target in TARGETS.values()]
    problems = [
        read_problem(space, space.seeds[0], limits, convention=convention, norm="l1", alpha=0.01)
        for limits in rows
        for convention in ("paper", "zennas")
    ]

    def tables(problem: Problem) -> list[SubLayer]:
        return list(Program(problem, make_graph(problem, 1.25, covering=True)).tables.values())

    found = [tables(problem) for problem in problems]
    assert all(one is other for one, other in zip(found[0], found[2], strict=True))
    for problem, beside in zip(problems, found, strict=True):
        monkeypatch.setattr(TableCache, "_tables", {})
        for one, other in zip(tables(problem), beside, strict=True):
            assert one is not other
            for share, same in zip(one[:4], other[:4], strict=True):
                assert all(np.array_equal(mine, its) for mine, its in zip(share, same, strict=True))


VARIANTS = [variant for name in TINY for variant in make_variants(TINY[name], genome_of(TINY[name].seeds[0])[1])]
WIDTHS = st.tuples(st.integers(1, 40), st.integers(0, 30)).map(lambda pair: (8 * pair[0], 8 * sum(pair)))


@settings(max_examples=100, deadline=None)
@given(
    variant=st.sampled_from(VARIANTS),
    cells=st.tuples(WIDTHS, WIDTHS, WIDTHS),
    shares=st.tuples(*[st.floats(0, 1)] * 3),
    stride=st.sampled_from([1, 2]),
    side=st.integers(3, 20),
    sublayers=st.integers(1, 3),
)
def test_a_table_costs_what_a_block_takes_and_never_more_than_a_member_of_its_cells(  # type: ignore[no-untyped-def]
    variant, cells, shares: tuple[float, float, float], stride: int, side: int, sublayers: int
) -> None:
    widths = [low + 8 * round(share * (high - low) / 8) for (low, high), share in zip(cells, shares, strict=True)]
    cost = Milliseconds(TARGET, TINY["mixed"].seeds[0].classifier)

    def table(ends: Any) -> float:
        rows = [Cells(np.array([low]), np.array([high]), 8) for low, high in ends]
        found = sublayer_tables(variant, Stage(side, stride), stride, *rows, "paper", first_cost=cost)
        parts = (found.entry, found.across, found.first, *[found.more] * (sublayers - 1))
        return sum(float(part.params.ravel()[0]) for part in parts)

    ins, mid, out = widths
    gene = make_gene(variant, variant.kernels[0], out, out if variant.is_tied else mid, stride, sublayers)
    takes = block_part(TARGET, gene, ins, side, first=False).ms
    assert table([(each, each) for each in widths]) == pytest.approx(takes, rel=1e-9)
    assert table(cells) <= takes * (1 + 1e-9)


def problem(latency: str = "1ms", **more: Any) -> Any:
    known = {"target": WARM, "max_latency": latency, "resolution": 96, "max_macs": "200M", "max_sublayers": "6"}
    return check_request({"evenness": "off", "verify": 0, "budget": ["3000evals"], **known, **more})


def test_the_default_algorithm_begins_with_the_exact_network_and_ends_with_none_worse() -> None:
    wanted = problem(gap=0.02)
    opening = open_exactly(wanted, Callbacks(), time.monotonic())
    assert opening is not None and opening.bound is not None and opening.is_exact
    limit, seed = wanted.limits.lowered("latency"), wanted.seed_network()
    start = to_spec(opening.start, seed)
    assert 0.9 * limit < latency_ms(WARM, start) <= limit
    assert all(latency_ms(WARM, to_spec(other, seed)) <= limit for other in opening.others)
    found = search(wanted)
    assert score_spec(start) <= found.candidates[0].score <= opening.bound
    assert found.bound == opening.bound
    assert latency_ms(WARM, found.candidates[0].spec) <= limit


def test_in_a_band_of_evenness_too_the_default_algorithm_begins_with_the_exact_network() -> None:
    wanted = problem("0.5ms", evenness=None, max_sublayers=None, max_macs="30M", resolution=64, budget=["1000evals"])
    opening = open_exactly(wanted, Callbacks(), time.monotonic())
    assert opening is not None and opening.even_bound is not None and opening.evenest is not None
    specs = [to_spec(each, wanted.seed_network()) for each in (opening.evenest, opening.start, *opening.others)]
    assert all(latency_ms(WARM, spec) <= wanted.limits.lowered("latency") for spec in specs)
    band = make_band(network_evenness(specs[0].genes, 3, 64), wanted.evenness, wanted.limits, opening.even_bound)
    assert band.best <= opening.even_bound
    assert all(band.admits(spec.genes, (3, 64)) for spec in specs)


def test_a_latency_below_every_network_is_said() -> None:
    space = TINY["mixed"]
    least = (1 + TARGET.margin) * min(row[4] for row in listed("mixed", "cold"))
    with pytest.raises(
        UsageError, match=f"max_latency: 0.0001ms is below every .* found is {write_least('latency', least)}"
    ):
        solve(space, space.seeds[0], on(TARGET, latency=0.0001))
    with pytest.raises(ZenError, match=r"max_latency: 0\.0001ms is below every network of the space"):
        search(problem("0.0001ms"))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("name", "part", "share"), [("basic", 0.3, 1.0), ("mbconv", 0.3, 0.7)])
def test_a_latency_beside_evenness_has_a_price_of_its_own(name: str, part: float, share: float, target: str) -> None:
    space, device, macs = even.TINY[name], TARGETS[target], even.limits_of(name, share)["macs"]
    seed = space.seeds[0]
    rows = [(*row, latency_ms(device, row[0])) for row in even.listed(name) if row[0].cost.macs <= macs]
    ms = sorted(row[-1] for row in rows)[int(part * len(rows))]
    limits = Limits(macs=macs, latency=ms * (1 + device.margin))
    limits = limits.on(ScoreSettings(estimator="mean-field", target=device))
    rows = [row for row in rows if row[-1] <= limits.lowered("latency")]
    evenest = solve(space, seed, limits, objective="even", gap=0.0)
    best = max(found.value for _, found, _, _ in rows)
    assert evenest.values[0] == pytest.approx(best, abs=1e-9)
    assert evenest.bound >= best - 1e-9
    found = network_evenness(evenest.networks[0].genes, 3, seed.resolution)
    for width in (0.0, 0.3):
        band = make_band(found, width, limits, evenest.bound)
        inside = max(score for spec, _, score, _ in rows if band.admits(spec.genes, (3, seed.resolution)))
        result = solve(space, seed, limits, band=band, gap=0.0)
        assert result.values[0] == pytest.approx(inside, abs=1e-9)
        assert result.bound >= inside - 1e-9
        assert latency_ms(device, result.networks[0]) <= limits.lowered("latency")


def test_a_latency_of_a_front_is_what_is_predicted_and_its_limit_is_lowered() -> None:
    wanted = problem("2ms", evenness=None, max_sublayers=None, front="latency")
    for rung in (0.5, 1.9, 2.0):
        limits = exact_limits(wanted, wanted.limits.replace(latency=rung))
        assert limits.lowered("latency") == pytest.approx(min(rung, 2.0 / (1 + WARM.margin)))
