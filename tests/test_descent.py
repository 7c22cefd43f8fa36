"""The local search of the evolution: where it ends nothing near is better, and it opens what random moves cannot."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from zen_cli.metrics.evenness import network_evenness
from zen_cli.metrics.terms import score_spec
from zen_cli.nas.algorithms.descent import Descent, make_descent
from zen_cli.nas.band import Band
from zen_cli.nas.request import check_request
from zen_cli.nas.scorers import Evaluator
from zen_cli.nas.settings import SearchSettings
from zen_cli.nas.shapes import shape_of
from zen_cli.nas.start import find_start


def problem(**request: Any) -> tuple[SearchSettings, Evaluator, Any]:
    """The settings, the evaluator, and a first network within the limits."""
    settings = check_request({"algorithm": "evolution", "budget": ("5kevals",), **request})
    evaluator = Evaluator(settings.space, settings.seed_network(), settings.score.convention)
    random = Random(0)
    start = find_start(evaluator, settings.limits, lambda genome: settings.space.neighbour(genome, random))
    return settings, evaluator, start


def descent_of(settings: SearchSettings, band: Band | None) -> Descent:
    descent = make_descent(settings, band)
    assert descent is not None
    return descent


def evenness(evaluator: Evaluator, genome: Any) -> float:
    return network_evenness(genome, evaluator.seed.in_channels, evaluator.seed.resolution).value


def test_a_descent_keeps_the_limits_and_no_neighbour_of_its_end_is_evener() -> None:
    settings, evaluator, start = problem(proxy="even", evenness="off")
    end, counted, _ = descent_of(settings, None)(start)
    best = evenness(evaluator, end)
    assert evaluator.terms(end, settings.limits) is not None
    assert best > evenness(evaluator, start) + 0.1
    assert 0 < counted <= descent_of(settings, None).most
    random = Random(1)
    for _ in range(200):  # changes of one block; the local search reaches most of these
        other = settings.space.mutate(end, random)
        if evaluator.terms(other, settings.limits) is not None and len(other) == len(end):
            assert evenness(evaluator, other) <= best + 1e-9


def test_a_descent_is_a_function_of_where_it_begins() -> None:
    settings, _, start = problem(proxy="even", evenness="off")
    descent = descent_of(settings, None)
    first = descent(start)
    descent(first[0])
    assert descent(start) == first == descent_of(settings, None)(start)


def test_a_descent_that_ends_against_the_rules_of_the_space_leads_nowhere() -> None:
    """Far above a limit a narrower block costs less than what it saves, but no member has one."""
    settings, evaluator, start = problem(max_macs="30M")
    stem, *_, head = start
    blocks = [(5, 8, 2, 2, 1), (5, 16, 2, 2, 2), (3, 64, 2, 6, 4), (5, 64, 2, 2, 4), (5, 64, 1, 2, 4)]
    blocks += [(5, 64, 1, 2, 6)] * 2
    heavy = (
        stem,
        *(
            start[1]._replace(kernel=kernel, width=width, mid=width, stride=stride, depth=depth, expansion=expansion)
            for kernel, width, stride, depth, expansion in blocks
        ),
        head,
    )
    assert settings.space.excludes(heavy, evaluator.seed) == ""
    assert evaluator.terms(heavy, settings.limits) is None
    end, counted, _ = descent_of(settings, Band(16.46167307883363, 0.05, 16.802990386788917))(heavy)
    assert counted > 100
    assert settings.space.excludes(end, evaluator.seed) == ""


def test_a_descent_in_a_band_ends_in_the_band() -> None:
    settings, evaluator, start = problem()
    even = settings.model_copy(update={"proxy": "even", "evenness": None})
    evenest, *_ = descent_of(even, None)(start)
    band = Band(evenness(evaluator, evenest), 0.05, 27.0)
    end, *_ = descent_of(settings, band)(evenest)
    assert band.admits(end, (evaluator.seed.in_channels, evaluator.seed.resolution))
    assert evaluator.terms(end, settings.limits) is not None


def test_a_descent_hands_over_the_best_networks_of_other_shapes_that_it_met() -> None:
    settings, evaluator, start = problem()
    even = settings.model_copy(update={"proxy": "even", "evenness": None})
    evenest, *_ = descent_of(even, None)(start)
    band = Band(evenness(evaluator, evenest), 0.05, 27.0)
    end, _, others = descent_of(settings, band)(evenest)
    assert len(others) > 1
    assert len({shape_of(genome) for genome in others} | {shape_of(end)}) >= len(others)
    evaluator.band = band
    best = score_spec(evaluator.spec(end))
    for genome in others:
        assert evaluator.terms(genome, settings.limits) is not None
        assert score_spec(evaluator.spec(genome)) <= best


@pytest.mark.parametrize("request_", [{"preset": "cifar-1m"}, {"space": "regnet", "max_macs": "400M"}])
def test_there_is_none_without_a_band_or_where_the_problem_is_another(request_: dict[str, Any]) -> None:
    settings, _, _ = problem(**request_)
    band = None if settings.evenness is None else Band(19.0, 0.05, 27.0)
    assert make_descent(settings, band) is None


def test_moves_lead_to_a_block_before_the_first_stride() -> None:
    settings, _, start = problem()
    random = Random(0)
    assert start[1].stride == 2
    found = [settings.space.mutate(start, random) for _ in range(500)]
    opened = [genome for genome in found if genome[1].stride == 1]
    assert opened
    assert all(not settings.space.excludes(genome, settings.seed_network()) for genome in opened)
