"""Finalists: what breaks the limit when measured is left out, and a search goes on where all do; the clock is fake."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fake_backend import FakeBackend
from test_target import a_target

from zen_cli import api
from zen_cli.errors import UsageError
from zen_cli.nas.answer import search
from zen_cli.nas.request import check_request
from zen_cli.net.spec import ArchSpec
from zen_cli.profiling import finalists
from zen_cli.profiling.machine import host, processor
from zen_cli.profiling.references import references, references_for
from zen_cli.target.latency import latency_ms
from zen_cli.target.model import Target

ELSEWHERE = a_target()
REFERENCES = {name: latency_ms(ELSEWHERE, spec) for name, spec in references().items()}
HERE = a_target(host=host(), processor=processor(), references=REFERENCES)
LIMIT = 1.0


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[ArchSpec], float]], FakeBackend]:
    """Makes a machine on which a network takes so many times what is predicted."""

    def make(factor: Callable[[ArchSpec], float]) -> FakeBackend:
        backend = FakeBackend(lambda spec: latency_ms(HERE, spec) * factor(spec))
        backend.rule(monkeypatch, finalists)
        return backend

    return make


def request(**more: Any) -> Any:
    known = {"target": HERE, "max_latency": f"{LIMIT}ms", "budget": ["1500evals"], "verify": 0, "top": 3}
    known |= {"algorithm": "evolution"}  # how the networks were found does not matter here
    return check_request(
        {**known, "resolution": 96, "max_macs": "200M", "evenness": "off", "max_sublayers": "9", **more}
    )


def test_only_a_target_of_this_machine_with_a_limit_is_measured() -> None:
    assert finalists.can_measure(request())
    assert not finalists.can_measure(request(max_latency=None))
    assert not finalists.can_measure(request(target=HERE.model_copy(update={"host": "elsewhere"})))


def test_what_keeps_the_limit_without_room_is_handed_over_only_where_nothing_has_room(machine: Any) -> None:
    settings = request()
    outcome = search(settings)
    near = outcome.candidates[0].spec
    machine(lambda spec: 0.99 * LIMIT / latency_ms(HERE, spec) if spec.id == near.id else 0.5)
    assert near.id not in {row.spec.id for row in finalists.measure_finalists(settings, outcome).outcome.candidates}
    machine(lambda spec: 0.99 * LIMIT / latency_ms(HERE, spec))
    assert finalists.measure_finalists(settings, outcome).outcome.candidates[0].spec.id == near.id


def test_what_breaks_the_limit_is_left_out(machine: Any) -> None:
    settings = request()
    outcome = search(settings)
    slow = {candidate.spec.id for candidate in outcome.candidates[:2]}
    backend = machine(lambda spec: 1.5 if spec.id in slow else 1.0)
    found = finalists.measure_finalists(settings, outcome)
    assert found.rejected == 2 and found.factor == pytest.approx(1.5)
    assert backend.opened == backend.closed > 0
    assert slow.isdisjoint(found.outcome.measured) and found.outcome.candidates
    for candidate in found.outcome.candidates:
        row = found.outcome.measured[candidate.spec.id]
        assert row.ms == pytest.approx(latency_ms(HERE, candidate.spec)) and row.ms <= LIMIT
        assert row.spread == pytest.approx(0, abs=1e-9)


def test_no_more_networks_are_measured_than_the_answer_needs(machine: Any) -> None:
    """One of the eight that would be verified breaks the limit: seven are enough for an answer of three."""
    settings = request(verify=8)
    outcome = search(settings)
    slow = outcome.candidates[0].spec.id
    backend = machine(lambda spec: 1.5 if spec.id == slow else 0.9)
    found = finalists.measure_finalists(settings, outcome)
    assert found.rejected == 1 and len(found.outcome.candidates) == 7
    known = references_for(candidate.spec for candidate in outcome.candidates[:8])
    assert backend.opened == finalists.ROUNDS * (8 + len(known)) and len(known) <= 5


def test_a_search_goes_on_below_the_limit_where_none_keeps_it(machine: Any) -> None:
    machine(lambda _: 1.4)
    settings, factors = request(), []

    def again(changed: Any, factor: float) -> Any:
        factors.append(factor)
        return search(changed)

    found = finalists.measure_until_kept(settings, search(settings), again)
    assert factors == [pytest.approx(1.4)] and found.rejected > 0
    times = [found.outcome.measured[candidate.spec.id].ms for candidate in found.outcome.candidates]
    assert times and max(times) <= LIMIT


def test_it_ends_where_no_network_ever_keeps_the_limit(machine: Any) -> None:
    machine(lambda spec: 1.2 * LIMIT / latency_ms(HERE, spec))
    settings, outcomes = request(), []

    def again(changed: Any, _: float) -> Any:
        outcomes.append(changed.limits["latency"])
        return search(changed)

    found = finalists.measure_until_kept(settings, search(settings), again)
    assert not found.outcome.candidates and found.rejected > 0 and 1 <= len(outcomes) <= finalists.SEARCHES
    assert outcomes == sorted(outcomes, reverse=True) and outcomes[0] < LIMIT


def test_python_searches_under_a_latency_and_measures(machine: Any) -> None:
    machine(lambda _: 1.02)
    found = api.search(
        target=HERE,
        max_latency="1ms",
        limits={"macs": 200e6, "sublayers": 9},
        proxy="zen",
        algorithm="evolution",
        resolution=96,
        budget="1500evals",
        verify=0,
        top=2,
    )
    for record in found:
        assert record.search is not None and record.search.latency is not None
        row = record.search.latency
        assert row.measured_ms == pytest.approx(1.02 * row.predicted_ms) and row.measured_ms <= 1
        assert row.drift == pytest.approx(1.02)


def test_python_scores_on_a_target() -> None:
    from zen_cli import score
    from zen_cli.networks import find

    target: Target = HERE
    spec = find("mobilenet_v2").spec
    record = score(spec, estimator="mean-field", target=target)
    assert record.proxies["latency"].value == pytest.approx(latency_ms(target, spec))
    with pytest.raises(UsageError, match="int8 is asked for and laptop is of float32"):
        score(spec, estimator="mean-field", target=target, dtype="int8")
    assert score(spec, estimator="mean-field", dtype="int8").cost.memory == 1_505_280
