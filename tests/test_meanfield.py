"""Laws of the closed form, each against a computation that shares no code with it."""

from __future__ import annotations

import math
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import specs

from zen_cli import ArchSpec, parse_plainnet, score
from zen_cli.errors import SpecError
from zen_cli.metrics.mean_field import (
    LINEAR,
    RELU,
    _decorrelations,
    _relu_decorrelation,
    decorrelation,
    gain,
    log_delta,
    log_gain,
    score_chain,
)
from zen_cli.metrics.terms import score_spec, spec_terms
from zen_cli.net.layers import ConvLayer

CONVENTIONS, NORMS = ("paper", "zennas"), ("frobenius", "l1")
settings_of_scores = st.tuples(st.sampled_from(CONVENTIONS), st.sampled_from(NORMS), st.floats(1e-9, 10))


@st.composite
def layers(draw: st.DrawFn) -> ConvLayer:
    """Convolutions of any shape, groups aside."""
    kernel = draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    stride = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    dilation = draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    padding = (dilation[0] * (kernel[0] // 2), dilation[1] * (kernel[1] // 2))
    size = draw(st.tuples(st.integers(2, 12), st.integers(2, 12)))
    return ConvLayer(draw(st.integers(1, 64)), 8, kernel, size, stride, padding, dilation)


@given(layers(), st.sampled_from([LINEAR, RELU]))
def test_the_gain_is_the_mean_over_weights_of_the_variance_over_batch_and_space(layer: ConvLayer, moments: Any) -> None:
    # By brute force: for each tap, at which output positions it reads the input rather than the padding.
    height, width = layer.out_size
    taps = []
    for row in range(layer.kernel[0]):
        for column in range(layer.kernel[1]):
            inside = [
                0 <= y * layer.stride[0] - layer.padding[0] + row * layer.dilation[0] < layer.in_size[0]
                and 0 <= x * layer.stride[1] - layer.padding[1] + column * layer.dilation[1] < layer.in_size[1]
                for y in range(height)
                for x in range(width)
            ]
            taps.append(sum(inside) / len(inside))
    variance = sum(moments.variance * share + moments.mean_squared * (share - share**2) for share in taps)
    assert gain(layer, moments) == pytest.approx(layer.in_width * variance, rel=1e-12)


@given(layers(), st.sampled_from(CONVENTIONS), st.integers(1, 64))
def test_a_wider_fan_in_gives_a_larger_gain(layer: ConvLayer, convention: str, more: int) -> None:
    wider = layer._replace(in_width=layer.in_width + more)
    assert log_gain(wider, RELU, convention) > log_gain(layer, RELU, convention)


@given(specs(), settings_of_scores)
def test_block_by_block_is_layer_by_layer(spec: ArchSpec, settings: tuple[str, str, float]) -> None:
    convention, norm, alpha = settings
    whole = score_chain(spec.chain, convention=convention, norm=norm, alpha=alpha)
    assert score_spec(spec, convention=convention, norm=norm, alpha=alpha) == pytest.approx(whole.value, abs=1e-9)
    assert whole.value == pytest.approx(whole.log_delta + sum(term.log_sigma for term in whole.layers), abs=1e-9)
    assert spec_terms(spec, convention).total.log_gain == pytest.approx(whole.value - whole.log_delta, abs=1e-9)


@pytest.mark.parametrize("alpha", [0.1, 0.5, 1.0, 3.0])
def test_a_relu_decorrelates_as_numerical_integration_says(alpha: float) -> None:
    correlation = 1 / math.sqrt(1 + alpha**2)
    rest = math.sqrt(1 - correlation**2)
    steps, reach = 600, 8.0
    grid = [-reach + 2 * reach * (index + 0.5) / steps for index in range(steps)]
    weights = [math.exp(-(value**2) / 2) for value in grid]
    total = sum(weights) ** 2
    product = sum(
        weight * u * sum(other * max(0.0, correlation * u + rest * w) for w, other in zip(grid, weights, strict=True))
        for u, weight in zip(grid, weights, strict=True)
        if u > 0
    )
    mean_squared, variance = 1 / (2 * math.pi), 1 / 2 - 1 / (2 * math.pi)
    expected = (product / total - mean_squared) / variance
    assert 1 - decorrelation(alpha, 1) == pytest.approx(expected, abs=1e-4)


@given(st.floats(1e-12, 1e-6), st.integers(0, 20))
def test_a_small_perturbation_grows_by_pi_over_pi_minus_one_a_layer(alpha: float, relus: int) -> None:
    growth = (math.pi / (math.pi - 1)) ** relus
    assert decorrelation(alpha, relus) == pytest.approx(alpha**2 / 2 * growth, rel=1e-3 * math.sqrt(growth))


@given(st.floats(1e-12, 1e3), st.integers(0, 300))
def test_decorrelation_grows_with_depth_towards_one(alpha: float, relus: int) -> None:
    before, after = decorrelation(alpha, relus), decorrelation(alpha, relus + 1)
    assert 0 < before <= after <= 1 + 1e-12


@given(st.integers(1, 100), st.floats(1e-6, 1))
def test_delta_is_a_gradient_while_it_is_small(relus: int, alpha: float) -> None:
    # log Delta - log alpha no longer depends on alpha where the perturbation stays small.
    def slope(alpha: float) -> float:
        return log_delta("frobenius", alpha, relus, 64, 49) - math.log(alpha)

    if decorrelation(alpha, relus) < 1e-4:
        assert slope(alpha) == pytest.approx(slope(alpha / 10), abs=0.02)
    else:
        assert slope(alpha) < slope(alpha / 10)


def test_published_networks_score_what_the_published_code_computes(published: list[dict[str, Any]]) -> None:
    for fact in published:
        spec = parse_plainnet(fact["structure"], resolution=fact["resolution"], num_classes=fact["num_classes"])
        value = score(spec, estimator="mean-field", convention="zennas").zen.value
        assert value == pytest.approx(fact["reference_zen_mean"], rel=0.015 if fact["resolution"] == 224 else 0.04)


def test_a_breakdown_adds_up_to_the_score(published: list[dict[str, Any]]) -> None:
    spec = parse_plainnet(published[0]["structure"], resolution=32)
    record = score(spec, estimator="mean-field", breakdown=True)
    breakdown = record.breakdown
    assert breakdown is not None
    assert len(breakdown.layers) == record.cost.layers
    assert breakdown.layers[-1].total + breakdown.log_delta == pytest.approx(record.zen.value, abs=1e-9)
    at = breakdown.saturation_layer
    assert at is not None
    assert 20 <= at <= 32  # about 2 ln(1/alpha) / ln(pi/(pi-1)) = 24 layers, a little more for half the correlation
    assert breakdown.layers[at - 2].decorrelation < 0.5 <= breakdown.layers[at - 1].decorrelation


def test_what_has_no_closed_form_says_so() -> None:
    layer = ConvLayer(3, 8, (3, 3), (8, 8), padding=(1, 1))
    with pytest.raises(SpecError, match="no activation"):
        score_chain((layer._replace(activation=False),))


def test_threads_that_meet_an_alpha_for_the_first_time_leave_it_right() -> None:
    depth, interval = 400, sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for run in range(30):
            alpha, start = 1e-3 * (1 + run), threading.Barrier(3)

            def ask(alpha: float = alpha, start: threading.Barrier = start) -> list[float]:
                start.wait(60)
                return [decorrelation(alpha, relus) for relus in range(depth)]

            with ThreadPoolExecutor(3) as pool:
                found = [future.result() for future in [pool.submit(ask) for _ in range(3)]]
            expected = [decorrelation(alpha, 0)]
            while len(expected) < depth:
                expected.append(_relu_decorrelation(expected[-1]))
            assert found == [expected] * 3
            assert [decorrelation(alpha, relus) for relus in range(depth)] == expected
    finally:
        sys.setswitchinterval(interval)


def test_decorrelation_is_the_same_however_long_the_chain_is() -> None:
    values = [decorrelation(0.01, relus) for relus in range(300)]
    assert values == sorted(values) and len(set(values[:40])) == 40
    _decorrelations.cache_clear()
    assert [decorrelation(0.01, relus) for relus in reversed(range(300))] == values[::-1]
