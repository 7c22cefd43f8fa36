"""The search: a seed finds the same again, budgets hold by independent arithmetic, and answers are members that run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import count
from random import Random
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zen_cli.errors import RunError, SpecError, UsageError
from zen_cli.metrics import find
from zen_cli.metrics.metric import OnDraw
from zen_cli.metrics.terms import score_spec, spec_terms
from zen_cli.nas import opening
from zen_cli.nas.answer import VERIFY_SEED_STEP, add_bound, finish, search
from zen_cli.nas.climb import make_scorer
from zen_cli.nas.limits import Limits
from zen_cli.nas.members import random_members
from zen_cli.nas.outcome import Callbacks, Outcome
from zen_cli.nas.request import check_request
from zen_cli.nas.scorers import BatchScorer, Evaluator, Rating
from zen_cli.nas.settings import SearchSettings
from zen_cli.nas.space import BlockSpace, RegNetSpace, genome_of
from zen_cli.nas.start import find_start
from zen_cli.net.module import build
from zen_cli.net.spec import ArchSpec
from zen_cli.units import parse_count


def wanted(space: str = "zennet-resnet", evaluations: int = 3000, **more: Any) -> SearchSettings:
    """Settings of a small search."""
    defaults = {"resolution": 16, "num_classes": 10, "max_params": "100k", "max_sublayers": "10", "verify": 0, "top": 5}
    exact = more.get("algorithm") == "exact"  # which counts no evaluations
    budget = ("60s",) if exact else (f"{evaluations}evals",)
    return check_request(dict(space=space, **{"algorithm": "evolution", "budget": budget, **defaults, **more}))


def found(settings: SearchSettings) -> list[tuple[str, float]]:
    return [(candidate.spec.id, candidate.score) for candidate in search(settings).candidates]


# Whole searches.

SPACES = st.sampled_from(["resnet", "mobile", "regnet", "zennet-resnet", "zennet-mobile"])


def reference_ratio(spec: ArchSpec) -> float:
    """Layers over the geometric mean of what one output element reads, from the layers one by one."""
    side, logs = spec.resolution, []
    for unit in spec.units:
        logs += [math.log(layer.in_width // layer.groups * layer.kernel[0] ** 2) for layer in unit.layers(side)]
        side = (side - 1) // unit.stride + 1
    return len(logs) / math.exp(sum(logs) / len(logs))


def keeps(spec: ArchSpec, limits: Limits) -> bool:
    total = spec.cost
    used = {**total._asdict(), "depth_width_ratio": reference_ratio(spec)}
    return all(used[name] <= limit * (1 + 1e-12) for name, limit in limits.items())


@settings(max_examples=16)
@given(
    space=SPACES,
    seed=st.integers(0, 2**32),
    params=st.integers(60_000, 2_000_000),
    macs=st.none() | st.integers(8_000_000, 100_000_000),
    layers=st.none() | st.integers(24, 60),
    sublayers=st.none() | st.integers(12, 30),
    ratio=st.none() | st.floats(0.5, 3),
    resolution=st.sampled_from([16, 32]),
)
def test_what_comes_out_keeps_every_budget_is_a_member_and_runs(
    space: str,
    seed: int,
    params: int,
    macs: int | None,
    layers: int | None,
    sublayers: int | None,
    ratio: float | None,
    resolution: int,
) -> None:
    settings = check_request(
        dict(
            space=space,
            resolution=resolution,
            num_classes=7,
            max_params=str(params),
            max_macs=None if macs is None else str(macs),
            max_layers=None if layers is None else str(layers),
            max_sublayers=None if sublayers is None else str(sublayers),
            max_depth_width_ratio=ratio,
            budget=("800evals",),
            population=64,
            seed=seed,
            verify=0,
            top=20,
        )
    )
    try:
        candidates = search(settings).candidates
    except SpecError as error:  # a budget that the space cannot meet, said so
        assert "max_" in str(error)
        return
    members = settings.space
    assert len({candidate.spec.id for candidate in candidates}) == len(candidates)
    assert [candidate.score for candidate in candidates] == sorted(
        (candidate.score for candidate in candidates), reverse=True
    )
    for candidate in candidates:
        spec = candidate.spec
        assert keeps(spec, settings.limits)
        assert candidate.score == pytest.approx(score_spec(spec), abs=1e-9)
        assert (spec.resolution, spec.num_classes) == (resolution, 7)
        if isinstance(members, BlockSpace):
            assert members.excludes(genome_of(spec), members.seed(spec.resolution)) == ""
    best = candidates[0].spec
    with torch.no_grad():
        assert build(best).eval()(torch.zeros(1, 3, resolution, resolution)).shape == (1, 7)


@pytest.mark.parametrize("space", ["zennet-resnet", "zennet-mobile", "regnet"])
def test_the_population_holds_no_network_twice(space: str) -> None:
    seen: list[list[str]] = []

    def look(snapshot: Any, evaluator: Evaluator) -> None:
        seen.append([evaluator.spec(member.genome).id for member in snapshot.population])

    search(wanted(space, 2048, population=200, max_sublayers="30", evenness="off"), callbacks=Callbacks(look))
    assert len(seen) == 4
    assert len(seen[-1]) > 50
    for ids in seen:
        assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("space", ["zennet-resnet", "zennet-mobile", "regnet"])
def test_the_same_seed_finds_the_same_and_longer_searches_are_no_worse(space: str) -> None:
    more = {"max_sublayers": "30"}
    first = found(wanted(space, **more))
    assert found(wanted(space, **more)) == first
    assert found(wanted(space, seed=1, **more)) != first
    best = [found(wanted(space, evaluations, **more))[0][1] for evaluations in (0x400, 0x800, 0x1000, 0x2000)]
    assert best == sorted(best)


def test_the_search_climbs() -> None:
    """Better by far than as many random members within the same budgets."""
    settings = wanted(evaluations=5000)
    chance = max(score_spec(spec) for spec in random_members(settings, 20))
    assert found(settings)[0][1] > chance + 3


@pytest.mark.parametrize(
    "more",
    [
        {"max_layers": "20", "max_sublayers": None},
        {"max_depth_width_ratio": 0.2, "max_sublayers": None},
        {"max_layers": "20", "max_depth_width_ratio": 0.3, "max_macs": "10M"},
    ],
    ids=["layers", "ratio", "all"],
)
def test_depth_is_limited_by_layers_and_by_the_ratio(more: dict[str, Any]) -> None:
    settings = wanted(**more)
    assert settings.limits.bounds_depth
    for candidate in search(settings).candidates:
        assert keeps(candidate.spec, settings.limits)


@settings(max_examples=20)
@given(space=SPACES, seed=st.integers(0, 2**32))
def test_the_depth_to_width_ratio_is_what_its_definition_says(space: str, seed: int) -> None:
    settings = wanted(space, max_sublayers="30", seed=seed)
    for spec in random_members(settings, 2):
        assert find("depth_width_ratio").value_of(spec_terms(spec), settings.score) == pytest.approx(
            reference_ratio(spec)
        )
        evaluator = Evaluator(settings.space, settings.seed_network(), "paper")
        assert keeps(spec, settings.limits)
        assert evaluator.seed.resolution == spec.resolution


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"max_params": "1k"}, ["max_params", "1k", "smallest value found"]),
        ({"max_macs": "1k"}, ["max_macs", "1k"]),
        ({"max_sublayers": "2"}, ["max_sublayers", "2"]),
        ({"max_layers": "3"}, ["max_layers", "3"]),
        ({"max_depth_width_ratio": 1e-6}, ["max_depth_width_ratio"]),
    ],
)
@pytest.mark.parametrize("space", ["zennet-resnet", "zennet-mobile", "regnet"])
def test_an_impossible_budget_is_named_with_the_smallest_value(
    space: str, more: dict[str, Any], words: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "find_start", partial(find_start, tries=2000))
    looks: list[Any] = []
    with pytest.raises(SpecError) as caught:
        search(wanted(space, 10**9, **more), callbacks=Callbacks(lambda *row: looks.append(row)))
    assert not looks
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_the_smallest_value_that_it_names_can_be_had() -> None:
    for space in ("zennet-resnet", "zennet-mobile"):
        with pytest.raises(SpecError) as caught:
            search(wanted(space, max_params="1k"))
        least = str(caught.value).split("found is ")[1]
        settings = wanted(space, max_params=least, evaluations=8)
        assert all(candidate.spec.cost.params <= parse_count(least) for candidate in search(settings).candidates)


def test_budgets_that_contradict_each_other_name_the_one_that_breaks() -> None:
    with pytest.raises(SpecError, match=r"max_(params|depth_width_ratio)"):
        search(wanted("zennet-resnet", max_params="14k", max_depth_width_ratio=0.05))


def test_a_map_too_small_for_the_space_is_an_error_at_once() -> None:
    for space, message in (("zennet-resnet", "1 x 1 map"), ("regnet", "2 is too small for 3 halvings")):
        with pytest.raises(SpecError, match=message):
            search(wanted(space, 10**9, resolution=2, max_sublayers="30"))


def test_regnet_members_come_from_their_numbers() -> None:
    settings = wanted("regnet", max_sublayers="30")
    space = settings.space
    assert isinstance(space, RegNetSpace)
    for candidate in search(settings).candidates:
        blocks = candidate.spec.blocks
        assert len(blocks) == 1 + space.stages
        assert [block.op for block in blocks] == ["conv", *["bottleneck"] * space.stages]
        widths = [block.width for block in blocks[1:]]
        assert widths == sorted(widths)


# Scores that are measured, in batches.


def test_monte_carlo_scores_a_generation_as_one_batch() -> None:
    settings = wanted(evaluations=64, estimator="monte-carlo", batch_size=2, draws=1, lineages=16)
    first, second = search(settings), search(settings)
    assert [c.spec.id for c in first.candidates] == [c.spec.id for c in second.candidates]
    assert first.evaluations == 64
    (row, *_) = finish(settings, first).records
    assert row.zen.estimator == "monte-carlo"
    assert row.zen.value == pytest.approx(first.candidates[0].score, abs=1e-3)
    assert row.search is not None
    assert row.search.estimator == "monte-carlo"


class Counting:
    """A batch score that remembers its batches; networks of some ids cannot be scored."""

    def __init__(self, fails: bool = False) -> None:
        self.batches: list[list[str]] = []
        self.fails = fails

    def __call__(self, specs: Sequence[ArchSpec], _: OnDraw) -> list[float | RunError]:
        self.batches.append([spec.id for spec in specs])
        return [RunError("no score") if self.fails else score_spec(spec) for spec in specs]


def members(count: int) -> tuple[Evaluator, Limits, list[Any]]:
    settings = wanted()
    evaluator = Evaluator(settings.space, settings.seed_network(), "paper")
    random, genome = Random(0), settings.space.start(evaluator.seed)
    rows = {genome: None}
    while len(rows) < count:
        genome = settings.space.neighbour(genome, random)  # type: ignore[arg-type]
        if evaluator.terms(genome, settings.limits) is not None:
            rows[genome] = None
    return evaluator, settings.limits, list(rows)


def rate(scorer: BatchScorer, rows: Sequence[Any]) -> list[Rating | None]:
    ratings, are_all = scorer.rate(rows, lambda: False)
    assert are_all
    return ratings


def test_a_slow_scorer_stops_between_networks() -> None:
    evaluator, limits, rows = members(6)
    scored: list[str] = []

    def one_by_one(specs: Sequence[ArchSpec], _: OnDraw) -> Iterator[float]:
        for spec in specs:
            scored.append(spec.id)
            yield score_spec(spec)

    ratings, are_all = BatchScorer(evaluator, limits, one_by_one).rate(rows, lambda: len(scored) == 2)
    assert not are_all
    assert [rating is not None for rating in ratings] == [True, True, False, False, False, False]
    assert len(scored) == 2


@pytest.mark.parametrize("proxy", [None, "phi"])
def test_a_search_that_is_over_gives_up_the_network_whose_draws_are_made(proxy: str | None) -> None:
    settings = wanted(proxy=proxy, batch_size=2, draws=40, **({} if proxy else {"estimator": "monte-carlo"}))
    evaluator = Evaluator(settings.space, settings.seed_network(), "paper")
    _, scorer = make_scorer(settings, evaluator)
    asked = count(1)
    ratings, are_all = scorer.rate([settings.space.start(evaluator.seed)], lambda: next(asked) > 2)
    assert (ratings, are_all) == ([None], False)
    assert 3 <= next(asked) < 10  # it was asked after draws, and not after all 40
    again, are_all = scorer.rate([settings.space.start(evaluator.seed)], lambda: False)
    assert are_all and again[0] is not None


def test_the_end_of_a_search_is_no_fault_of_a_package_that_measures() -> None:
    evaluator, limits, rows = members(2)

    def guarded(specs: Sequence[ArchSpec], on_draw: OnDraw) -> Iterator[float]:
        for spec in specs:
            try:
                on_draw(1)
            except Exception as error:  # as `metrics.plugins` does
                raise RunError(f"package: failed, {error}") from None
            yield score_spec(spec)

    asked = count(1)
    ratings, are_all = BatchScorer(evaluator, limits, guarded).rate(rows, lambda: next(asked) > 2)
    assert ([rating is not None for rating in ratings], are_all) == ([True, False], False)


def test_a_batch_holds_what_is_new_and_within_the_limits_once() -> None:
    evaluator, limits, rows = members(6)
    score = Counting()
    scorer = BatchScorer(evaluator, limits, score)
    ratings = rate(scorer, [*rows, rows[0]])
    assert ratings[0] == ratings[-1]
    assert [len(batch) for batch in score.batches] == [6]
    assert rate(scorer, rows) == ratings[:-1]
    assert len(score.batches) == 1
    assert rate(BatchScorer(evaluator, Limits(params=1), score), rows) == [None] * 6
    assert len(score.batches) == 1


def test_a_batch_that_fails_as_a_whole_ends_the_search_and_a_single_failure_does_not() -> None:
    evaluator, limits, rows = members(4)
    score = Counting()
    scorer = BatchScorer(evaluator, limits, score)
    rate(scorer, rows[:1])
    score.fails = True
    assert rate(scorer, rows[1:2]) == [None]
    with pytest.raises(RunError, match="no score"):
        rate(scorer, rows[2:])
    with pytest.raises(RunError, match="no score"):
        rate(BatchScorer(evaluator, limits, Counting(fails=True)), rows[:1])


def test_a_proxy_is_searched_in_its_own_direction() -> None:
    from zen_cli.metrics.settings import check_settings

    score = check_settings(estimator="mean-field", batch_size=2)
    for name, more in (
        ("balanced", {"evaluations": 2000}),
        ("ntk", {"evaluations": 40, "lineages": 8, "batch_size": 2}),
    ):
        proxy = find(name)
        settings = wanted(proxy=name, **more)
        outcome = search(settings)
        values = [candidate.score for candidate in outcome.candidates]
        assert values == sorted(values, reverse=proxy.sign > 0)
        if name == "balanced":
            assert proxy.closed_form is not None
            first = outcome.candidates[0]
            assert first.score == pytest.approx(proxy.closed_form(spec_terms(first.spec), score))
    assert find("ntk").sign == -1
    assert find("balanced").sign == 1


def test_params_as_a_proxy_fills_the_budget() -> None:
    best = search(wanted(proxy="params", evaluations=4000)).candidates[0]
    assert best.score == best.spec.cost.params > 95_000


# The answer.


def test_verified_networks_are_ranked_by_draws_that_the_search_has_not_seen() -> None:
    settings = wanted(evaluations=2000, verify=4, top=6, batch_size=2, draws=2, seed=5)
    outcome = search(settings)
    answer = finish(settings, outcome)
    records = answer.records
    assert len(records) == 6
    assert (answer.errors, answer.verified) == ([], 4)
    assert 1 <= answer.close <= 4
    checked = records[:4]
    assert [row.zen.estimator for row in records] == ["monte-carlo"] * 4 + ["mean-field"] * 2
    assert [row.zen.seed for row in checked] == [5 + VERIFY_SEED_STEP] * 4
    values = [row.zen.value for row in checked]
    assert values == sorted(values, reverse=True)
    assert {row.id for row in checked} == {candidate.spec.id for candidate in outcome.candidates[:4]}
    for row in records:
        assert row.search is not None
        assert row.search.score == pytest.approx(score_spec(outcome_spec(outcome, row.id)))
        assert (row.search.seed, row.search.evaluations, row.search.stopped) == (5, 2000, "evaluations")


def outcome_spec(outcome: Outcome, id_: str) -> ArchSpec:
    return next(candidate.spec for candidate in outcome.candidates if candidate.spec.id == id_)


@pytest.mark.parametrize(("verify", "top", "count"), [(0, 3, 3), (2, 1, 1), (3, 3, 3), (1, 4, 4), (0, 1, 1)])
def test_the_answer_has_as_many_networks_as_were_asked_for(verify: int, top: int, count: int) -> None:
    drawn = {"batch_size": 1, "draws": 1} if verify else {}
    settings = wanted(evaluations=1000, verify=verify, top=top, **drawn)
    answer = finish(settings, search(settings))
    assert (len(answer.records), answer.verified) == (count, verify)


SMALL = {"max_params": "60k", "max_macs": "3M", "max_sublayers": "6", "max_layers": None}


def test_exact_is_above_evolution_and_below_its_bound() -> None:
    settings = wanted(evaluations=8000, **SMALL)
    best = search(settings).candidates[0]
    outcome = search(wanted(algorithm="exact", gap="2%", **SMALL))
    assert outcome.bound is not None
    top = outcome.candidates[0]
    assert outcome.bound >= top.score >= 0.98 * outcome.bound - 1e-9
    assert best.score <= outcome.bound
    assert keeps(top.spec, settings.limits)
    bounded = add_bound(settings, search(settings))
    assert bounded.bound is not None
    assert bounded.bound >= max(best.score, top.score)


def test_exact_refuses_what_it_cannot_do() -> None:
    for more, word in (
        ({"proxy": "balanced"}, "^proxy: "),
        ({"estimator": "monte-carlo"}, "^estimator: "),
        ({"space": "regnet", "max_sublayers": "30"}, "regnet"),
        ({"budget": ("100evals",)}, "^budget: "),
    ):
        with pytest.raises(UsageError, match=word):
            search(wanted(**{"algorithm": "exact", **more}))


def test_the_start_is_within_the_limits_even_at_their_edge() -> None:
    settings = wanted("zennet-resnet", max_params="14k", max_sublayers="6")
    evaluator, random = Evaluator(settings.space, settings.seed_network(), "paper"), Random(0)
    genome = find_start(evaluator, settings.limits, lambda genome: settings.space.neighbour(genome, random))
    assert keeps(evaluator.spec(genome), settings.limits)


def test_the_answer_of_a_monte_carlo_search_is_not_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    from zen_cli.nas import answer

    settings = wanted(evaluations=64, estimator="monte-carlo", batch_size=2, draws=2, device="cpu")
    outcome = answer.search(settings)
    again = [row._replace(measured=None) for row in outcome.candidates]
    measured = answer.finish(settings, outcome._replace(candidates=tuple(again)))
    monkeypatch.setattr(answer, "score_all", lambda *_: pytest.fail("measured again"))
    assert answer.finish(settings, outcome).to_bytes() == measured.to_bytes()


def test_a_race_whose_time_is_up_makes_no_draw_after_its_first_look() -> None:
    from zen_cli.metrics.settings import check_settings
    from zen_cli.nas.outcome import Callbacks
    from zen_cli.nas.verify import RaceLimits, race

    evaluator, _, rows = members(1)
    score, seen = check_settings(batch_size=2, draws=2, device="cpu"), list[int]()
    callbacks = Callbacks(on_draws=lambda made, _: seen.append(made))
    specs = [evaluator.spec(rows[0])] * 3  # so that no draw decides the race
    raced = race(specs, score, tolerance=0.0, limits=RaceLimits(None, 0.0), callbacks=callbacks)
    assert raced.ending == "time"
    assert max(seen) == raced.draws == 6
