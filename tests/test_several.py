"""Several GPUs in one process: tested with fake devices, which are batches of draws on the CPU."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence

import pytest
import torch
from engine_reference import plain_chain, settings
from hypothesis import given
from hypothesis import strategies as st

from zen_cli import devices
from zen_cli.errors import RunError, UsageError
from zen_cli.metrics.monte_carlo import KeyedChain
from zen_cli.metrics.monte_carlo.draws import Draw, Estimate
from zen_cli.metrics.monte_carlo.estimates import batches, run
from zen_cli.metrics.monte_carlo.memory import Memory
from zen_cli.metrics.monte_carlo.precision import tensor_cores
from zen_cli.metrics.monte_carlo.several import Several
from zen_cli.metrics.monte_carlo.workers import Batches

CPU = torch.device("cpu")
NETWORKS = [KeyedChain(f"key {width}", plain_chain(width=width), f"net {width}") for width in range(2, 12)]


class FakeGpus:
    """Workers of some devices whose draws have known scores, and which draws each of them got."""

    def __init__(self, count: int, *, most: int = 8, barrier: threading.Barrier | None = None) -> None:
        self.got: list[list[Draw[KeyedChain]]] = [[] for _ in range(count)]
        self._barrier, self._most = barrier, most

    def workers(self) -> Several[KeyedChain]:
        return Several([self._worker(index) for index in range(len(self.got))])

    def _worker(self, index: int) -> Batches[KeyedChain]:
        def score(draws: Sequence[Draw[KeyedChain]]) -> list[float]:
            self.got[index] += draws
            if self._barrier is not None:
                self._barrier.wait(30)  # breaks where the other device does not compute at the same time
            return [value_of(draw) for draw in draws]

        memory = Memory[KeyedChain](CPU, lambda _: 1, draw="a draw", advice="use less")
        return Batches(score, memory, CPU, most=self._most)


def value_of(draw: Draw[KeyedChain]) -> float:
    return random.Random(f"{draw.task.key}/{draw.number}").gauss(0, 1)


def test_two_devices_score_as_one_does() -> None:
    options = settings(draws=3)
    one = batches(CPU, options, "float32")
    with one, Several([batches(CPU, options, "float32"), batches(CPU, options, "float32")]) as two:
        alone, found = (list(run(NETWORKS, workers, options, advice="")) for workers in (one, two))
    for row, wanted in zip(found, alone, strict=True):
        assert isinstance(row, Estimate)
        assert isinstance(wanted, Estimate)
        assert row.draws == pytest.approx(wanted.draws, abs=1e-4)  # plain torch rounds by what is beside a draw


def test_two_devices_compute_at_the_same_time_and_about_as_much() -> None:
    gpus = FakeGpus(2, barrier=threading.Barrier(2))
    with gpus.workers() as workers:
        found = list(run(NETWORKS[:8], workers, settings(draws=4), advice=""))
    assert all(isinstance(row, Estimate) for row in found)
    assert [len(draws) for draws in gpus.got] == [16, 16]


@given(st.integers(1, 5), st.integers(1, 9), st.lists(st.integers(0, 9), max_size=30), st.integers(1, 5))
def test_every_network_gets_its_draws_once_and_in_its_place(
    count: int, most: int, order: list[int], draws: int
) -> None:
    gpus, networks = FakeGpus(count, most=most), [NETWORKS[index] for index in order]
    with gpus.workers() as workers:
        found = list(run(networks, workers, settings(draws=draws), advice=""))
    assert [row.draws for row in found if not isinstance(row, RunError)] == [
        tuple(value_of(Draw(network, number)) for number in range(draws)) for network in networks
    ]
    seen = [(draw.job, draw.number) for got in gpus.got for draw in got]
    assert sorted(seen) == [(job, number) for job in range(len(networks)) for number in range(draws)]


def test_the_draws_of_a_network_stay_together_while_there_is_room() -> None:
    gpus = FakeGpus(2, most=8)
    with gpus.workers() as workers:
        list(run(NETWORKS[:4], workers, settings(draws=4), advice=""))
    assert [{draw.job for draw in got} for got in gpus.got] == [{0, 2}, {1, 3}]


@pytest.mark.parametrize(
    ("name", "indices"), [("cuda", [0, 1, 2]), ("auto", [0, 1, 2]), ("cuda:1", [1]), ("cuda:2,0", [2, 0])]
)
def test_a_setting_names_devices(name: str, indices: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert [device.index for device in devices.resolve_devices(name)] == indices
    with pytest.raises(UsageError, match=r"device: cuda:3 does not exist; this machine has cuda:0 to cuda:2"):
        devices.resolve_devices("cuda:1,3")


@pytest.mark.parametrize("name", ["cuda:", "cuda:1,", "cuda:,1", "cpu,cuda:0", "cuda:0-1", "cuda:0 ,1"])
def test_what_names_no_devices_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=r"device: unknown .*cuda:0,1"):
        devices.resolve_devices(name)


def test_the_switch_for_tf32_is_restored_by_the_last_of_threads_side_by_side() -> None:
    def mode() -> object:
        matmul = torch.backends.cuda.matmul
        return matmul.fp32_precision if hasattr(matmul, "fp32_precision") else matmul.allow_tf32

    before = mode()
    with tensor_cores("tf32"):
        inside = mode()
        assert inside != before
        with tensor_cores("tf32"):
            assert mode() == inside
        assert mode() == inside  # the other thread still computes
    assert mode() == before
