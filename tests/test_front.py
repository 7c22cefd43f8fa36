"""Fronts: what is kept of all that was seen, limits and bands, resumed runs, and the proven bound."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from cli import Result, Zen
from cli_here import ZenHere
from hypothesis import given
from hypothesis import strategies as st

from zen_cli.metrics.terms import spec_terms
from zen_cli.nas.algorithms import auto
from zen_cli.nas.algorithms import front as front_module
from zen_cli.nas.algorithms.descent import Carried, Descent
from zen_cli.nas.algorithms.front import FrontEvolution
from zen_cli.nas.algorithms.proposer import Member, Rating
from zen_cli.nas.answer import search
from zen_cli.nas.front import SPAN, front_limits
from zen_cli.nas.front_series import _Series
from zen_cli.nas.options import BAND_LINEAGES, FRONT_LINEAGES, front_lineages
from zen_cli.nas.outcome import Callbacks
from zen_cli.nas.pareto import non_dominated
from zen_cli.nas.request import check_request
from zen_cli.nas.rundir import RunDirectory
from zen_cli.ui.fronts import gap_lines

PROBLEM = ["--space", "zennet-resnet", "--resolution", "16", "--num-classes", "10"]
PROBLEM += ["--max-params", "60k", "--max-sublayers", "6", "--verify", "0", "--quiet"]
FRONT = ["search", *PROBLEM, "--front", "params", "--top", "6"]
EXACT = [*FRONT, "--algorithm", "exact", "--gap", "1%"]
SMALL: dict[str, Any] = {
    "space": "zennet-resnet",
    "resolution": 16,
    "num_classes": 10,
    "max_params": "60k",
    "max_sublayers": "6",
    "verify": 0,
    "front": "params",
}


class Toy:
    """Genomes are two whole numbers; the score likes both, one is cheap in params and one in MACs."""

    def __init__(
        self, limits: list[tuple[float, ...]], *, population: int = 1000, bans: int | None = None, carries: bool = False
    ) -> None:
        self.seen: list[Member] = []
        self.limits, self.bans = limits, bans
        self.evolution = FrontEvolution(
            self.neighbour,
            [((0, 0), self.rate((0, 0)))] * len(limits),
            limits,
            lambda member: (float(-member.params), float(-member.macs)),
            seed=5,
            population=population,
            admits=None if bans is None else self.admits,
            descents=[Descent(0.3, 40, 61, self.climber(limit)) for limit in limits] if carries else (),
        )

    def neighbour(self, genome: Any, random: Random) -> Any:
        one, other = genome
        step = random.choice((-2, -1, 1, 2))
        return (max(0, one + step), other) if random.random() < 0.5 else (one, max(0, other + step))

    def rate(self, genome: Any) -> Rating:
        one, other = genome
        return Rating(10 + one + other - ((one * 7 + other * 3) % 5) / 10, 1 + one * 2 + other, 1 + one + other * 2)

    def climber(self, limit: tuple[float, ...]) -> Callable[[Any], Carried]:
        """Adds to both numbers in turn as long as the limit and the ban allow; counts what it looks at."""

        def climb(genome: Any) -> Carried:
            one, other = genome
            count = 1
            for step in ((3, 0), (0, 3)) * 30:
                rating = self.rate((one + step[0], other + step[1]))
                count += 1
                if rating.params <= limit[0] and rating.macs <= limit[1]:
                    one, other = one + step[0], other + step[1]
            return Carried((one, other), count)

        return climb

    def admits(self, index: int, genome: Any) -> bool:
        return bool(genome[0] % 3 != self.bans)

    def step(self, count: int) -> None:
        for _ in range(count):
            ratings: list[Rating | None] = []
            for genome in self.evolution.propose():
                rating = self.rate(genome)
                keeps = rating.params <= 60 and rating.macs <= 60
                ratings.append(rating if keeps else None)
                if keeps:
                    self.seen.append(Member.of(genome, rating))
            self.evolution.tell(ratings)


LIMITS = [(10.0, 60.0), (60.0, 10.0), (30.0, 30.0), (60.0, 60.0)]


def points(members: list[Member]) -> list[tuple[float, int, int]]:
    return sorted((-member.score, -member.params, -member.macs) for member in members)


@pytest.mark.parametrize("pending", [1, 100])
def test_the_archive_is_what_none_beats_of_all_that_was_seen(monkeypatch: pytest.MonkeyPatch, pending: int) -> None:
    monkeypatch.setattr(front_module, "PENDING", pending)
    toy = Toy(LIMITS)
    toy.step(300)
    start = Member.of((0, 0), toy.rate((0, 0)))
    seen = np.array(points([start, *toy.seen]))
    assert np.array(points(toy.evolution.population)).tolist() == sorted(seen[non_dominated(seen)].tolist())
    scores = [member.score for member in toy.evolution.population]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) > 10


def test_every_lineage_stays_below_its_limits_and_where_it_is_admitted() -> None:
    toy = Toy(LIMITS, bans=1)
    for _ in range(100):
        toy.step(3)
        for row, limits in zip(toy.evolution.state()["lineages"], LIMITS, strict=True):
            assert -row[1] <= limits[0]
            assert -row[2] <= limits[1]
            assert row[3][0] % 3 != 1
    assert all(member.genome[0] % 3 != 1 for member in toy.evolution.population)


def test_a_full_archive_keeps_the_best_and_the_range() -> None:
    toy, free = Toy(LIMITS, population=9), Toy(LIMITS)
    toy.step(400)
    free.step(400)
    few, all_ = toy.evolution.population, free.evolution.population
    assert len(few) <= 9 < len(all_)
    assert few[0].score == all_[0].score
    assert min(-member.params for member in few) <= 10
    rows = np.array(points(few))
    assert non_dominated(rows).all()


def test_local_searches_take_turns_and_are_counted() -> None:
    toy, plain = Toy(LIMITS, carries=True), Toy(LIMITS)
    toy.step(14)
    plain.step(14)
    assert plain.evolution.proposals == 14 * len(LIMITS)
    assert (toy.evolution.carried, toy.evolution.proposals) == (4, 40 + 4 * 61)
    assert toy.evolution.step == 61
    best = [max(row.score for row in one.evolution.population) for one in (toy, plain)]
    assert best[0] > best[1]


@given(st.integers(0, 60), st.booleans(), st.booleans())
def test_a_restored_front_goes_on_as_if_nothing_had_happened(cut: int, is_banned: bool, carries: bool) -> None:
    bans = 1 if is_banned else None
    whole, half = (Toy(LIMITS, bans=bans, carries=carries) for _ in range(2))
    whole.step(60)
    half.step(cut)
    state = json.loads(json.dumps(half.evolution.state()))
    rest = Toy(LIMITS, bans=bans, carries=carries)
    rest.evolution.restore(state, tuple)
    rest.step(60 - cut)
    assert rest.evolution.state() == whole.evolution.state()
    assert rest.evolution.population == whole.evolution.population


def test_a_state_of_another_front_is_refused() -> None:
    toy = Toy(LIMITS)
    toy.step(20)
    state = toy.evolution.state()
    with pytest.raises(ValueError, match="not those of the settings"):
        Toy(LIMITS[:2]).evolution.restore(state, tuple)
    with pytest.raises(ValueError, match="above their limits"):
        Toy([(1.0, 1.0)] * 4).evolution.restore(state, tuple)


def test_the_limits_of_a_front() -> None:
    settings = check_request({**SMALL, "top": 6})
    rungs = front_limits(settings, 6)
    assert [rung["params"] for rung in rungs][-1] == 60_000
    assert rungs[0]["params"] == 60_000 // SPAN
    assert {rung["sublayers"] for rung in rungs} == {6}
    assert (settings.top, check_request(SMALL).top, check_request({**SMALL, "front": None}).top) == (6, 10, 5)


@pytest.mark.parametrize("top", [1, 2, 6, 10, 20, 31, 32, 33, 500])
def test_the_limits_of_the_answer_are_among_those_of_the_lineages(top: int) -> None:
    for is_banded, most in ((False, FRONT_LINEAGES), (True, BAND_LINEAGES)):
        count = front_lineages(top, is_banded=is_banded)
        assert 1 <= count <= most
        assert top > most or top == 1 or (count - 1) % (top - 1) == 0


def check_front(rows: list[dict[str, Any]]) -> None:
    """What holds of every front: no network beats another, the highest score comes first, all keep the limits."""
    scores = [row["search"]["score"] for row in rows]
    costs = [row["cost"]["params"] for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert non_dominated(np.column_stack([np.negative(scores), costs])).all()
    assert all(row["cost"]["params"] <= row["search"]["limits"]["params"] for row in rows)
    assert all(row["search"]["front"] == ["params"] for row in rows)


def test_an_evolved_front_is_resumed_to_the_same_bytes(zen_here: ZenHere) -> None:
    whole = zen_here(*FRONT, "--budget", "12kevals", "--no-keep")
    assert (whole.code, whole.err) == (0, "")
    check_front(whole.rows)
    assert len(whole.rows) >= 4
    assert zen_here(*FRONT, "--budget", "5kevals", "--out", "run").code == 0
    again = zen_here("search", "--resume", "run", "--budget", "12kevals", "--quiet")
    assert (again.code, again.out) == (0, whole.out)
    zen_here("search", "--resume", "run", "--front", "sublayers", "--quiet").fails(
        "front of the run is params, not sub"
    )
    other = zen_here("search", "--resume", "run", "--top", "3", "--quiet")
    assert len(other.rows) == 3


@pytest.fixture(scope="module")
def proven(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """The answer of the exact search."""
    return Zen(tmp_path_factory.mktemp("proven"))(*EXACT, "--no-keep")


def test_a_proven_front(zen_here: ZenHere, proven: Result) -> None:
    assert (proven.code, proven.err) == (0, "")
    check_front(proven.rows)
    for row in proven.rows:
        found = row["search"]
        assert 0 <= found["gap"] <= 0.01
        assert found["score"] <= found["bound"] <= found["score"] * (1 + found["gap"] + 1e-12)
    bounds = [row["search"]["bound"] for row in proven.rows]
    assert bounds == sorted(bounds, reverse=True)
    evolved = zen_here(*FRONT, "--budget", "15kevals", "--no-keep").rows
    for row in proven.rows:  # nothing that the evolution finds below a limit is above its bound
        limit, bound = row["search"]["limits"]["params"], row["search"]["bound"]
        below = [one["search"]["score"] for one in evolved if one["cost"]["params"] <= limit]
        assert max(below, default=0.0) <= bound
        assert row["search"]["score"] >= max(below, default=0.0) * 0.99


def test_a_proven_front_that_is_interrupted_is_resumed_to_the_same_bytes(zen_here: ZenHere, proven: Result) -> None:
    settings = check_request({**SMALL, "top": 6, "algorithm": "exact", "gap": "1%"})
    lines: list[str] = []

    def stop_in_the_third() -> bool:
        return len({line.partition(":")[0] for line in lines}) >= 3

    with RunDirectory.create(zen_here.folder / "run", settings) as run:
        outcome = search(settings, run, Callbacks(on_progress=lines.append, should_stop=stop_in_the_third))
    assert outcome.stopped == "interrupted"
    assert len(outcome.candidates) == 2
    assert zen_here("search", "--resume", "run", "--quiet").out == proven.out


def test_a_network_found_below_a_higher_limit_counts_below_a_lower_one_that_it_keeps() -> None:
    series = _Series(check_request({**SMALL, "top": 3, "algorithm": "exact", "gap": "5%"}), None, Callbacks(), None)
    series.search()
    one, two, three = series.solved.values()
    three |= {key: two[key] for key in ("arch", "score")}
    two |= {key: one[key] for key in ("arch", "score")}
    high, low = series._candidates()
    assert (high.score, low.score) == (three["score"], one["score"])
    assert [row.limits and row.limits["params"] for row in (high, low)] == [60_000, 6_000]


@pytest.mark.parametrize("number", [1, 2])
def test_several_costs(number: int) -> None:
    problem = {**SMALL, "max_macs": "3M", "front": "params,macs", "top": 8, "budget": ("6kevals",), "seed": number}
    outcome = search(check_request(problem))
    rows = [spec_terms(candidate.spec).total for candidate in outcome.candidates]
    values = [(-candidate.score, row.params, row.macs) for candidate, row in zip(outcome.candidates, rows, strict=True)]
    assert non_dominated(values).all()
    assert len(values) >= 4
    exact = search(check_request({**problem, "budget": None, "algorithm": "exact", "gap": "5%"} | {"top": 4}))
    assert exact.candidates
    for candidate in exact.candidates:
        assert candidate.limits is not None
        assert candidate.limits.admits(spec_terms(candidate.spec))
        below = [
            -score
            for score, params, macs in values
            if params <= candidate.limits["params"] and macs <= candidate.limits["macs"]
        ]
        assert candidate.bound is not None
        assert max(below, default=0.0) <= candidate.bound


def test_a_cost_that_is_no_sum_of_the_rating() -> None:
    settings = check_request({**SMALL, "front": ["activations"], "limit": ("activations=40k",), "budget": ("4kevals",)})
    outcome = search(settings)
    costs = [spec_terms(candidate.spec).total.activations for candidate in outcome.candidates]
    assert max(costs) <= 40_000
    assert costs == sorted(costs, reverse=True)
    assert len(costs) >= 3


def test_each_network_is_in_the_band_of_its_own_limits(zen_here: ZenHere) -> None:
    words = ["search", "--space", "mobile", "--resolution", "32", "--num-classes", "10", "--max-macs", "4M", "--quiet"]
    words += ["--front", "macs", "--lineages", "8", "--top", "4", "--verify", "0", "--algorithm", "evolution"]
    whole = zen_here(*words, "--budget", "6kevals", "--no-keep")
    assert whole.code == 0, whole.err
    assert len(whole.rows) >= 2
    for row in whole.rows:
        band = row["search"]["evenness"]
        assert band["value"] >= band["best"] - band["width"]
        assert band["residual_units"] <= band["most_units"]
    bests = [row["search"]["evenness"]["best"] for row in whole.rows]
    assert bests == sorted(bests, reverse=True)
    assert bests[-1] < bests[0] - 0.5  # a smaller network can be less even: it has fewer MACs to spread
    assert zen_here(*words, "--budget", "6kevals", "--out", "run").out == whole.out
    assert zen_here("search", "--resume", "run", "--quiet").out == whole.out


BAND: dict[str, Any] = {
    "space": "mobile",
    "resolution": 32,
    "num_classes": 10,
    "max_macs": "1M",
    "verify": 0,
    "front": "macs",
    "top": 2,
}
BANDED = ["search", "--space", "mobile", "--resolution", "32", "--num-classes", "10", "--verify", "0", "--quiet"]


def test_a_front_in_bands_is_what_the_exact_search_proves_below_each_limit(zen_here: ZenHere) -> None:
    whole = zen_here(*BANDED, "--max-macs", "1M", "--front", "macs", "--top", "2", "--out", "run")
    first, second = whole.rows
    for row in (first, second):
        band = row["search"]["evenness"]
        assert band["best_is"] == "proven" and band["value"] >= band["best"] - band["width"]
        assert row["search"]["score"] <= row["search"]["bound"] <= 1.005 * row["search"]["score"]
    assert second["search"]["limits"]["macs"] < first["search"]["limits"]["macs"] == 1e6
    words = [*BANDED, "--max-macs", "1M", "--front", "macs", "--top", "1", "--algorithm", "exact", "--no-keep"]
    (exact,) = (row["search"] for row in zen_here(*words).rows)
    for name in ("limits", "score", "bound", "evenness"):
        assert exact[name] == first["search"][name], name
    assert zen_here("search", "--resume", "run", "--quiet").out == whole.out


def test_where_nothing_is_proven_in_a_band_the_evolution_goes_on(zen_here: ZenHere) -> None:
    words = [*BANDED, "--max-macs", "1M", "--front", "macs", "--top", "2", "--budget", "5kevals", "--out", "run"]
    whole = zen_here(*words)
    first, second = (row["search"] for row in whole.rows)
    assert first["score"] > second["score"]
    assert any(row.get("gap", 1.0) > 0.005 for row in (first, second))
    assert first["stopped"] == "evaluations" and first["evaluations"] > 100
    (zen_here.folder / "run" / "results.jsonl").unlink()
    assert zen_here("search", "--resume", "run", "--quiet").out == whole.out


def test_where_the_exact_search_finds_no_network_the_evolution_does(
    zen_here: ZenHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auto, "open_exactly", lambda *_: None)
    words = [*BANDED, "--max-macs", "1M", "--front", "macs", "--top", "2", "--budget", "1kevals", "--out", "run"]
    whole = zen_here(*words)
    assert whole.code == 0 and not any("bound" in row["search"] for row in whole.rows)
    (zen_here.folder / "run" / "results.jsonl").unlink()
    assert zen_here("search", "--resume", "run", "--quiet").out == whole.out


def test_a_front_that_is_interrupted_while_it_is_opened_goes_on(tmp_path: Path) -> None:
    request = {**BAND, "budget": ("5kevals",)}
    whole = search(check_request(request))
    second: list[str] = []  # what is told of the second limit
    with RunDirectory.create(tmp_path / "run", check_request(request)) as run:
        stop = Callbacks(
            on_progress=lambda line: second.append(line) if line.startswith("macs 1,000,000") else None,
            should_stop=lambda: bool(second),
        )
        assert search(run.settings, run, stop).stopped == "interrupted"
    with RunDirectory.open(tmp_path / "run") as run:
        again = search(run.settings, run)
    assert [(row.spec, row.bound) for row in again.candidates] == [(row.spec, row.bound) for row in whole.candidates]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--front", "speed"], ("--front", "speed", "is no cost")),
        (["--front", "macs"], ("--front", "macs has no limit", "--max-macs")),
        (["--front", "params,params"], ("--front", "given twice")),
        (["--front", ""], ()),
        (["--front", ","], ("--front", "is no cost")),
        (["--front", "params", "--seeds", "0..3"], ("--seeds", "one search")),
        (["--front", "params", "--bound"], ("--bound", "exact")),
        (["--front", "params", "--verify", "4", "--tolerance", "1"], ("--tolerance", "no effect on a front")),
    ],
)
def test_wrong_requests(zen_here: ZenHere, words: list[str], says: tuple[str, ...]) -> None:
    done = zen_here("search", *PROBLEM, "--budget", "1kevals", "--no-keep", *words)
    if says:
        done.fails(*says)
    else:
        assert done.code == 0


def test_a_limit_below_every_network() -> None:
    from zen_cli.errors import SpecError, UsageError

    with pytest.raises(SpecError, match="max_params"):
        search(check_request({**SMALL, "max_params": "1k", "top": 1}))
    with pytest.raises(UsageError, match="max_params"):
        search(check_request({**SMALL, "max_params": "1k", "top": 1, "algorithm": "exact"}))


def test_the_networks_of_a_front_are_verified_in_their_order(zen_here: ZenHere) -> None:
    words = [word for word in FRONT if word not in ("--verify", "0")]
    rows = zen_here(*words, "--budget", "2kevals", "--draws", "1", "--batch-size", "1", "--no-keep").rows
    check_front(rows)
    assert all(row["zen"]["estimator"] == "monte-carlo" for row in rows)


@pytest.mark.parametrize(
    ("gaps", "says"),
    [
        ([None, None], ""),
        ([0.0, 0.004], "each network is within 0.40%"),
        ([0.0, 0.2, 0.1], "1 of 3 networks are proven to be within 0.5%"),
        ([0.2, 0.1], "none of the 2 networks is proven"),
        ([0.0, None], "of some there is no bound"),
    ],
)
def test_what_is_said_of_gaps(gaps: list[float | None], says: str) -> None:
    assert says in "".join(gap_lines(gaps)) and bool(gap_lines(gaps)) == bool(says)
