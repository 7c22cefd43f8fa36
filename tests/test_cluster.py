"""The crew of a cluster: every draw once and with its own score, whatever is lost, late or added on the way."""

from __future__ import annotations

import random
from typing import NamedTuple

import pytest
from cli import Zen
from fake_fleet import FakeFleet
from hypothesis import given
from hypothesis import strategies as st

from zen_cli.errors import RunError, UsageError
from zen_cli.metrics.cluster.crew import Crew, own_versions
from zen_cli.metrics.cluster.fleet import Greeting
from zen_cli.metrics.cluster.workers import Cluster
from zen_cli.metrics.monte_carlo.draws import Draw, Estimate
from zen_cli.metrics.monte_carlo.estimates import run
from zen_cli.metrics.monte_carlo.workers import Workers
from zen_cli.metrics.settings import check_settings


class Net(NamedTuple):
    """A task without layers."""

    key: str

    @property
    def name(self) -> str:
        return f"net {self.key}"


def value_of(draw: Draw[Net]) -> float:
    return random.Random(f"{draw.task.key}/{draw.number}").gauss(0, 1)


def make(_: object) -> Workers[Net]:
    raise AssertionError("it is made where draws are computed")


def fleet(nodes: int = 3, **more: object) -> FakeFleet:
    return FakeFleet({f"node {index}": 1 for index in range(nodes)}, value_of, **more)  # type: ignore[arg-type]


def score(cluster: FakeFleet, count: int = 200, draws: int = 4) -> list[Estimate | RunError]:
    nets = [Net(str(index)) for index in range(count)]
    with Cluster(Crew(cluster, cluster.clock)) as executor, executor.workers(make) as workers:
        return list(run(nets, workers, check_settings(draws=draws), advice=""))


def expected(count: int = 200, draws: int = 4) -> list[tuple[float, ...]]:
    return [tuple(value_of(Draw(Net(str(index)), number)) for number in range(draws)) for index in range(count)]


def draws_of(found: list[Estimate | RunError]) -> list[tuple[float, ...]]:
    return [row.draws if isinstance(row, Estimate) else () for row in found]


def test_all_workers_are_kept_busy_with_batches_of_about_a_second() -> None:
    cluster = fleet(8, start_s=0.0, seconds=lambda _: 0.01)
    assert draws_of(score(cluster, 2000)) == expected(2000)
    ideal = 2000 * 4 * 0.01 / 8
    assert cluster.now < 1.15 * ideal
    assert cluster.computed == 8000


def test_a_node_that_is_killed_and_one_that_is_added_change_nothing() -> None:
    events = [(5.0, lambda one: one.lose("node 1")), (12.0, lambda one: one.nodes.update({"node 9": 2}))]
    cluster = fleet(events=events)
    assert draws_of(score(cluster)) == expected()
    assert sum(worker.node == "node 9" for worker in cluster.workers) == 2
    assert cluster.computed < 800 + 60  # what was lost is little


def test_a_replacement_may_land_on_the_dead_node_once_more() -> None:
    """The cluster notices late: workers that are started there meanwhile are lost as well."""

    def lose(one: FakeFleet) -> None:
        one.lose("node 1", known=False)
        one.events.append((one.now + 8, lambda later: later.lose("node 1")))

    cluster = fleet(events=[(5.0, lose)])
    assert draws_of(score(cluster)) == expected()


@given(st.data())
def test_whatever_is_lost_every_network_has_its_own_draws(data: st.DataObject) -> None:
    nodes, count = data.draw(st.integers(2, 5)), data.draw(st.integers(0, 60))
    cluster = fleet(nodes, seconds=lambda node: 0.05 * (1 + int(node[-1])))
    for index in range(1, nodes):  # node 0 stays
        when = data.draw(st.floats(0, 20))
        cluster.events.append((when, lambda one, index=index: one.lose(f"node {index}")))  # type: ignore[misc]
    assert draws_of(score(cluster, count, 3)) == expected(count, 3)
    assert cluster.stopped == len(cluster.workers)  # nobody is left behind


def test_a_draw_that_ends_its_workers_is_an_error_and_the_others_go_on() -> None:
    cluster = fleet(fatal=lambda draw: draw.task.key == "17" and draw.number == 2)
    found = score(cluster, 60)
    error = found[17]
    assert isinstance(error, RunError)
    assert str(error).startswith("net 17: 3 workers were lost while they computed it, perhaps for lack of memory")
    assert [row for index, row in enumerate(draws_of(found)) if index != 17] == [
        row for index, row in enumerate(expected(60)) if index != 17
    ]


def test_a_late_batch_is_given_to_an_idle_worker_as_well() -> None:
    """The network to a node is cut: its worker does not answer, and nobody says that it is gone."""

    def hang(one: FakeFleet) -> None:
        one.seconds = lambda node: 1e6 if node == "node 1" else 0.1

    cluster = fleet(events=[(3.0, hang)])
    assert draws_of(score(cluster, 100)) == expected(100)
    assert cluster.now < 200


def test_an_error_of_a_draw_is_its_network_s() -> None:
    cluster = fleet()
    cluster.score = lambda draw: RunError("too large") if draw.task.key == "3" else value_of(draw)
    found = score(cluster, 6)
    assert str(found[3]) == "too large"
    assert sum(isinstance(row, Estimate) for row in found) == 5


@pytest.mark.parametrize(
    "greeting",
    [own_versions()._replace(zen="0.0.1"), own_versions()._replace(torch="1.0.0+cpu")],
)
def test_a_worker_of_another_version_is_refused(greeting: Greeting) -> None:
    with pytest.raises(RunError, match=r"workers: .* has zen .* with torch .*; install the same on both"):
        score(fleet(greeting=greeting))


def test_builds_of_one_version_of_torch_work_together() -> None:
    mine = own_versions()
    assert score(fleet(greeting=mine._replace(torch=mine.torch.split("+")[0] + "+other")), 3)


def test_a_cluster_that_is_gone_is_an_error_after_a_minute_and_not_a_wait_for_ever() -> None:
    cluster = fleet(events=[(3.0, lambda one: [one.lose(f"node {index}") for index in range(3)])])
    with pytest.raises(RunError, match="workers: there is none left"):
        score(cluster)
    assert 60 < cluster.now < 90


def test_workers_that_cannot_start_are_an_error_soon() -> None:
    cluster = fleet()
    cluster.start = lambda node: FakeFleet.start(cluster, "nowhere")  # type: ignore[method-assign]
    with pytest.raises(RunError, match="workers: there is none left"):
        score(cluster)
    assert cluster.now < 30


def test_two_metrics_take_turns_on_one_crew() -> None:
    """As for a score with other metrics beside it, which are measured while draws of the score are on their way."""
    cluster, settings = fleet(), check_settings(draws=2)
    nets = [Net(str(index)) for index in range(40)]
    with Cluster(Crew(cluster, cluster.clock)) as executor, executor.workers(make) as outer:
        for net, row in zip(nets, run(iter(nets), outer, settings, advice=""), strict=True):
            with executor.workers(make) as inner:
                (beside,) = run([net], inner, settings, advice="")
            assert row == beside
        assert "3 cpu workers" in executor.status
        assert executor.devices == 3


def test_status_says_what_was_requeued() -> None:
    cluster = fleet(events=[(5.0, lambda one: one.lose("node 1"))])
    nets = [Net(str(index)) for index in range(100)]
    with Cluster(Crew(cluster, cluster.clock)) as executor, executor.workers(make) as workers:
        list(run(nets, workers, check_settings(draws=4), advice=""))
        assert executor.status.startswith("2 cpu workers, ")
        assert "draws requeued" in executor.status


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--workers", "foo"], "--workers: 'foo' names no cluster; use ray, or ray://HOST:PORT"),
        (["--workers", "ray://host"], "--workers: 'ray://host' names no cluster"),
        (["--workers", "ray", "--estimator", "mean-field"], "--workers: has no effect on closed forms"),
    ],
)
def test_a_cluster_that_cannot_be_is_one_line(zen: Zen, words: list[str], message: str) -> None:
    zen("score", *words, "SuperConvK3BNRELU(3,8,2,1)").fails(message)


def test_without_ray_the_message_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    from zen_cli.metrics.cluster import address

    monkeypatch.setattr(address, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"workers: Ray is not installed; pip install 'zen-cli\[ray\]'"):
        address.check_workers("ray")
