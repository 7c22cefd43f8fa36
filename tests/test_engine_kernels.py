"""The kernels of a GPU: their tables, what they compute (in Triton's interpreter), and that cards can run them."""

from __future__ import annotations

import importlib.util
import json
import math
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from engine_reference import odd_chain as pooled_chain
from engine_reference import plain_chain, settings
from forks import fork_server, script_of
from plan_tools import odd_chain, wide_chain

from zen_cli.metrics.monte_carlo import dispatch as dispatch_module
from zen_cli.metrics.monte_carlo import draw_bytes
from zen_cli.metrics.monte_carlo.dispatch import dispatch, kernels_for, score_plain, trial
from zen_cli.metrics.monte_carlo.draws import ChainDraw, Draw, KeyedChain
from zen_cli.metrics.monte_carlo.plan import ALIGNMENT, BLOCK_ROWS, Launch, Shape, Step, make_plan, shape_of
from zen_cli.metrics.settings import PrecisionMode, ScoreSettings
from zen_cli.net.layers import Chain, ConvLayer

CPU = torch.device("cpu")
CHAINS = [plain_chain(), odd_chain(), wide_chain(), plain_chain(depth=2)]
SHARED_BYTES = {"75": 64 * 1024, "80": 99 * 1024, "90": 99 * 1024}  # what any card of a generation has


def run(script: str, folder: Path, *words: str, **environment: str) -> dict[str, object]:
    """What a script beside this file prints, in JSON, in a process that has torch already."""
    for name in ("triton", "numpy"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed; torch for CUDA brings Triton, and its interpreter needs numpy")
    process = fork_server().start(folder, script_of(Path(__file__).with_name(script)), *words, **environment)
    out, err = process.communicate(timeout=300)
    assert process.wait() == 0, err.decode()
    return json.loads(out)  # type: ignore[no-any-return]


# what they compute


def test_the_kernels_score_by_the_definition_whatever_runs_beside(tmp_path: Path) -> None:
    """In Triton's interpreter, which needs no GPU."""
    found = run("triton_interpreted.py", tmp_path, TRITON_INTERPRET="1")
    for name in ("beside others", "beside deeper ones"):
        alone, *others = found.pop(name)  # type: ignore[misc]
        assert all(scores == alone for scores in others), name
    assert not any(math.isfinite(score) for scores in found.pop("nothing finite") for score in scores)  # type: ignore[attr-defined]
    for name, (scores, wanted) in found.items():  # type: ignore[misc]
        is_short = name in ("tf32", "float16")
        assert scores == pytest.approx(wanted, abs=6e-3 if is_short else 5e-5), name
        assert (scores == pytest.approx(wanted, abs=5e-5)) is not is_short, name  # it did round


def test_cards_can_run_the_kernels(tmp_path: Path) -> None:
    """Compiled for cards that are not here: Turing, Ampere and Hopper."""
    if importlib.util.find_spec("triton") and tuple(map(int, version("triton").split(".")[:2])) < (3, 3):
        pytest.skip("the script compiles by an interface that Triton has since 3.3")
    found = run("triton_compiled.py", tmp_path, *SHARED_BYTES, TRITON_CACHE_DIR=str(tmp_path))
    assert found.keys() == SHARED_BYTES.keys()
    for card, limit in SHARED_BYTES.items():
        assert {name: shared for name, shared in found[card].items() if shared > limit} == {}, card  # type: ignore[attr-defined]


# tables


def test_parts_of_draws_follow_each_other_and_do_not_overlap() -> None:
    batch, chains = 3, [*CHAINS, CHAINS[1]]
    plan = make_plan(chains, batch)
    buffers = plan.numbers, plan.maps, plan.moments
    parts: list[list[tuple[int, int]]] = [[], [], []]
    variances = []
    for chain, offsets, steps in zip(chains, plan.offsets.tolist(), plan.steps.tolist(), strict=True):
        images, even, odd, moments, layers, first_weights, end = offsets
        assert layers == len(chain)
        first = chain[0]
        at = images + 2 * batch * first.in_width * math.prod(first.in_size)
        largest, blocks = 0, 0
        for layer, (row, weights, where) in zip(chain, steps, strict=False):
            assert plan.shapes[row].tolist() == list(shape_of(layer))
            assert weights == at
            at += math.prod(layer.weight_shape)
            variances.append((where, where + 2 * layer.out_width))
            rows = batch * math.prod(layer.out_size)
            largest = max(largest, 2 * rows * layer.out_width)
            blocks = max(blocks, 4 * layer.out_width * math.ceil(rows / BLOCK_ROWS))
        assert (first_weights, end) == (steps[0][1], at)
        parts[0].append((images, at))
        parts[1] += [(even, even + largest), (odd, odd + largest)]
        parts[2].append((moments, moments + blocks))
    for some, size in zip([*parts, variances], [*buffers, plan.variances], strict=True):
        some.sort()
        assert some[0][0] == 0
        assert all(end <= start for (_, end), (start, _) in pairwise(some))
        assert size - some[-1][1] < ALIGNMENT
    assert (plan.offsets[:, :4] % ALIGNMENT == 0).all()


def test_every_layer_of_every_draw_is_in_one_launch_that_does_all_of_it() -> None:
    batch = 3
    plan = make_plan(CHAINS, batch)
    done: Counter[tuple[int, int]] = Counter()
    for step, launches in enumerate(plan.launches):
        for at, launch in enumerate(launches):
            if at:  # those of a step follow each other, so that `join` takes all of them
                assert launch.start == launches[at - 1].start + launches[at - 1].draws
            for draw in plan.order[launch.start : launch.start + launch.draws].tolist():
                done[draw, step] += 1
                check_launch(
                    launch, CHAINS[draw][step], batch, int(plan.steps[draw, step, Step._fields.index("weights")])
                )
    assert done == Counter((draw, step) for draw, chain in enumerate(CHAINS) for step in range(len(chain)))


def check_launch(launch: Launch, layer: ConvLayer, batch: int, weights: int) -> None:
    blocks = math.ceil(batch * math.prod(layer.out_size) / BLOCK_ROWS)
    groups = 1 if launch.tile.depthwise else layer.groups
    assert launch.programs >= blocks * groups * math.ceil(layer.out_width / groups / launch.tile.columns)
    if launch.aligned:
        assert layer.in_width % 4 == layer.out_width % 4 == weights % 4 == 0
        assert launch.tile.depthwise or layer.fan_in % 4 == 0


def test_a_layer_takes_the_same_tile_whatever_runs_beside() -> None:
    def tiles(chains: Sequence[Chain]) -> list[Launch]:
        plan = make_plan(chains, 3)
        mine = [[launch for launch in launches if 0 in members(plan.order, launch)] for launches in plan.launches]
        return [launch for (launch,) in mine[: len(chains[0])]]

    def members(order: torch.Tensor, launch: Launch) -> list[int]:
        return order[launch.start : launch.start + launch.draws].tolist()  # type: ignore[no-any-return]

    for chain in CHAINS:
        alone, beside = tiles([chain]), tiles([chain, *CHAINS])
        assert [(one.tile, one.aligned) for one in alone] == [(one.tile, one.aligned) for one in beside]


def test_a_row_of_a_shape_names_what_it_holds() -> None:
    layer = ConvLayer(6, 12, (1, 2), (13, 14), (3, 4), (5, 6), (7, 8), groups=3, activation=False)
    shape = shape_of(layer)
    assert shape == Shape(6, 12, 2, 4, 13, 14, *layer.out_size, 1, 2, 3, 4, 5, 6, 7, 8, 0)


@pytest.mark.parametrize("itemsize", [2, 4])
def test_a_plan_takes_no_more_memory_than_was_estimated(itemsize: int) -> None:
    for chain in (plain_chain(width=64, side=32), wide_chain(), plain_chain(width=8, depth=9, side=16)):
        plan = make_plan([chain], 16)
        need = 4 * (plan.numbers + plan.moments + plan.variances + 4 * plan.widest) + itemsize * plan.maps
        assert need < draw_bytes(chain, 16, itemsize, all_weights=True)


# which backend a draw takes


def draws_of(*chains: Chain) -> list[Draw]:
    return [Draw(KeyedChain(str(key), chain, str(key)), 0) for key, chain in enumerate(chains)]


def test_what_the_kernels_cannot_do_is_done_by_plain_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def kernels(
        draws: Sequence[ChainDraw], options: ScoreSettings, mode: PrecisionMode, device: torch.device
    ) -> list[float]:
        seen.extend(draws)
        return [float(draw.task.key) for draw in draws]

    monkeypatch.setattr(dispatch_module, "kernels_for", lambda device, mode: kernels)
    draws = draws_of(plain_chain(), pooled_chain(), wide_chain(), pooled_chain())
    scores = dispatch(draws, settings(), "float32", CPU)
    assert seen == [draws[0], draws[2]]
    plain = score_plain([draws[1], draws[3]], settings(), "float32", CPU)
    assert scores == [0.0, plain[0], 2.0, plain[1]]


def test_kernels_that_fail_or_disagree_are_not_trusted() -> None:
    assert trial(score_plain, "float32", CPU) is None

    def broken(*rest: object) -> list[float]:
        raise RuntimeError("Failed to find C compiler.\nPlease specify one")

    assert str(trial(broken, "float32", CPU)).startswith("Failed to find C compiler.")

    def wrong(*rest: object) -> list[float]:
        return [score + 0.1 for score in score_plain(*rest)]  # type: ignore[arg-type]

    assert str(trial(wrong, "float32", CPU)).startswith("they score [")

    def short(*rest: object) -> list[float]:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    with pytest.raises(torch.OutOfMemoryError):
        trial(short, "float32", CPU)


def test_kernels_that_fail_after_the_trial_are_given_up_with_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def kernels(draws: Sequence[ChainDraw], *rest: object) -> list[float]:
        seen.append(len(draws))
        raise ValueError("out of resource: shared memory\nHint")

    monkeypatch.setattr(dispatch_module, "kernels_for", lambda device, mode: kernels)
    monkeypatch.setattr(dispatch_module, "_refused", set())
    draws = draws_of(plain_chain(), wide_chain())
    plain = score_plain(draws, settings(), "float32", CPU)
    with pytest.warns(UserWarning, match=r"without Triton's kernels.*: ValueError: out of resource: shared memory$"):
        assert dispatch(draws, settings(), "float32", CPU) == plain
    assert dispatch(draws, settings(), "float32", CPU) == plain
    assert seen == [2]


def test_there_are_no_kernels_on_a_cpu_or_in_float64() -> None:
    assert kernels_for(CPU, "float32") is None
    assert kernels_for(torch.device("cuda"), "float64") is None


# on a card

needs_cuda = pytest.mark.skipif(
    not torch.cuda.is_available() or importlib.util.find_spec("triton") is None, reason="no CUDA device, or no Triton"
)
CARDS = [torch.device("cuda", number) for number in range(torch.cuda.device_count())]
MODES: list[tuple[PrecisionMode, float]] = [("float32", 1e-3), ("tf32", 0.05), ("float16", 0.05), ("bfloat16", 0.2)]


@needs_cuda
@pytest.mark.parametrize(("mode", "tolerance"), MODES)
def test_a_card_scores_what_plain_torch_scores_from_the_same_numbers(mode: PrecisionMode, tolerance: float) -> None:
    draws = draws_of(*CHAINS, plain_chain(width=72, depth=3, side=32))
    options = settings(batch_size=16, alpha=0.1)
    for card in CARDS:
        kernels = kernels_for(card, mode)
        assert kernels is not None
        assert kernels(draws, options, mode, card) == pytest.approx(
            score_plain(draws, options, mode, card), abs=tolerance
        )


@needs_cuda
@pytest.mark.parametrize("mode", ["float32", "float16"])
def test_on_a_card_a_score_is_the_same_to_the_last_bit_beside_deeper_and_more_networks(mode: PrecisionMode) -> None:
    deep = plain_chain(width=16, depth=60)
    few, many = draws_of(deep, *CHAINS), draws_of(deep, *CHAINS, plain_chain(width=16, depth=66), *CHAINS * 60)
    options = settings(batch_size=16)
    found = dispatch(many, options, mode, CARDS[0])
    assert dispatch(few, options, mode, CARDS[0]) == found[: len(few)]
    assert [dispatch([draw], options, mode, CARDS[0])[0] for draw in few] == found[: len(few)]
