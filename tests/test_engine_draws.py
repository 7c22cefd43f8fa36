"""One draw, on both ways through a chain, against its plain definition in float64."""

from __future__ import annotations

import pytest
import torch
from engine_reference import normals, odd_chain, plain_chain, reference, settings, split_weights
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from zen_cli.metrics.monte_carlo.batch import bundle_of, normalise, score_bundles
from zen_cli.metrics.monte_carlo.single import PRODUCT_ROWS, score_chain
from zen_cli.metrics.settings import MIN_ALPHA, ScoreSettings
from zen_cli.net.layers import Chain, ConvLayer

CONVENTIONS = [{}, {"convention": "zennas"}, {"norm": "l1"}, {"alpha": 0.3}]


def single(chain: Chain, seed: int, options: ScoreSettings, dtype: torch.dtype) -> float:
    images, weights = normals(chain, options.batch_size, seed)
    return score_chain(chain, images.to(dtype), iter(split_weights(chain, weights.to(dtype))), options)


def in_one_batch(chains: list[Chain], seeds: list[int], options: ScoreSettings, dtype: torch.dtype) -> list[float]:
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    bundles = []
    for chain, seed in zip(chains, seeds, strict=True):
        flat = torch.cat(normals(chain, options.batch_size, seed)).to(wide)
        bundles.append(bundle_of(chain, flat.unsqueeze(0), options, dtype))
    with torch.inference_mode():
        return score_bundles(bundles, options)


def expected(chain: Chain, seed: int, options: ScoreSettings) -> float:
    return reference(chain, *normals(chain, options.batch_size, seed), options)


@pytest.mark.parametrize("chain", [plain_chain(), odd_chain()], ids=["plain", "odd"])
@pytest.mark.parametrize("options", CONVENTIONS, ids=str)
def test_both_ways_compute_the_definition(chain: Chain, options: dict[str, object]) -> None:
    wanted = expected(chain, 1, settings(**options))
    for dtype, tolerance in ((torch.float64, 1e-9), (torch.float32, 3e-4)):
        assert single(chain, 1, settings(**options), dtype) == pytest.approx(wanted, abs=tolerance)
        assert in_one_batch([chain], [1], settings(**options), dtype)[0] == pytest.approx(wanted, abs=tolerance)


@st.composite
def chains(draw: st.DrawFn) -> Chain:
    """Layers of any shape that fit each other."""
    layers: list[ConvLayer] = []
    width, size = draw(st.integers(1, 5)), (draw(st.integers(5, 12)), draw(st.integers(5, 12)))
    for _ in range(draw(st.integers(1, 5))):
        groups = draw(st.sampled_from([group for group in (1, 2, width) if width % group == 0]))
        kernel, stride, padding, dilation = (
            (draw(st.integers(low, high)), draw(st.integers(low, high)))
            for low, high in ((1, 3), (1, 2), (0, 2), (1, 2))
        )
        out = groups * draw(st.integers(1, 4))
        layer = ConvLayer(width, out, kernel, size, stride, padding, dilation, groups, activation=draw(st.booleans()))
        if min(layer.out_size) < 2:
            break
        layers.append(layer)
        width, size = out, layer.out_size
    if not layers:
        layers = [ConvLayer(width, 3, (1, 1), size)]
    return tuple(layers)


@given(chains(), st.integers(0, 1000))
@hypothesis_settings(max_examples=25, deadline=None)
def test_any_chain_scores_by_the_definition(chain: Chain, seed: int) -> None:
    wanted = expected(chain, seed, settings())
    assert single(chain, seed, settings(), torch.float64) == pytest.approx(wanted, abs=1e-8)
    assert in_one_batch([chain], [seed], settings(), torch.float64)[0] == pytest.approx(wanted, abs=1e-8)


def test_a_product_and_a_convolution_agree_where_one_takes_over_from_the_other() -> None:
    for side in (31, 33):  # 8 images of each copy: fewer and more rows than PRODUCT_ROWS
        chain = (ConvLayer(3, 8, (1, 1), (side, side)), ConvLayer(8, 4, (1, 1), (side, side)))
        options = settings(batch_size=2)
        assert (4 * side * side <= PRODUCT_ROWS) == (side == 31)
        assert single(chain, 3, options, torch.float64) == pytest.approx(expected(chain, 3, options), abs=1e-9)


def test_networks_that_share_layers_score_as_if_alone() -> None:
    """Networks of different depths that share some layers, at different places of their chains."""
    deep, shallow, narrow = plain_chain(depth=6), plain_chain(depth=3), plain_chain(width=4)
    every = [deep, odd_chain(), shallow, narrow, deep]
    scores = in_one_batch(every, [0, 1, 2, 3, 4], settings(), torch.float64)
    alone = [in_one_batch([chain], [seed], settings(), torch.float64)[0] for seed, chain in enumerate(every)]
    assert scores == pytest.approx(alone, abs=1e-9)
    assert scores == pytest.approx([expected(chain, seed, settings()) for seed, chain in enumerate(every)], abs=1e-9)


@pytest.mark.parametrize("mode", ["float16", "bfloat16"])
def test_short_types_err_less_than_a_standard_error_at_the_least_alpha_they_accept(mode: str) -> None:
    options = settings(alpha=MIN_ALPHA[mode])  # type: ignore[index]
    wanted, found = [], []
    for seed in range(8):
        chain = plain_chain(width=16, depth=8)
        wanted.append(expected(chain, seed, options))
        found += in_one_batch([chain], [seed], options, getattr(torch, mode))
    errors = torch.tensor(found) - torch.tensor(wanted)
    assert abs(errors.mean().item()) < torch.tensor(wanted).std().item() / 8**0.5
    assert errors.mean().item() != 0.0  # it did round


def test_statistics_do_not_lose_a_small_variance_beside_a_large_mean() -> None:
    x = torch.randn(2, 2, 4000, 3, generator=torch.Generator().manual_seed(0)) * 0.5 + 100
    wide = x.double()
    variances = normalise(x, 1e-5, relu=False)
    assert torch.allclose(variances.double(), wide.var(2, correction=0), rtol=1e-4)
    assert abs(x.double().mean().item()) < 1e-3
    assert x.double().var(2, correction=0).sub(1).abs().max().item() < 1e-3
