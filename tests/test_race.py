"""The race of finalists: right as often as it says, with a fraction of what equal draws for all would take."""

from __future__ import annotations

import math
from itertools import count
from random import Random
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zen_cli import score
from zen_cli.errors import MemoryLimitError
from zen_cli.metrics.settings import check_settings
from zen_cli.nas.budget import Budget
from zen_cli.nas.outcome import Callbacks
from zen_cli.nas.race import Race, Sample, Standing, radius
from zen_cli.nas.student import student_quantile, student_tail
from zen_cli.nas.verify import Raced, RaceLimits, limits_of, race
from zen_cli.net.spec import ArchSpec, parse_spec


def run(means: list[float], deviations: list[float], seed: int, tolerance: float, *, equal: bool = False) -> Race:
    """A race of normal draws; with `equal`, every finalist gets as many draws as those that are running."""
    streams = [Random(f"{seed}/{index}") for index in range(len(means))]
    state = Race(len(means), tolerance=tolerance, first_draws=4)
    while state.decided is None:
        if equal:
            state.running = list(range(len(means)))
        _, more = state.wanted
        state.tell(
            {
                index: [streams[index].gauss(means[index], deviations[index]) for _ in range(more)]
                for index in state.running
            }
        )
    return state


def problem(seed: int, tolerance: float) -> tuple[list[float], list[float]]:
    """8 to 16 finalists within 4 nats; without a tolerance the best is clear of the second."""
    random = Random(seed)
    means = sorted(random.uniform(0, 4) for _ in range(8 + seed % 9))
    if not tolerance:
        means[-1] = max(means[-1], means[-2] + 0.2)
    random.shuffle(means)
    return means, [random.uniform(0.5, 1.5) for _ in means]


@pytest.mark.parametrize("tolerance", [0.0, 0.3])
def test_on_30_problems_with_known_means_the_winner_is_right_for_a_third_of_equal_draws(tolerance: float) -> None:
    right = raced = equal = 0
    for seed in range(30):
        means, deviations = problem(seed, tolerance)
        state = run(means, deviations, seed, tolerance)
        assert state.standing is not None
        right += max(means) - means[state.standing.first] <= tolerance
        raced += state.total
        equal += run(means, deviations, seed, tolerance, equal=True).total
    assert right >= 0.95 * 30
    assert 3 * raced <= equal


def test_the_error_of_a_race_is_what_it_says_where_it_is_most_likely() -> None:
    """Two finalists that are hardly apart, drawn few times: without the share of each look, one in eight is wrong."""
    wrong = 0
    for seed in range(300):
        state = Race(2, tolerance=0.0, first_draws=2)
        random = Random(seed)
        while state.decided is None and state.total < 60:
            _, more = state.wanted
            state.tell({index: [random.gauss(0.01 * index, 1) for _ in range(more)] for index in (0, 1)})
        wrong += state.decided == "certain" and state.standing is not None and state.standing.first == 0
    assert wrong <= 0.05 * 300


def test_a_finalist_that_is_out_gets_no_more_draws() -> None:
    state = run([0.0, 10.0, 9.9], [0.1, 0.5, 0.5], 1, 0.0)
    assert len(state.draws[0]) == 4
    assert len(state.draws[1]) == len(state.draws[2]) > 4
    assert state.standing is not None
    assert (state.standing.first, state.standing.rivals, state.standing.below) == (1, 0, 0.0)


def test_equal_finalists_are_decided_by_the_tolerance_alone() -> None:
    state = Race(3, tolerance=0.1, first_draws=2)
    state.tell({index: [1.0, 1.0] for index in range(3)})
    assert state.decided == "tolerance"
    assert Race(1, tolerance=0.0, first_draws=1).wanted == (0, 1)


@given(st.floats(0.01, 40), st.floats(1, 500))
def test_quantiles_and_tails_of_student_are_inverse(value: float, freedom: float) -> None:
    tail = student_tail(value, freedom)
    if tail > 1e-12:
        assert student_quantile(1 - tail, freedom) == pytest.approx(value, rel=1e-3)


def test_student_agrees_with_closed_forms_and_with_the_normal_limit() -> None:
    for probability in (0.5, 0.6, 0.9, 0.975, 0.999, 1 - 1e-6):
        two = 2 * probability - 1
        assert student_quantile(probability, 1) == pytest.approx(math.tan(math.pi * two / 2), rel=1e-6, abs=1e-9)
        assert student_quantile(probability, 2) == pytest.approx(two * math.sqrt(2 / (1 - two**2)), rel=1e-6, abs=1e-9)
        normal = NormalDist().inv_cdf(probability)
        assert student_quantile(probability, 1e7) == pytest.approx(normal, rel=1e-4, abs=1e-9)


def test_student_agrees_with_scipy() -> None:
    stats = pytest.importorskip("scipy.stats", reason="scipy is not installed")
    for freedom in (1, 2.5, 6, 30, 400):
        for probability in (0.6, 0.95, 0.9999):
            wanted = stats.t.ppf(probability, freedom)
            assert student_quantile(probability, freedom) == pytest.approx(wanted, rel=1e-6)


def test_the_radius_is_that_of_welch() -> None:
    stats = pytest.importorskip("scipy.stats", reason="scipy is not installed")
    first, second = [1.0, 2.0, 4.0, 3.0], [0.5, 0.1, 0.4, 0.9, 0.2, 0.3]
    test = stats.ttest_ind(first, second, equal_var=False)
    wide = -test.confidence_interval(0.98).low + (sum(first) / 4 - sum(second) / 6)
    assert radius(Sample.of(first), Sample.of(second), 0.01) == pytest.approx(wide, rel=1e-6)


# On networks.


def networks(*widths: int) -> list[ArchSpec]:
    return [
        parse_spec({"name": f"w{width}", "resolution": 8, "num_classes": 2, "blocks": [{"op": "conv", "width": width}]})
        for width in widths
    ]


def verify(specs: list[ArchSpec], limits: RaceLimits, tolerance: float = 0.05) -> Raced:
    settings = check_settings(batch_size=2, draws=3, seed=7)
    return race(specs, settings, tolerance=tolerance, limits=limits)


def test_the_score_of_a_finalist_is_that_of_as_many_draws_alone() -> None:
    raced = verify(networks(4, 32, 36), RaceLimits(60))
    assert 9 < raced.draws <= 60
    counts = set()
    for record, spec in zip(raced.records, networks(4, 32, 36), strict=True):
        assert not isinstance(record, Exception)
        assert record.zen.draws is not None
        counts.add(record.zen.draws)
        assert record == score(spec, batch_size=2, draws=record.zen.draws, seed=7)
    assert sum(counts) < raced.draws  # not all have equally many
    assert raced.standing is not None
    assert raced.standing.first > 0


def test_a_race_that_is_not_decided_says_what_ended_it(monkeypatch: pytest.MonkeyPatch) -> None:
    specs = networks(32, 33)
    assert verify(specs, RaceLimits(7), 0.0).ending == "draws"
    clock = count()
    monkeypatch.setattr("zen_cli.nas.verify.time.monotonic", lambda: next(clock))
    over = verify(specs, RaceLimits(None, 5.0), 0.0)
    assert over.ending == "time"
    assert len({record.zen.draws for record in over.records if not isinstance(record, Exception)}) == 1
    assert verify(specs, RaceLimits(None, 0.0), 0.0).draws >= 6  # the first look is for all


def test_ctrl_c_after_the_first_look_keeps_the_race_and_before_it_ends_the_verification() -> None:
    def stop_at(draws: int) -> Callbacks:
        return Callbacks(on_draws=lambda made, _: stop() if made == draws else None, on_look=looks.append)

    def stop() -> None:
        raise KeyboardInterrupt

    looks: list[Standing] = []
    specs, settings = networks(32, 33), check_settings(batch_size=2, draws=3, seed=7)
    with pytest.raises(KeyboardInterrupt):
        race(specs, settings, tolerance=0.0, limits=RaceLimits(60), callbacks=stop_at(5))
    assert not looks
    raced = race(specs, settings, tolerance=0.0, limits=RaceLimits(60), callbacks=stop_at(7))
    assert (raced.ending, raced.draws, raced.standing) == ("interrupted", 6, looks[0])
    assert raced.records == [score(spec, batch_size=2, draws=3, seed=7) for spec in specs]


def test_a_finalist_without_a_score_is_an_error_and_the_others_race_on(monkeypatch: pytest.MonkeyPatch) -> None:
    import zen_cli.devices as devices

    monkeypatch.setattr(devices, "_free_host_bytes", lambda: 200_000)
    raced = verify(networks(4, 3000), RaceLimits(30))
    assert isinstance(raced.records[1], MemoryLimitError)
    assert (raced.ending, raced.draws) == ("certain", 3)
    assert verify(networks(3000), RaceLimits(30)).ending is None


def test_a_budget_of_time_is_the_limit_of_the_race_in_place_of_draws() -> None:
    assert limits_of(Budget(evaluations=10), 3.0, 32) == RaceLimits(64)
    limits = limits_of(Budget(seconds=100, device_seconds=50), 3.0, 32)
    assert limits.draws is None
    assert not limits.is_over()
    assert limits_of(Budget(seconds=1), 3.0, 32).is_over()
