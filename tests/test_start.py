"""The first member of a search: wherever there is one within the limits, it is found, also next to the boundary."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from zen_cli.errors import SpecError
from zen_cli.nas.request import check_request
from zen_cli.nas.scorers import Evaluator
from zen_cli.nas.start import find_start

# The least depth to width ratio of members of so many parameters, by a long annealing under a hard limit.
LEAST_RATIOS = (
    ("mobile", 60_000, 0.5708),
    ("mobile", 300_000, 0.3011),
    ("zennet-mobile", 300_000, 0.2403),
    ("zennet-resnet", 60_000, 0.0389),
    ("regnet", 60_000, 0.2206),
    ("regnet", 300_000, 0.1243),
)


def start(space: str, params: int, ratio: float, seed: int) -> tuple[Evaluator, Any, Any]:
    settings = check_request(
        dict(
            space=space,
            resolution=16,
            num_classes=7,
            max_params=str(params),
            max_depth_width_ratio=ratio,
            budget=("800evals",),
            verify=0,
        )
    )
    evaluator, walk = Evaluator(settings.space, settings.seed_network(), "paper"), Random(seed)
    genome = find_start(evaluator, settings.limits, lambda genome: settings.space.neighbour(genome, walk))
    return evaluator, settings.limits, genome


@pytest.mark.parametrize(("space", "params", "ratio"), LEAST_RATIOS)
def test_a_member_next_to_the_boundary_is_found_by_any_walk(space: str, params: int, ratio: float) -> None:
    for seed in range(5):
        evaluator, limits, genome = start(space, params, ratio * 1.05, seed)
        assert evaluator.terms(genome, limits) is not None


def test_where_none_is_found_the_nearest_is_named_and_nothing_is_claimed_of_all() -> None:
    with pytest.raises(SpecError) as caught:
        start("mobile", 60_000, 0.5, 0)
    message = str(caught.value)
    assert "no network was found that keeps all at once" in message
    assert (
        "max_depth_width_ratio 0.5 (found 0.5708)" in message
    )  # not that of a dead end, 0.585 with too many parameters
    assert "max_params" not in message
