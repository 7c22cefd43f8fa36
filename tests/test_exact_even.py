"""The exact search with evenness, against full lists of tiny spaces with design rules."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from random import Random

import pytest
from cli_here import ZenHere
from exact_tools import members, tiny_space

from zen_cli.metrics.evenness import Evenness, network_evenness
from zen_cli.metrics.terms import score_spec, spec_terms
from zen_cli.nas.algorithms import auto
from zen_cli.nas.algorithms.exact.evenly import Evenly
from zen_cli.nas.algorithms.exact.problem import read_problem
from zen_cli.nas.algorithms.exact.relaxation import Relaxation
from zen_cli.nas.algorithms.exact.solve import solve, upper_bound
from zen_cli.nas.band import make_band
from zen_cli.nas.limits import Limits
from zen_cli.nas.space import to_spec
from zen_cli.net.spec import ArchSpec
from zen_cli.target.memory import footprint

SHALLOW = {"kernels": [3], "depth": {"min": 1, "max": 1}, "max_blocks": 5}
TINY = {
    "basic": tiny_space("basic", strides=(2, 2), rules={}, **SHALLOW),
    "mbconv": tiny_space("mbconv", strides=(2,), rules={"never_narrower": False}, **{**SHALLOW, "max_blocks": 4}),
}


@cache
def listed(name: str) -> tuple[tuple[ArchSpec, Evenness, float], ...]:
    """Every network of a space that evenness is defined for: spec, evenness and score."""
    seed, rows = TINY[name].seeds[0], []
    for genome in members(TINY[name], 3):
        spec = to_spec(genome, seed)
        rows.append((spec, network_evenness(genome, 3, seed.resolution), score_spec(spec)))
    return tuple(rows)


def limits_of(name: str, share: float) -> Limits:
    """A limit on MACs that this share of the networks keeps."""
    macs = sorted(spec.cost.macs for spec, _, _ in listed(name))
    return Limits(macs=macs[int(share * (len(macs) - 1))])


@pytest.mark.parametrize("share", [0.2, 0.7])
@pytest.mark.parametrize("name", TINY)
def test_the_best_evenness_and_the_best_score_in_its_band_are_those_of_the_list(name: str, share: float) -> None:
    space, limits = TINY[name], limits_of(name, share)
    seed = space.seeds[0]
    rows = [row for row in listed(name) if limits.admits(spec_terms(row[0]))]
    evenest = solve(space, seed, limits, objective="even", gap=0.0)
    assert evenest.values[0] == pytest.approx(max(found.value for _, found, _ in rows), abs=1e-9)
    assert evenest.bound >= evenest.values[0] - 1e-9

    found = network_evenness(evenest.networks[0].genes, 3, seed.resolution)
    for width in (0.0, 0.1, 0.5):
        band = make_band(found, width, limits, evenest.bound)
        assert band.is_proven
        inside = [
            score
            for _, each, score in rows
            if each.value >= band.floor - 1e-12 and each.residual_units <= band.most_units
        ]
        result = solve(space, seed, limits, band=band, gap=0.0)
        assert result.values[0] == pytest.approx(max(inside), abs=1e-9)
        assert result.bound >= max(inside) - 1e-9
        assert upper_bound(space, seed, limits, band=band) >= max(inside) - 1e-9


@pytest.mark.parametrize("cost", ["params", "weights"])
def test_a_limit_on_what_a_network_holds_has_a_price_in_the_band(cost: str) -> None:
    space, seed = TINY["mbconv"], TINY["mbconv"].seeds[0]

    def held(spec: ArchSpec) -> int:
        network = spec.genes, spec.in_channels, spec.resolution, spec.classifier
        return spec.cost.params if cost == "params" else 4 * footprint(*network).weights

    most = sorted(held(spec) for spec, _, _ in listed("mbconv"))[len(listed("mbconv")) // 5]
    limits = limits_of("mbconv", 0.9).replace(**{cost: most})
    rows = [row for row in listed("mbconv") if held(row[0]) <= most and row[0].cost.macs <= limits["macs"]]
    best = max((found for _, found, _ in rows), key=lambda found: found.value)
    band = make_band(best, 0.3, limits)
    inside = max(score for spec, _, score in rows if band.admits(spec.genes, (3, seed.resolution)))
    result = solve(space, seed, limits, band=band, gap=0.0)
    assert result.values[0] == pytest.approx(inside, abs=1e-9)
    assert inside - 1e-9 <= result.bound <= inside + 1e-6

    problem = read_problem(space, seed, limits, convention="paper", norm="frobenius", alpha=0.01, is_even=True)
    relaxation = Relaxation(replace(problem, evenness=Evenly(4, 2, band.floor, 1e4, limits["macs"])))
    point, _ = relaxation.start()
    assert relaxation.rates(point).params > 0
    assert relaxation.point_at(relaxation.coordinates(point)).prices == pytest.approx(point.prices)


def test_the_bound_on_evenness_holds_at_any_tangents_and_is_tight_where_they_touch() -> None:
    random = Random(7)
    for _, found, _ in listed("basic"):
        levels = [macs for _, macs in found.level_macs]
        evenly = Evenly(found.residual_units, len(levels), None, found.macs, found.macs)
        tangents = [macs * random.uniform(0.2, 5) for macs in levels]
        assert evenly.at(found, levels) == pytest.approx(found.value, abs=1e-9)
        assert evenly.at(found, tangents) >= found.value - 1e-9


def test_a_band_that_is_wider_has_no_lower_score_and_none_above_the_score_without() -> None:
    space, limits = TINY["basic"], limits_of("basic", 0.5)
    seed = space.seeds[0]
    evenest = solve(space, seed, limits, objective="even", gap=0.0)
    found = network_evenness(evenest.networks[0].genes, 3, seed.resolution)
    values = [
        solve(space, seed, limits, band=make_band(found, width, limits), gap=0.0).values[0]
        for width in (0.0, 0.05, 0.2, 10.0)
    ]
    assert values == sorted(values)
    assert values[-1] <= max(score for spec, _, score in listed("basic") if limits.admits(spec_terms(spec)))


@pytest.mark.parametrize(
    "words",
    [["--preset", "cifar-1m"], ["--resolution", "32", "--num-classes", "10", "--max-macs", "5M"]],
    ids=["bound", "band"],
)
def test_a_run_that_goes_on_keeps_what_the_exact_search_found(
    words: list[str], zen_here: ZenHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [*words, "--verify", "0", "--top", "1", "--quiet"]
    (first,) = zen_here("search", *words, "--budget", "2kevals", "--out", "run").rows
    kept = (zen_here.folder / "run" / "opening.json").read_bytes()

    def solved_again(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(auto, "_solve", solved_again)
    (last,) = zen_here("search", "--resume", "run", "--budget", "4kevals", "--quiet").rows
    assert (zen_here.folder / "run" / "opening.json").read_bytes() == kept
    before, after = first["search"], last["search"]
    assert after["score"] >= before["score"]
    if "--preset" in words:
        assert after["bound"] == before["bound"] >= after["score"]
    else:
        assert after["evenness"]["best"] == before["evenness"]["best"]
