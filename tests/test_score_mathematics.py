"""Why the Zen-score goes to its depth limit and why necks are free: docs/score.md, in numbers."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zen_cli.metrics.block_terms import block_terms
from zen_cli.metrics.mean_field import RELU_VARIANCE, score_chain
from zen_cli.net.counting import layer_cost
from zen_cli.net.layers import Chain, ConvLayer
from zen_cli.net.ops import Gene

BEST_FAN_IN = math.e / RELU_VARIANCE
SIDE, WIDTH = 8, 64


def equal_layers(fan_in: int, weights: int) -> Chain:
    """1x1 convolutions of one width and as many groups as give this fan-in, so many that they have these MACs."""
    layer = ConvLayer(WIDTH, WIDTH, (1, 1), (SIDE, SIDE), groups=WIDTH // fan_in)
    return (layer,) * (weights // (fan_in * WIDTH))


def gains(chain: Chain) -> float:
    """The sum of log sigma, without the first layer, which reads an image."""
    return sum(term.log_sigma for term in score_chain(chain).layers[1:])


def test_at_equal_macs_the_best_depth_has_a_fan_in_of_eight() -> None:
    assert pytest.approx(7.975, abs=0.001) == BEST_FAN_IN
    weights = 64 * 64 * 64
    chains = {fan_in: equal_layers(fan_in, weights) for fan_in in (1, 2, 4, 8, 16, 32, 64)}
    assert len({sum(layer_cost(layer).macs for layer in chain) for chain in chains.values()}) == 1
    scores = {fan_in: gains(chain) for fan_in, chain in chains.items()}
    assert max(scores, key=scores.__getitem__) == 8
    for fan_in, chain in chains.items():
        expected = (len(chain) - 1) / 2 * math.log(RELU_VARIANCE * fan_in)
        assert scores[fan_in] == pytest.approx(expected, rel=1e-9)


def test_a_3x3_convolution_of_one_channel_is_already_past_it() -> None:
    """So thinner and deeper always scores more at the same MACs: 4 times the layers of half the width."""
    assert BEST_FAN_IN < 9

    def chain(width: int) -> Chain:
        layer = ConvLayer(width, width, (3, 3), (64, 64), padding=(1, 1))
        return (layer,) * (8 * (8 // width) ** 2)

    assert len({sum(layer_cost(layer).macs for layer in chain(width)) for width in (1, 2, 4, 8)}) == 1
    scores = [gains(chain(width)) for width in (8, 4, 2, 1)]
    assert scores == sorted(scores)


@given(st.integers(1, 64), st.integers(1, 64), st.integers(1, 8), st.sampled_from([1, 3, 5]))
def test_score_and_macs_of_a_unit_depend_on_the_product_of_its_widths(
    trunk: int, inside: int, factor: int, kernel: int
) -> None:
    def middle(width: int, mid: int) -> tuple[float, int]:
        """A second unit on top of a first one, so that neither has a projection or another input."""
        two, one = (
            block_terms(Gene("basic", kernel, width, 1, depth, mid), width, 16, "paper", False)[0] for depth in (2, 1)
        )
        return two.log_gain - one.log_gain, two.macs - one.macs

    wide, neck = middle(trunk * factor, inside), middle(trunk, inside * factor)
    assert neck[0] == pytest.approx(wide[0], abs=1e-9)
    assert neck[1] == wide[1]


def test_a_projection_costs_macs_with_the_trunk() -> None:
    def projection(width: int, mid: int) -> int:
        first, both = (
            block_terms(Gene("basic", 3, width, 1, depth, mid), width, 16, "paper", False)[0].macs for depth in (1, 2)
        )
        return 2 * first - both

    assert projection(16, 16) == 4 * projection(8, 32) == 16 * 16 * 16 * 16
