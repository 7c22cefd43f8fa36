"""The evolution alone, on a toy: genomes are pairs of small numbers, the score a bumpy function of them."""

from __future__ import annotations

import math
from collections import Counter
from random import Random
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zen_cli.nas.algorithms.evolution import Evolution
from zen_cli.nas.algorithms.proposer import Rating


def toy_neighbour(genome: tuple[int, int], random: Random) -> tuple[int, int]:
    a, b = genome
    return (max(0, min(60, a + random.randint(-3, 3))), max(0, min(60, b + random.randint(-3, 3))))


def toy_rating(genome: tuple[int, int]) -> Rating | None:
    a, b = genome
    if (a + b) % 7 == 3:
        return None
    return Rating(float(100 + a * b // 100), params=a, macs=b)


def toy(seed: int = 0, population: int = 20, lineages: int = 3) -> Evolution:
    start = toy_rating((0, 0))
    assert start is not None
    return Evolution(toy_neighbour, ((0, 0), start), seed=seed, population=population, lineages=lineages)


def drive(evolution: Evolution, steps: int) -> list[Any]:
    rows = []
    for _ in range(steps):
        proposals = evolution.propose()
        rows.append(list(proposals))
        evolution.tell([toy_rating(genome) for genome in proposals])
    return rows


@given(seed=st.integers(0, 2**63 - 1), steps=st.integers(1, 200))
def test_the_same_seed_proposes_the_same_and_a_short_search_begins_a_long_one(seed: int, steps: int) -> None:
    short, long = toy(seed), toy(seed)
    rows = drive(short, steps)
    assert rows == drive(long, steps)
    assert short.population == long.population
    drive(long, steps)
    assert long.best >= short.best


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32), before=st.integers(0, 150), lineages=st.integers(1, 9))
def test_a_restored_evolution_goes_on_as_if_nothing_had_happened(seed: int, before: int, lineages: int) -> None:
    whole = toy(seed, lineages=lineages)
    drive(whole, before)
    state = orjson.loads(orjson.dumps(whole.state()))
    rest = toy(seed + 1, lineages=lineages)
    rest.restore(state, tuple)
    assert drive(rest, 100) == drive(whole, 100)
    assert rest.population == whole.population
    assert rest.state() == whole.state()


def test_a_restored_evolution_goes_on_over_the_end_of_a_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zen_cli.nas.algorithms.evolution.FIRST_ROUND", 100)
    whole = toy()
    drive(whole, 90)
    assert whole.round > 0
    rest = toy()
    rest.restore(orjson.loads(orjson.dumps(whole.state())), tuple)
    assert drive(rest, 400) == drive(whole, 400)
    assert rest.state() == whole.state()
    assert whole.round > 2


def test_the_population_holds_the_best_of_all_that_was_accepted_once_each() -> None:
    evolution = toy(population=12)
    accepted = set()
    for _ in range(500):
        proposals = evolution.propose()
        evolution.tell([toy_rating(genome) for genome in proposals])
        accepted |= {member.genome for member in evolution._lineages}
    rows = evolution.population
    assert len(rows) == len({member.genome for member in rows}) == 12
    assert rows == sorted(rows, reverse=True)
    ranked = sorted(accepted, key=lambda g: (toy_rating(g).score, -g[0], -g[1]), reverse=True)  # type: ignore[union-attr]
    assert [member.genome for member in rows] == ranked[:12]
    assert evolution.best == rows[0]


def test_ties_are_broken_by_parameters_then_by_macs() -> None:
    evolution = toy(population=60)
    drive(evolution, 400)
    keys = [(-member.score, -member.params, -member.macs) for member in evolution.population]
    assert keys == sorted(keys)
    assert len({score for score, _, _ in keys}) < len(keys)


def test_a_population_of_one_and_a_single_lineage() -> None:
    evolution = toy(population=1, lineages=1)
    drive(evolution, 300)
    assert [evolution.best] == evolution.population


def test_a_move_that_leads_back_counts_and_needs_no_rating() -> None:
    start = (0, Rating(1.0, 1, 1))
    evolution = Evolution(lambda genome, _: genome, start, seed=0, population=8, lineages=4)
    for _ in range(5):
        assert evolution.propose() == []
        evolution.tell([])
    assert evolution.proposals == 20
    assert [member.genome for member in evolution.population] == [0]


def test_rounds_double_and_patience_counts_those_without_a_better_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zen_cli.nas.algorithms.evolution.FIRST_ROUND", 60)
    evolution = toy(lineages=1)
    for _ in range(60 * 31):
        evolution.tell([Rating(1.0, 1, 1)] * len(evolution.propose()))
    assert evolution.round == 5
    assert evolution.idle_rounds >= 4


# The rules of a step, each by what it makes the lineages do.


START = (0.0,)


def child(parent: tuple[float, ...], random: Random) -> tuple[float, ...]:
    """A genome that begins with its parent."""
    return (*parent, random.random())


def lineages_of(evolution: Evolution) -> Counter[Any]:
    """How many lineages are at each genome."""
    return Counter(row[3] for row in evolution.state()["lineages"])


def told(evolution: Evolution, rating: Rating | None) -> list[Any]:
    """One step in which every proposal has the same rating; gives the proposals."""
    proposals = evolution.propose()
    evolution.tell([rating] * len(proposals))
    return proposals


def one_ahead(lineages: int) -> tuple[Evolution, Any]:
    """An evolution whose first lineage is at a better network than the others, and that network."""
    evolution = Evolution(child, (START, Rating(1.0, 1, 1)), seed=1, population=4, lineages=lineages)
    first, *others = evolution.propose()
    evolution.tell([Rating(2.0, 1, 1)] + [None] * len(others))
    assert lineages_of(evolution) == Counter([first] + [START] * (lineages - 1))
    return evolution, first


def test_a_lineage_follows_a_better_one_with_its_probability_and_never_a_worse_one() -> None:
    lineages, steps = 4, 3500  # within the first round
    evolution, best = one_ahead(lineages)
    parents = Counter(proposal[:-1] for _ in range(steps) for proposal in told(evolution, None))
    assert set(parents) == {best, START}
    followed = parents[best] - steps  # the best lineage itself proposes in every step
    expected = steps * (lineages - 1) * 0.03 / lineages  # the lineage to follow is drawn from all
    assert abs(followed - expected) < 4 * math.sqrt(expected)
    assert lineages_of(evolution) == Counter([best] + [START] * (lineages - 1))  # which nothing was accepted to change


@pytest.mark.parametrize("lineages", [1, 2, 5, 8])
def test_a_new_round_restarts_half_at_the_best_and_half_at_the_beginning(
    lineages: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    evolution, best = one_ahead(lineages)
    monkeypatch.setattr("zen_cli.nas.algorithms.evolution.FIRST_ROUND", 2 * lineages)
    told(evolution, Rating(1.5, 1, 1))
    assert evolution.round == 1
    half = lineages // 2
    assert lineages_of(evolution) == Counter([best] * half + [START] * (lineages - half))


def test_a_loss_of_one_temperature_is_accepted_by_one_in_e() -> None:
    accepted, steps = 0, 4000
    for seed in range(steps // 50):
        evolution = Evolution(child, (START, Rating(1.0, 1, 1)), seed=seed, population=4, lineages=50)
        told(evolution, Rating(1.0 - evolution.temperature, 1, 1))
        accepted += 50 - lineages_of(evolution)[START]
    expected = steps / math.e
    assert abs(accepted - expected) < 4 * math.sqrt(expected * (1 - 1 / math.e))


def test_what_is_as_good_is_always_accepted() -> None:
    evolution = Evolution(child, (START, Rating(1.0, 1, 1)), seed=0, population=4, lineages=50)
    told(evolution, Rating(1.0, 1, 1))
    assert lineages_of(evolution)[START] == 0


def test_the_temperature_falls_through_a_round_and_is_hot_again_in_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zen_cli.nas.algorithms.evolution.FIRST_ROUND", 40)
    evolution = Evolution(child, (START, Rating(1.0, 1, 1)), seed=0, population=4, lineages=1)
    rounds: list[list[float]] = [[], []]
    while evolution.round < 2:
        rounds[evolution.round].append(evolution.temperature)
        told(evolution, None)
    for temperatures in rounds:
        assert temperatures == sorted(temperatures, reverse=True)
        assert temperatures[0] == pytest.approx(2.5e-3)
        assert temperatures[-1] == pytest.approx(1e-4, rel=0.1)
    assert [len(temperatures) for temperatures in rounds] == [40, 80]
