"""The default algorithm under a latency and a limit on parameters begins with the best network of a limit on MACs."""

from __future__ import annotations

import time
from typing import Any

import pytest
from test_target import a_target

from zen_cli.metrics.terms import score_spec
from zen_cli.nas.algorithms.auto import open_exactly
from zen_cli.nas.algorithms.exact.solve import solve
from zen_cli.nas.algorithms.timed import can_open, without_latency
from zen_cli.nas.answer import search
from zen_cli.nas.outcome import Callbacks
from zen_cli.nas.request import check_request
from zen_cli.nas.space import to_spec
from zen_cli.target.latency import latency_ms

TARGET = a_target()


def settings(latency: str = "1ms", **more: Any) -> Any:
    known = {"target": TARGET, "max_latency": latency, "resolution": 96, "max_macs": "100M", "max_sublayers": "9"}
    known |= {"max_params": "5M"}
    return check_request({"evenness": "off", "verify": 0, "budget": ["3000evals"], **known, **more})


def test_it_begins_with_the_best_of_a_limit_on_macs_that_keeps_the_latency_and_ends_with_none_worse() -> None:
    problem = settings()
    opening = open_exactly(problem, Callbacks(), time.monotonic())
    assert opening is not None and opening.bound is not None and not opening.is_exact
    limit, seed = problem.limits.lowered("latency"), problem.seed_network()
    start = to_spec(opening.start, seed)
    assert 0.9 * limit < latency_ms(TARGET, start) <= limit
    assert all(latency_ms(TARGET, to_spec(other, seed)) <= limit for other in opening.others)
    limits = without_latency(problem).limits.replace(macs=start.cost.macs)
    alone = solve(problem.space, seed, limits, gap=0.0)
    assert score_spec(start) == pytest.approx(alone.values[0], rel=0.01)  # the opening stops at a gap
    found = search(problem)
    assert score_spec(start) <= found.candidates[0].score <= opening.bound
    assert found.bound == opening.bound
    assert latency_ms(TARGET, found.candidates[0].spec) <= limit


def test_a_latency_that_decides_nothing_leaves_the_exact_answer() -> None:
    problem = settings("900ms", gap=0.2)
    opening = open_exactly(problem, Callbacks(), time.monotonic())
    assert opening is not None and opening.is_exact and opening.is_proven
    assert open_exactly(without_latency(problem), Callbacks(), time.monotonic()) == opening


def test_what_the_exact_search_does_not_take_is_the_evolutions_alone() -> None:
    assert can_open(settings()) and not can_open(without_latency(settings()))
    assert not can_open(settings(evenness=None)) and not can_open(settings(max_params=None))
    assert not can_open(settings(space="regnet"))
    assert open_exactly(settings(evenness=None), Callbacks(), time.monotonic()) is None


def test_a_latency_below_every_network_is_said() -> None:
    with pytest.raises(Exception, match="max_latency: "):
        search(settings("0.0001ms"))
