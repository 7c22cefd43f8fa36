"""Spaces of RegNets are listed whole: as many networks as all of their numbers give, counted as anywhere else."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zen_cli.errors import UsageError
from zen_cli.metrics.evenness import depth_term, depth_terms, network_evenness
from zen_cli.metrics.terms import score_spec, spec_terms
from zen_cli.nas.algorithms.exact.lines import list_lines
from zen_cli.nas.algorithms.exact.solve_listed import solve_listed
from zen_cli.nas.answer import search
from zen_cli.nas.band import make_band
from zen_cli.nas.budget import Budget
from zen_cli.nas.limits import Limits
from zen_cli.nas.request import check_request
from zen_cli.nas.shapes import WORTH, shape_of
from zen_cli.nas.space import RegNetGenome, RegNetSpace, to_spec
from zen_cli.nas.space.line import stages_of
from zen_cli.net.spec import ArchSpec

DOCUMENT: dict[str, Any] = {
    "kind": "regnet",
    "name": "small",
    "initial_width": {"min": 8, "max": 16},
    "slope": {"min": 20, "max": 120},
    "factor": {"min": 224, "max": 226},
    "depth": {"min": 5, "max": 7},
    "group_widths": [0, 8, 16],
    "ratios": [1, 2],
    "rules": {},
}
STYLES: tuple[dict[str, Any], ...] = ({}, {"se": 0.25}, {"unit": {"shortcut": "needed"}, "stages": 3})
LIMITS = Limits(macs=30_000_000, params=400_000)


def space_of(**more: Any) -> RegNetSpace:
    return RegNetSpace.model_validate({**DOCUMENT, **more}, strict=False)


def members(space: RegNetSpace, seed: ArchSpec) -> dict[str, tuple[RegNetGenome, ArchSpec]]:
    """All members, number by number."""
    spans = [range(each.min, each.max + 1) for each in (space.slope, space.factor, space.depth)]
    width = space.initial_width
    found = {}
    for numbers in product(range(width.min, width.max + 1, 8), *spans, space.group_widths, space.ratios):
        genome = RegNetGenome(*numbers)
        if not space.excludes(genome, seed):
            spec = to_spec(space.genes(genome, seed), seed)
            found.setdefault(spec.id, (genome, spec))
    return found


@pytest.mark.parametrize("more", STYLES[:2])
def test_the_list_has_all_stages_that_the_numbers_give(more: dict[str, Any]) -> None:
    space = space_of(**more)
    width = space.initial_width
    numbers = product(
        range(width.min, width.max + 1, 8),
        *(range(each.min, each.max + 1) for each in (space.slope, space.factor, space.depth)),
    )
    wanted = {stages for each in numbers if len(stages := stages_of(RegNetGenome(*each, 8, 1))) == space.stages}
    found = set()
    for lines in list_lines(space, space.depth.max):
        for widths, depths, last in zip(lines.widths.tolist(), lines.depths.tolist(), lines.last.tolist(), strict=True):
            for units in range(1, last + 1):
                if sum(depths) + units >= space.depth.min:
                    found.add(tuple(zip(widths, [*depths, units], strict=True)))
    assert found == wanted


@pytest.mark.parametrize("more", STYLES)
@pytest.mark.parametrize("resolution", [32, 96])
def test_the_optimum_is_that_of_all_members_counted_one_by_one(more: dict[str, Any], resolution: int) -> None:
    space = space_of(**more)
    seed = space.seed(resolution)
    rows = [(genome, spec) for genome, spec in members(space, seed).values() if LIMITS.admits(spec_terms(spec))]
    evens = [network_evenness(spec.genes, 3, resolution) for _, spec in rows]
    evenest = solve_listed(space, seed, LIMITS, objective="even")
    assert evenest.values[0] == max(even.value for even in evens)
    assert evenest.bound == pytest.approx(evenest.values[0], abs=1e-9)
    band = make_band(max(evens, key=lambda even: even.value), 0.8, LIMITS)
    inside = [spec for _, spec in rows if band.admits(spec.genes, (3, resolution))]
    scores = sorted((score_spec(spec) for spec in inside), reverse=True)
    result = solve_listed(space, seed, LIMITS, band=band, top=5, similar=True)
    assert 5 < len(inside) < len(rows)
    assert list(result.values) == pytest.approx(scores[:5], abs=1e-9)
    assert (result.gap, result.stopped) == (pytest.approx(0, abs=1e-12), "optimal")
    shapes: dict[Any, float] = {}
    for spec in inside:
        shapes[shape_of(spec.genes)] = max(shapes.get(shape_of(spec.genes), 0.0), score_spec(spec))
    wanted = [value for value in sorted(shapes.values(), reverse=True) if value >= (1 - WORTH) * scores[0]][:3]
    different = solve_listed(space, seed, LIMITS, band=band, top=len(wanted))
    assert list(different.values) == pytest.approx(wanted, abs=1e-9)


def test_the_l1_score_of_the_other_convention_is_listed_too() -> None:
    space = space_of()
    seed = space.seed(32)
    score: dict[str, Any] = {"norm": "l1", "convention": "zennas"}
    values = [score_spec(spec, **score) for _, spec in members(space, seed).values() if LIMITS.admits(spec_terms(spec))]
    result = solve_listed(space, seed, LIMITS, **score)
    assert result.values[0] == pytest.approx(max(values), abs=1e-9)


def test_depth_terms_are_those_of_one_network() -> None:
    units, macs = np.array([3, 11, 18, 40, 8]), np.array([3e7, 5e7, 3e8, 1e9, 3.9e7])
    wanted = [depth_term(int(one), float(other)) for one, other in zip(units, macs, strict=True)]
    assert depth_terms(units, macs).tolist() == pytest.approx(wanted, rel=1e-14)


def test_a_search_in_a_space_of_regnets_is_proven(tmp_path: Path) -> None:
    path = tmp_path / "space.json"
    path.write_text(json.dumps({**DOCUMENT, "schema": "zen-space/1", "depth": {"min": 5, "max": 12}}))
    settings = check_request(
        {
            "space": str(path),
            "max_macs": "30M",
            "evenness": "0.5",
            "verify": 0,
            "top": 4,
            "resolution": 96,
            "budget": ("100kevals",),
        }
    )
    outcome = search(settings)
    scores = [row.score for row in outcome.candidates]
    assert outcome.bound == pytest.approx(scores[0], abs=1e-9)
    assert outcome.stopped == "gap"
    assert outcome.band is not None
    assert outcome.band.is_proven
    exact = search(settings.model_copy(update={"algorithm": "exact", "budget": Budget()}))
    assert [row.score for row in exact.candidates] == pytest.approx(scores, abs=1e-9)


@pytest.mark.parametrize(
    ("limits", "more", "message"),
    [
        (Limits(macs=1_000), {}, "limits: the smallest networks of the space exceed them"),
        (Limits(macs=10**8, sublayers=30), {}, "max_sublayers: is no sum over units"),
        (Limits(params=10**6), {"objective": "even"}, "max_macs: is missing"),
    ],
)
def test_what_cannot_be_listed_is_refused(limits: Limits, more: dict[str, Any], message: str) -> None:
    space = space_of()
    with pytest.raises(UsageError, match=message):
        solve_listed(space, space.seed(32), limits, **more)


def test_without_evenness_deep_spaces_are_left_to_the_evolution() -> None:
    space = space_of(depth={"min": 5, "max": 64})
    with pytest.raises(UsageError, match=r"too many networks of up to 64 units to list; lower depth\.max"):
        solve_listed(space, space.seed(32), LIMITS)


def test_a_listing_that_is_ended_proves_nothing() -> None:
    space = space_of()
    result = solve_listed(space, space.seed(32), LIMITS, deadline=lambda: True)
    assert (result.networks, result.bound, result.stopped) == ((), float("inf"), "deadline")


def test_a_search_that_is_ended_before_its_first_network_says_so(tmp_path: Path) -> None:
    path = tmp_path / "space.json"
    path.write_text(json.dumps({**DOCUMENT, "schema": "zen-space/1"}))
    settings = check_request(
        {"space": str(path), "max_macs": "30M", "resolution": 96, "algorithm": "exact", "verify": 0}
    )
    outcome = search(settings.model_copy(update={"budget": Budget(seconds=1e-6)}))
    assert (outcome.candidates, outcome.stopped) == ((), "time")
