"""The closed form of the Zen-score: the limit of wide layers, where every pre-activation is Gaussian.

    Zen = log Delta + sum_i log sigma_i        (nats)

The gains sigma_i depend on one layer each, and Delta on the depth and the last feature map alone, so the score of a
network is a sum over its blocks (`terms.py`). No forward pass, no weights, no torch.

Sources: Zen-NAS (arXiv 2102.01063), algorithm 1, for the score; Cho & Saul, *Kernel methods for deep learning* (2009),
for the moments of ReLU; Yang et al., *A mean field theory of batch normalization* (arXiv 1902.08129), for the limit.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

from ..errors import ScoreError, SpecError
from ..net.layers import Chain, ConvLayer, Pair
from .pooling import pooled_moments
from .sums import plain_sum

RELU_MEAN_SQUARED = 1 / (2 * math.pi)
RELU_VARIANCE = 1 / 2 - 1 / (2 * math.pi)


class LayerTerm(NamedTuple):
    """One layer's share of the score.

    `log_sigma` in nats; `decorrelation` is 1 - c, with c the correlation of the clean and the perturbed copy after the
    layer: it starts near alpha^2/2 and saturates at 1.
    """

    layer: ConvLayer
    log_sigma: float
    decorrelation: float


class MeanField(NamedTuple):
    """The closed form of one network: `value` = `log_delta` + the sum of the layers' `log_sigma`, in nats."""

    value: float
    log_delta: float
    layers: tuple[LayerTerm, ...]

    @property
    def saturation_layer(self) -> int | None:
        """The first layer (from 1) after which the copies have lost half of their correlation; None if there is none.

        From there on Delta hardly grows: it no longer measures a gradient, and the gains carry the score.
        """
        for index, term in enumerate(self.layers, start=1):
            if term.decorrelation >= 0.5:
                return index
        return None


def score_chain(chain: Chain, *, convention: str = "paper", norm: str = "frobenius", alpha: float = 0.01) -> MeanField:
    """The closed-form Zen-score of a chain with its layers' shares; arguments as for `terms.score_and_count`.

    Raises:
        SpecError: the last layer has no activation.
        ScoreError: the score is not a finite number.
    """
    terms, relus = [], 0
    for index, layer in enumerate(chain):
        moments = LINEAR if index == 0 or not chain[index - 1].activation else RELU
        relus += layer.activation
        terms.append(LayerTerm(layer, log_gain(layer, moments, convention), decorrelation(alpha, relus)))
    last = chain[-1]
    if not last.activation:
        raise SpecError("the last layer of a chain has no activation; the closed form needs one")
    end = log_delta(norm, alpha, relus, last.out_width, math.prod(last.out_size))
    value = plain_sum(term.log_sigma for term in terms) + end
    if not math.isfinite(value):
        raise ScoreError(f"the mean-field score is {value}; use another alpha")
    return MeanField(value, end, tuple(terms))


class Moments(NamedTuple):
    """Squared mean and variance of a layer's input, in units of its second moment before the ReLU."""

    mean_squared: float
    variance: float


LINEAR = Moments(0.0, 1.0)
RELU = Moments(RELU_MEAN_SQUARED, RELU_VARIANCE)


def gain(layer: ConvLayer, moments: Moments) -> float:
    """Variance of a layer's pre-activations over batch and space, averaged over channels: sigma^2.

        sigma^2 = fan_in * sum_tu [ v A_tu + m^2 A_tu (1 - A_tu) ]

    A_tu is the share of output positions for which tap (t, u) falls inside the input. The second term is the variance
    over positions that zero padding gives to the mean.

    Args:
        layer: kernel, channels, groups, stride, padding, size of the input, pooling before it.
        moments: of one input channel before the pooling; `LINEAR` for images, `RELU` after a ReLU.
    """
    if layer.pool is not None:
        mean = math.sqrt(moments.mean_squared)
        moments = Moments(*pooled_moments(layer.pool, layer.in_size, mean, moments.variance))
    inside, edge = _tap_sums(layer.kernel, layer.in_size, layer.stride, layer.padding, layer.dilation)
    return layer.fan_in * (moments.variance * inside + moments.mean_squared * edge)


def log_gain(layer: ConvLayer, moments: Moments, convention: str = "paper") -> float:
    """A layer's share of the score, log sigma, in nats; arguments as for `gain` and `log_sigma`."""
    return log_sigma(gain(layer, moments), convention)


def log_sigma(sigma_squared: float, convention: str) -> float:
    """log sigma in nats of a layer whose pre-activations have this variance.

    The convention `paper` takes the variance itself; `zennas` takes what the published code computes with one repeat
    on a fresh network: a running variance that starts at 1 and moves by a tenth, twice: 0.81 + 0.19 sigma^2.
    """
    if convention == "zennas":
        sigma_squared = 0.81 + 0.19 * sigma_squared
    return math.log(sigma_squared) / 2


def decorrelation(alpha: float, relus: int) -> float:
    """1 - c, with c the correlation of f(x) and f(x + alpha e) after `relus` ReLUs, each followed by a BN.

    c_0 = 1/sqrt(1 + alpha^2), kept by conv and BN; a ReLU maps it to
    rho(c) = (sqrt(1 - c^2) + c (pi - arccos c) - 1) / (pi - 1)  (the arc-cosine kernel of degree 1, centred).
    Accurate to rounding however small alpha is, because 1 - c is computed in place of c.
    """
    return _decorrelations(alpha, 1 << max(6, relus.bit_length()))[relus]


@lru_cache(maxsize=65_536)
def log_delta(norm: str, alpha: float, relus: int, width: int, area: int) -> float:
    """log Delta in nats on a last feature map of `width` channels and `area` positions, after `relus` ReLUs.

    Frobenius: Delta^2 = C r^2 (pi - 1)/pi * (1 - c_relus). L1: Delta = C r^2 sqrt((1 - c)/pi), with c the correlation
    before the last ReLU.
    """
    if norm == "l1":
        return math.log(width * area) + math.log(decorrelation(alpha, relus - 1) / math.pi) / 2
    return math.log(width * area * decorrelation(alpha, relus) * (math.pi - 1) / math.pi) / 2


@lru_cache(maxsize=65_536)
def _tap_sums(kernel: Pair, size: Pair, stride: Pair, padding: Pair, dilation: Pair) -> tuple[float, float]:
    """(sum of A_tu, sum of A_tu (1 - A_tu)) over the taps of a kernel."""
    rows, columns = (
        _tap_shares(kernel[axis], size[axis], stride[axis], padding[axis], dilation[axis]) for axis in (0, 1)
    )
    shares = [row * column for row in rows for column in columns]
    return math.fsum(shares), math.fsum(share * (1 - share) for share in shares)


def _tap_shares(kernel: int, size: int, stride: int, padding: int, dilation: int) -> list[float]:
    """Share of output positions for which each tap of one axis falls inside [0, size)."""
    positions = (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
    shares = []
    for tap in range(kernel):
        offset = tap * dilation - padding
        first = max(0, -(offset // stride))
        last = min(positions - 1, (size - 1 - offset) // stride)
        shares.append(max(0, last - first + 1) / positions)
    return shares


@lru_cache(maxsize=32)
def _decorrelations(alpha: float, count: int) -> tuple[float, ...]:
    """1 - c after 0, 1, ..., count - 1 ReLUs, starting with 1 - c_0 = 1 - 1/sqrt(1 + alpha^2)."""
    root = math.hypot(1, alpha)
    rows = [(alpha / root) * (alpha / (root + 1))]
    while len(rows) < count:
        rows.append(_relu_decorrelation(rows[-1]))
    return tuple(rows)


def _relu_decorrelation(delta: float) -> float:
    """1 - rho(1 - delta) = (pi delta - (sin phi - phi cos phi)) / (pi - 1), phi = arccos(1 - delta)."""
    phi = 2 * math.asin(math.sqrt(min(delta, 2.0) / 2))
    if phi < 0.3:
        square = phi * phi
        bend = phi * square * (1 / 3 - square * (1 / 30 - square * (1 / 840 - square / 45_360)))
    else:
        bend = math.sin(phi) - phi * math.cos(phi)
    return (math.pi * delta - bend) / (math.pi - 1)
