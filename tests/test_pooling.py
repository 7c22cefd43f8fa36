"""Pools in the closed form: moments against integrals and random numbers, whole chains against random networks."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from zen_cli.metrics.mean_field import RELU, gain, score_chain
from zen_cli.metrics.monte_carlo import KeyedChain, estimate
from zen_cli.metrics.monte_carlo.estimates import Estimate
from zen_cli.metrics.pooling import inside_counts, maximum_moments, pooled_moments
from zen_cli.metrics.settings import check_settings
from zen_cli.net.layers import Chain, ConvLayer, Pair, Pool, pooled_size

MEAN, VARIANCE = math.sqrt(RELU.mean_squared), RELU.variance


def test_the_maximum_of_one_two_and_three_normals_has_the_known_moments() -> None:
    root = math.sqrt(math.pi)
    known = {1: (0.0, 1.0), 2: (1 / root, 1.0), 3: (1.5 / root, 1 + math.sqrt(3) / 2 / math.pi)}
    for count, expected in known.items():
        assert maximum_moments(count, rectified=False) == pytest.approx(expected, abs=1e-8)
    assert maximum_moments(1, rectified=True) == pytest.approx((1 / math.sqrt(2 * math.pi), 0.5), abs=1e-8)


@given(st.integers(1, 400))
def test_a_maximum_grows_with_what_it_is_taken_of_and_a_relu_only_adds(count: int) -> None:
    (mean, square), (more, _) = (maximum_moments(number, rectified=True) for number in (count, count + 1))
    plain, plain_square = maximum_moments(count, rectified=False)
    assert plain <= mean < more
    assert square - mean**2 > 0 and plain_square >= square


@given(st.integers(1, 7), st.integers(1, 4), st.integers(0, 3), st.integers(1, 20))
def test_windows_hold_the_positions_that_counting_finds(kernel: int, stride: int, padding: int, side: int) -> None:
    padding = min(padding, kernel // 2)
    before = max(1, (side - 1) * stride + kernel - 2 * padding)
    counts = inside_counts(Pool("max", (kernel, 1), (stride, 1), (padding, 0)), (side, 1), 0)
    expected = [
        max(1, sum(0 <= start + tap < before for tap in range(kernel)))
        for start in range(-padding, -padding + side * stride, stride)
    ]
    assert sorted(counts.elements()) == sorted(expected)


@pytest.mark.parametrize("kind", ["max", "avg"])
@pytest.mark.parametrize("geometry", [((2, 2), (2, 2), (0, 0)), ((3, 3), (2, 2), (1, 1)), ((1, 4), (1, 3), (0, 2))])
@pytest.mark.parametrize("rectified", [True, False])
def test_moments_are_those_of_a_pooled_random_map(
    kind: str, geometry: tuple[Pair, Pair, Pair], rectified: bool
) -> None:
    pool = Pool(kind, *geometry)
    before = [4 * stride + kernel - 2 * padding for kernel, stride, padding in zip(*geometry, strict=True)]
    size = (5, 5)
    maps = torch.randn(20_000, 1, *before, generator=torch.Generator().manual_seed(3))
    maps = maps.relu() if rectified else maps
    function = torch.nn.functional.max_pool2d if kind == "max" else torch.nn.functional.avg_pool2d
    pooled = function(maps, *geometry)
    mean, variance = (MEAN, VARIANCE) if rectified else (0.0, 1.0)
    mean_squared, found = pooled_moments(pool, size, mean, variance)
    assert math.sqrt(mean_squared) == pytest.approx(abs(pooled.mean().item()), abs=0.01)
    assert found == pytest.approx(pooled.var().item(), rel=0.05)


def test_a_pool_of_one_position_changes_nothing() -> None:
    for kind in ("max", "avg"):
        moments = pooled_moments(Pool(kind, (1, 1), (1, 1), (0, 0)), (8, 8), MEAN, VARIANCE)
        assert moments == pytest.approx((RELU.mean_squared, RELU.variance), abs=1e-8)


def test_an_average_lowers_the_gain_and_a_maximum_raises_it() -> None:
    layer = ConvLayer(8, 8, (3, 3), (8, 8), padding=(1, 1))
    average, largest = (gain(layer._replace(pool=Pool(kind, (2, 2), (2, 2), (0, 0))), RELU) for kind in ("avg", "max"))
    assert average < gain(layer, RELU) < largest


def chain(pool: Pool | None, side: int = 32, width: int = 128) -> Chain:
    """A stem as of a residual network, and a second pooling."""
    layers, size = [ConvLayer(3, width, (7, 7), (side, side), (2, 2), (3, 3))], (side // 2, side // 2)
    for _ in range(2):
        size = pooled_size(size, pool)
        layers.append(ConvLayer(width, width, (3, 3), size, padding=(1, 1), pool=pool))
        layers.append(ConvLayer(width, width, (3, 3), size, padding=(1, 1)))
    return tuple(layers)


@pytest.mark.parametrize(
    "pool",
    [
        None,
        Pool("max", (2, 2), (2, 2), (0, 0)),
        Pool("max", (3, 3), (2, 2), (1, 1)),
        Pool("avg", (2, 2), (2, 2), (0, 0)),
        Pool("avg", (3, 3), (2, 2), (1, 1)),
        Pool("max", (1, 3), (1, 2), (0, 0)),
    ],
)
def test_chains_with_two_pools_score_what_random_networks_do(pool: Pool | None) -> None:
    layers = chain(pool)
    settings = check_settings(draws=3, batch_size=4, device="cpu")
    found = next(iter(estimate([KeyedChain("chain", layers, "chain")], settings)))
    assert isinstance(found, Estimate)
    assert score_chain(layers).value == pytest.approx(found.value, abs=0.3)


def test_a_layer_that_reads_other_channels_or_another_size_scores_what_its_gain_says() -> None:
    layers = (
        ConvLayer(3, 64, (3, 3), (16, 16), padding=(1, 1)),
        ConvLayer(160, 48, (1, 1), (16, 16)),
        ConvLayer(24, 64, (3, 3), (21, 9), padding=(1, 1), groups=2),
    )
    settings = check_settings(draws=3, batch_size=4, device="cpu")
    found = next(iter(estimate([KeyedChain("chain", layers, "chain")], settings)))
    assert isinstance(found, Estimate)
    assert score_chain(layers).value == pytest.approx(found.value, abs=0.1)
