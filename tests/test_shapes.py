"""An answer of several networks has several shapes: the best of each, as long as they are worth it."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zen_cli.nas.algorithms import evolution as evolution_module
from zen_cli.nas.algorithms.descent import Carried, Descent
from zen_cli.nas.algorithms.evolution import Evolution
from zen_cli.nas.algorithms.proposer import Rating
from zen_cli.nas.answer import search
from zen_cli.nas.request import check_request
from zen_cli.nas.settings import SearchSettings
from zen_cli.nas.shapes import WORTH, different_first, shape_of
from zen_cli.net.ops import Gene


def test_the_shape_is_the_sublayers_at_each_resolution() -> None:
    genes = [Gene("conv", 3, 8, 2, 1), Gene("mbconv", 3, 8, 1, 3), Gene("basic", 3, 8, 2, 4), Gene("conv", 1, 8, 1, 1)]
    sublayers = [gene.sublayers for gene in genes]
    assert shape_of(genes) == (0, sublayers[0] + sublayers[1], sublayers[2] + sublayers[3])
    wider = [gene._replace(width=16, kernel=5) for gene in genes]
    assert shape_of(wider) == shape_of(genes)


@given(st.lists(st.tuples(st.floats(-100, 100), st.integers(0, 5)), max_size=30), st.integers(1, 8))
def test_the_best_of_each_shape_come_first(rows: list[tuple[float, int]], count: int) -> None:
    rows.sort(key=lambda row: -row[0])
    scores, shapes = [row[0] for row in rows], [(row[1],) for row in rows]
    places = different_first(scores, shapes, count)
    assert sorted(places) == list(range(len(rows)))
    worth = [place for place, score in enumerate(scores) if score >= scores[0] - WORTH * abs(scores[0])]
    best = [place for place in worth if shapes.index(shapes[place]) == place][:count]
    assert places[: len(best)] == best
    assert places[len(best) :] == sorted(places[len(best) :])


def settings(**more: Any) -> SearchSettings:
    return check_request(
        {"preset": "cifar-1m", "budget": ("16kevals",), "verify": 0, "algorithm": "evolution", "top": 6, **more}
    )


def test_an_answer_has_different_shapes_unless_similar_ones_are_wanted() -> None:
    different, similar = search(settings()), search(settings(similar=True))
    assert different.candidates[0] == similar.candidates[0]
    scores = [row.score for row in different.candidates]
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] >= (1 - WORTH) * scores[0]
    shapes = [{shape_of(row.spec.genes) for row in outcome.candidates} for outcome in (different, similar)]
    assert len(shapes[0]) == 6
    assert len(shapes[1]) < 6


def test_the_best_of_each_shape_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evolution_module, "SHAPES", 4)

    def evolution() -> Evolution:
        return Evolution(
            lambda genome, random: max(0, genome + random.choice((-1, 1))),
            (0, Rating(1.0, 1, 1)),
            seed=3,
            population=2,
            lineages=2,
            shape=lambda genome: genome // 10,
        )

    def rate(genome: int) -> Rating:
        return Rating(1.0 + genome % 7 / 1e4, 1, 1)  # all are accepted for a while

    whole, seen = evolution(), {0}
    for _ in range(3000):
        genomes = whole.propose()
        seen |= set(genomes)
        whole.tell([rate(genome) for genome in genomes])
    best: dict[int, float] = {}
    for member in whole.population:
        shape = member.genome // 10
        best[shape] = max(best.get(shape, 0.0), member.score)
    assert 4 <= len(best) <= 9
    assert max(best.values()) == max(rate(genome).score for genome in seen)
    other = evolution()
    other.restore(whole.state(), int)
    assert other.state() == whole.state()
    assert other.population == whole.population


def test_shapes_do_not_change_what_the_evolution_finds() -> None:
    def run(shape: Any) -> Any:
        one = Evolution(
            lambda genome, random: genome + random.choice((-1, 1)),
            (0, Rating(1.0, 1, 1)),
            seed=1,
            population=9,
            lineages=3,
            shape=shape,
        )
        for _ in range(500):
            generator = Random(5)
            one.tell([Rating(1 - genome % 13 / 100 + generator.random() / 1e6, 1, 1) for genome in one.propose()])
        return one.best, one.state()["lineages"]

    assert run(lambda _: None) == run(lambda genome: genome % 3)


def test_what_a_descent_met_on_its_way_is_remembered_by_its_shape() -> None:
    def carry(genome: int) -> Carried:
        return Carried(genome, 3, [genome + 1000, genome + 2000])

    whole = Evolution(
        lambda genome, random: genome + 1,
        (0, Rating(1.0, 1, 1)),
        seed=3,
        population=2,
        lineages=2,
        shape=lambda genome: genome // 1000,
        descent=Descent(0.3, 0, 9, carry),
    )
    for _ in range(20):
        whole.tell([Rating(1.0 + genome % 1000 / 1e4 - genome // 1000, 1, 1) for genome in whole.propose()])
    best = max(member.genome for member in whole.population if member.genome < 1000)
    assert {member.genome for member in whole.population if member.genome >= 1000} == {best + 1000, best + 2000}
    assert all(row[-1] < 1000 for row in whole.state()["lineages"])
    assert whole.proposals == 60
