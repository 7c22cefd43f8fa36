"""Laws of the engine: independence, stopping, memory, order, errors in place."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator

import pytest
import torch
from engine_reference import odd_chain, plain_chain, settings

from zen_cli.errors import MemoryLimitError, RunError, ScoreError, UsageError
from zen_cli.metrics import monte_carlo as engine
from zen_cli.metrics.mean_field import score_chain
from zen_cli.metrics.monte_carlo import Estimate, KeyedChain, draw_bytes, estimate, summarise
from zen_cli.metrics.monte_carlo import estimates as estimates_module
from zen_cli.metrics.monte_carlo import memory as memory_module
from zen_cli.metrics.monte_carlo import workers as workers_module
from zen_cli.metrics.monte_carlo.dispatch import dispatch
from zen_cli.metrics.monte_carlo.draws import ChainDraw, Draw, draws_wanted
from zen_cli.metrics.monte_carlo.estimates import batches, start_workers
from zen_cli.metrics.monte_carlo.precision import tensor_cores
from zen_cli.metrics.monte_carlo.single import Stopped, score_draw
from zen_cli.metrics.settings import PrecisionMode, ScoreSettings, check_settings
from zen_cli.net.layers import Chain, ConvLayer

CPU = torch.device("cpu")


def network(key: str, chain: Chain | None = None) -> KeyedChain:
    return KeyedChain(key, chain or plain_chain(), key)


def some_networks() -> list[KeyedChain]:
    chains = [plain_chain(), odd_chain(), plain_chain(width=12), plain_chain(depth=7), plain_chain(side=5)]
    return [network(f"n{index}", chain) for index, chain in enumerate(chains)]


def scores(networks: list[KeyedChain], options: ScoreSettings) -> dict[str, tuple[float, ...]]:
    results = list(estimate(networks, options))
    assert len(results) == len(networks)
    found = {}
    for one, result in zip(networks, results, strict=True):
        assert isinstance(result, Estimate)
        found[one.key] = result.draws
    return found


@pytest.fixture
def batched(monkeypatch: pytest.MonkeyPatch) -> None:
    """The workers of a GPU, on the CPU."""
    monkeypatch.setattr(estimates_module, "start_workers", batches)


# independence


def test_a_score_is_the_same_alone_in_a_batch_and_in_any_order_to_the_last_bit() -> None:
    networks = some_networks()
    alone = {one.key: scores([one], settings(draws=3))[one.key] for one in networks}
    assert scores(networks, settings(draws=3)) == alone
    assert scores(networks[::-1], settings(draws=3)) == alone
    assert scores(networks[1:3], settings(draws=3)) == {key: alone[key] for key in ("n1", "n2")}


def test_more_draws_begin_with_the_same_draws() -> None:
    one = network("a")
    assert scores([one], settings(draws=5))["a"][:2] == scores([one], settings(draws=2))["a"]


def test_the_number_of_cores_changes_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    networks = some_networks()
    many = scores(networks, settings(draws=3))
    monkeypatch.setattr(workers_module, "usable_cores", lambda: 5)
    assert scores(networks, settings(draws=3)) == many


def test_draws_on_threads_are_those_of_a_plain_loop() -> None:
    one, options = network("a"), settings(draws=4)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        loop = tuple(score_draw(Draw(one, number), options, torch.float32) for number in range(4))
    finally:
        torch.set_num_threads(before)
    assert scores([one], options)["a"] == loop


@pytest.mark.usefixtures("batched")
def test_draws_in_a_batch_score_as_if_alone() -> None:
    networks = some_networks()
    batch = scores(networks, settings(draws=3))
    for one in networks:
        assert scores([one], settings(draws=3))[one.key] == pytest.approx(batch[one.key], rel=1e-4)
    assert scores(networks[::-1], settings(draws=3)) == {key: pytest.approx(batch[key], rel=1e-4) for key in batch}


def test_the_seed_and_the_key_name_the_draws() -> None:
    base = scores([network("a")], settings())["a"]
    assert scores([network("a")], settings(seed=1))["a"] != base
    assert scores([network("b")], settings())["b"] != base
    assert len({engine.draw_seed(seed, key, number) for seed in (0, 1) for key in "ab" for number in (0, 1)}) == 8


def test_the_same_network_twice_gets_the_same_score_twice() -> None:
    one = network("a")
    first, second = estimate([one, one], settings(draws=3))
    assert first == second


def test_torch_keeps_the_number_of_threads_that_its_user_chose() -> None:
    before = torch.get_num_threads()
    scores(some_networks(), settings())
    assert torch.get_num_threads() == before


# what the numbers are


@pytest.mark.parametrize("convention", ["paper", "zennas"])
def test_wide_networks_score_as_the_closed_form(convention: str) -> None:
    chain = plain_chain(width=64, depth=4, side=12)
    found = summarise(scores([network("wide", chain)], settings(draws=12, batch_size=8, convention=convention))["wide"])
    norm = "frobenius" if convention == "paper" else "l1"
    closed = score_chain(chain, convention=convention, norm=norm).value
    assert found.std_error is not None
    assert abs(found.value - closed) < 4 * found.std_error + 0.15


@pytest.mark.usefixtures("batched")
def test_both_kinds_of_workers_estimate_the_same() -> None:
    one = network("a", plain_chain(width=16))
    batch = summarise(scores([one], settings(draws=48))["a"])
    cores = [score_draw(Draw(one, number), settings(seed=7), torch.float32) for number in range(48)]
    error = math.hypot(batch.std_error or 0, summarise(cores).std_error or 0)
    assert abs(batch.value - statistics.fmean(cores)) < 4 * error


def test_a_tiny_alpha_is_computed_in_float64() -> None:
    """log Delta follows log alpha while the copies are close, which float32 could not show."""
    chain = plain_chain(depth=3)
    small, smaller = (
        summarise(scores([network("a", chain)], settings(alpha=alpha))["a"]).value for alpha in (1e-7, 1e-8)
    )
    assert small - smaller == pytest.approx(math.log(10), abs=1e-3)
    assert engine.resolve_mode(settings(alpha=1e-7), "cpu") == "float64"
    assert engine.resolve_mode(settings(), "cpu") == "float32"


# precision


def test_precision_is_reached_and_easy_networks_stop_early() -> None:
    easy, hard = network("easy", plain_chain(width=48, depth=2)), network("hard", plain_chain(width=2, depth=12))
    options = settings(draws=None, precision=0.1)
    results = list(estimate([hard, easy], options))
    counts = []
    for result in results:
        assert isinstance(result, Estimate)
        assert result.std_error is not None
        assert result.std_error <= 0.1
        counts.append(len(result.draws))
    assert counts[1] == engine.MIN_PRECISION_DRAWS < counts[0]


def test_precision_makes_the_same_draws_whoever_stands_beside() -> None:
    networks, options = some_networks(), settings(draws=None, precision=0.25)
    alone = {one.key: scores([one], options)[one.key] for one in networks}
    assert scores(networks, options) == alone


def test_draws_are_never_more_than_doubled_nor_endless() -> None:
    options = settings(draws=None, precision=1e-3)
    assert draws_wanted([], options) == engine.MIN_PRECISION_DRAWS
    assert draws_wanted([0.0, 1.0] * 8, options) == 16
    assert draws_wanted([0.0, 1.0] * (engine.MAX_PRECISION_DRAWS // 2), options) == 0


def test_modes_are_checked_against_alpha_and_device() -> None:
    with pytest.raises(UsageError, match=r"bfloat16 rounds away a perturbation of 0.01; use an alpha of 0.05 or more"):
        check_settings(precision_mode="bfloat16")
    with pytest.raises(UsageError, match="unknown 'float23'"):
        check_settings(precision_mode="float23")
    with pytest.raises(UsageError, match="tf32 gains nothing on a CPU; use float32, or the device cuda"):
        list(estimate([network("a")], settings(precision_mode="tf32")))
    exact = scores([network("a")], settings(precision_mode="float64"))["a"]
    assert len(exact) == 2


def test_tensor_cores_are_left_as_they_were() -> None:
    def now() -> list[object]:
        return [torch.backends.cuda.matmul.fp32_precision, torch.backends.cudnn.conv.fp32_precision]  # type: ignore[attr-defined]

    if not hasattr(torch.backends.cuda.matmul, "fp32_precision"):
        pytest.skip("this torch has no fp32_precision; its older switches are set, but not tested here")
    before = now()
    with tensor_cores("tf32"):
        assert now() == ["tf32", "tf32"]
    with tensor_cores("float32"):
        assert now() == ["ieee", "ieee"]
    assert now() == before


# memory


def limit_memory(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    monkeypatch.setattr(memory_module, "free_bytes", lambda device: limit)


@pytest.mark.parametrize("kind", [start_workers, batches])
def test_a_network_too_large_alone_says_so_in_its_place(monkeypatch: pytest.MonkeyPatch, kind: object) -> None:
    monkeypatch.setattr(estimates_module, "start_workers", kind)
    small, large = plain_chain(), plain_chain(width=64, side=32)
    limit_memory(monkeypatch, draw_bytes(small, 4, all_weights=kind is batches) + 1000)
    results = list(estimate([network("s1", small), network("big", large), network("s2", small)], settings()))
    assert isinstance(results[0], Estimate)
    assert isinstance(results[2], Estimate)
    assert isinstance(results[1], MemoryLimitError)
    message = str(results[1])
    assert message.startswith("big: one draw at batch size 4 needs about ")
    assert "use a smaller batch size" in message
    assert "\n" not in message


class Shortage:
    """A device on which only so many draws can be under way at once; counts how many were tried together."""

    def __init__(self, limit: int) -> None:
        self.limit, self.tried = limit, []  # type: tuple[int, list[int]]

    def __call__(
        self, draws: list[ChainDraw], options: ScoreSettings, mode: PrecisionMode, device: torch.device
    ) -> list[float]:
        self.tried.append(len(draws))
        if len(draws) > self.limit:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return dispatch(draws, options, mode, device)


@pytest.mark.usefixtures("batched")
def test_running_out_of_memory_halves_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    networks = some_networks()
    expected = scores(networks, settings(draws=4))
    shortage = Shortage(3)
    monkeypatch.setattr(estimates_module, "dispatch", shortage)
    found = scores(networks, settings(draws=4))
    assert found == {key: pytest.approx(expected[key], rel=1e-4) for key in expected}
    assert max(shortage.tried) > 3  # it did run out


def test_a_batch_that_needs_eighths_halves_the_budget_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimates_module, "dispatch", Shortage(1))
    halved: list[object] = []
    monkeypatch.setattr(memory_module.Memory, "halve", lambda memory: halved.append(memory))
    with batches(CPU, settings(), "float32") as workers:
        for number in range(8):
            workers.submit(Draw(network("a", plain_chain(width=2)), number))
        outcomes = workers.wait()
    assert [outcome.draw.number for outcome in outcomes] == list(range(8))
    assert len(halved) == 1


@pytest.mark.usefixtures("batched")
def test_a_draw_that_runs_out_of_memory_alone_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimates_module, "dispatch", Shortage(0))
    results = list(estimate([network("a"), network("b")], settings()))
    assert [str(result).split(";")[0] for result in results if isinstance(result, RunError)] == [
        "a: out of memory on cpu",
        "b: out of memory on cpu",
    ]


def test_cores_that_run_out_of_memory_try_again_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    networks = some_networks()
    expected = scores(networks, settings(draws=3))
    tried: dict[ChainDraw, int] = {}

    def once_short(draw: ChainDraw, *rest: object) -> float:
        tried[draw] = tried.get(draw, 0) + 1
        if draw.number == 1 and tried[draw] == 1:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp:115] DefaultCPUAllocator: can't allocate memory")
        return score_draw(draw, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(workers_module, "usable_cores", lambda: 4)
    monkeypatch.setattr(estimates_module, "score_draw", once_short)
    results = dict(zip((one.key for one in networks), estimate(networks, settings(draws=3)), strict=True))
    retried = [result for result in results.values() if isinstance(result, Estimate)]
    assert retried
    for key, result in results.items():
        if isinstance(result, Estimate):
            assert result.draws == expected[key]
        else:  # the draw happened to be alone, which is when nothing more can be done
            assert isinstance(result, MemoryLimitError)


def test_an_error_that_is_not_about_memory_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = (ConvLayer(3, 4, (3, 3), (8, 8), padding=(1, 1), groups=2),)  # 3 channels in two groups
    with pytest.raises(RuntimeError):
        list(estimate([network("wrong", wrong)], settings()))


def test_the_estimate_of_memory_grows_with_everything_that_takes_it() -> None:
    base = draw_bytes(plain_chain(), 4)
    assert draw_bytes(plain_chain(), 8) > base
    assert draw_bytes(plain_chain(width=16), 4) > base
    assert draw_bytes(plain_chain(side=16), 4) > base
    assert draw_bytes(plain_chain(), 4, itemsize=8) == 2 * base
    assert draw_bytes(plain_chain(), 4, all_weights=True) > base


# order, streams, errors


def test_an_error_takes_the_place_of_the_result_that_could_not_be() -> None:
    flat = (ConvLayer(3, 4, (8, 8), (8, 8)),)  # one position: with one image there is no variance
    results = list(estimate([network("a"), network("flat", flat), network("b")], settings(batch_size=1)))
    assert isinstance(results[0], Estimate)
    assert isinstance(results[1], ScoreError)
    assert isinstance(results[2], Estimate)
    assert str(results[1]).startswith("flat: a draw scored ")


def test_results_come_before_the_stream_has_ended() -> None:
    read = []

    def endless() -> Iterator[KeyedChain]:
        while True:
            read.append(len(read))
            yield network(f"n{len(read)}", plain_chain(width=2, depth=1, side=4))

    results = estimate(endless(), settings(draws=1))
    for _ in range(3):
        next(results)
    assert len(read) <= 3 + 2 * torch.get_num_threads() + 1
    results.close()  # type: ignore[attr-defined]  # it is a generator


def test_every_draw_is_told() -> None:
    told: list[int] = []
    list(estimate(some_networks(), settings(draws=3), on_draw=told.append))
    assert sum(told) == 15


def test_a_draw_nobody_waits_for_is_given_up() -> None:
    with pytest.raises(Stopped):
        score_draw(Draw(network("a"), 0), settings(), torch.float32, lambda: True)


def test_no_network_gives_no_result() -> None:
    assert list(estimate([], settings())) == []


# CUDA


needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")


@needs_cuda
def test_cuda_does_not_depend_on_neighbours() -> None:
    networks = some_networks()
    batch = scores(networks, settings(draws=3, device="cuda"))
    for one in networks:
        assert scores([one], settings(draws=3, device="cuda"))[one.key] == pytest.approx(batch[one.key], rel=1e-4)


@needs_cuda
def test_cuda_estimates_what_a_cpu_estimates() -> None:
    one = network("a", plain_chain(width=16))
    cuda, cpu = (summarise(scores([one], settings(draws=48, device=device))["a"]) for device in ("cuda", "cpu"))
    assert abs(cuda.value - cpu.value) < 4 * math.hypot(cuda.std_error or 0, cpu.std_error or 0)
