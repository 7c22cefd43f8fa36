"""Measured proxies against second computations of their definitions on tiny networks, in float64 where it matters."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from importlib import import_module
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import specs
from torch import Tensor, nn
from torch.func import functional_call, jacrev
from torch.nn import functional

from zen_cli import ArchSpec, parse_spec
from zen_cli.errors import MemoryLimitError, RunError, ScoreError
from zen_cli.metrics import find
from zen_cli.metrics.monte_carlo import KeyedChain, estimate
from zen_cli.metrics.monte_carlo.draws import Draw
from zen_cli.metrics.monte_carlo.single import Stopped
from zen_cli.metrics.proxies.grad_norm import gradient_norm
from zen_cli.metrics.proxies.naswot import agreements, log_determinant
from zen_cli.metrics.proxies.ntk import condition_number, kernel
from zen_cli.metrics.proxies.phi import log_gradient_norm
from zen_cli.metrics.proxies.sampling import draw_value, random_images, random_labels, random_network
from zen_cli.metrics.proxies.snip import saliency
from zen_cli.metrics.proxies.synflow import log_flow
from zen_cli.metrics.settings import check_settings
from zen_cli.net.module import ZenNet
from zen_cli.net.unit_modules import ConvBN, ConvBNReLU, SqueezeExcitation

MEASURED = ("phi", "grad_norm", "snip", "synflow", "naswot", "ntk")
CPU = torch.device("cpu")
torch.set_num_threads(1)  # the networks are tiny, and threads that wait for each other cost more than they give
MIXED: dict[str, Any] = {
    "resolution": 6,
    "num_classes": 3,
    "in_channels": 2,
    "blocks": [
        {"op": "conv", "width": 4},
        {"op": "basic", "width": 4, "mid_width": 3, "depth": 2, "se": 0.5},
        {"op": "bottleneck", "width": 6, "mid_width": 4, "groups": 2, "stride": 2},
        {"op": "mbconv", "width": 5, "mid_width": 6, "depth": 2},
    ],
}
PLAIN = {
    "resolution": 5,
    "num_classes": 2,
    "in_channels": 1,
    "blocks": [{"op": "conv", "width": 3}, {"op": "conv", "width": 2}],
}


def conv_chain(depth: int, width: int, resolution: int = 6) -> ArchSpec:
    return parse_spec({"resolution": resolution, "blocks": [{"op": "conv", "width": width, "depth": depth}]})


def sample(spec: ArchSpec, batch: int, seed: int = 0) -> tuple[ZenNet, Tensor, Tensor]:
    """A network, images and labels in float64."""
    generator = torch.Generator().manual_seed(seed)
    net = random_network(spec, generator).double()
    return net, random_images(spec, batch, generator).double(), random_labels(spec, batch, generator)


# What holds for all of them


@pytest.mark.parametrize("name", MEASURED)
def test_a_value_depends_on_network_settings_and_seed_alone(name: str) -> None:
    proxy, options = find(name), check_settings(draws=2, batch_size=4, device="cpu")
    first, second = parse_spec(MIXED), parse_spec({**MIXED, "num_classes": 5})
    alone = proxy.evaluate(first, options)
    torch.manual_seed(123)
    state = torch.random.get_rng_state()
    together = list(proxy.evaluate_all([second, first.replace(name="again"), first], options))
    assert torch.equal(state, torch.random.get_rng_state())
    values = [result for result in together if not isinstance(result, RunError)]
    assert values[1] == values[2] == alone
    assert values[0].value != values[1].value
    assert proxy.evaluate(first, options.model_copy(update={"seed": 1})).value != alone.value
    assert alone.settings["device"] == "cpu"
    assert proxy.row(alone).direction == ("lower" if name == "ntk" else "higher")


@pytest.mark.parametrize("name", MEASURED)
def test_draws_are_averaged_with_their_standard_error(name: str) -> None:
    proxy, spec = find(name), parse_spec(MIXED)
    few, many = (proxy.evaluate(spec, check_settings(draws=draws, batch_size=4)) for draws in (1, 12))
    assert few.std_error is None
    assert many.std_error is not None and many.std_error > 0
    assert abs(few.value - many.value) < 8 * many.std_error * math.sqrt(12)


@pytest.mark.parametrize("name", ["phi", "grad_norm", "snip", "ntk"])
def test_a_draw_nobody_waits_for_is_given_up_forwards_and_backwards(name: str) -> None:
    options = check_settings(batch_size=4)
    task = import_module(f"zen_cli.metrics.proxies.{name}").sampler(parse_spec(MIXED), options)
    looks, ends = itertools.count(1), math.inf

    def stopped() -> bool:
        return next(looks) == ends

    value = draw_value(Draw(task, 0), name, 0, CPU, stopped)
    assert value == find(name).evaluate(task.network, options.model_copy(update={"draws": 1})).value
    most = next(looks)
    assert most > 2 * len(task.network.chain)  # backwards as well
    for ends in (1, most // 4, most - 1):
        looks = itertools.count(1)
        with pytest.raises(Stopped):
            draw_value(Draw(task, 0), name, 0, CPU, stopped)
        assert next(looks) == ends + 1


@given(specs(max_width=8, max_resolution=8, max_blocks=3))
@settings(max_examples=8)
def test_any_network_has_a_finite_value_or_a_reason(spec: ArchSpec) -> None:
    for name in MEASURED:
        for batch in (1, 3):
            (result,) = find(name).evaluate_all([spec], check_settings(draws=1, batch_size=batch, device="cpu"))
            if isinstance(result, RunError):
                assert isinstance(result, ScoreError)
                assert spec.id in str(result)
            else:
                assert math.isfinite(result.value)


def test_one_image_on_one_pixel_has_no_batch_statistics() -> None:
    spec = parse_spec({"resolution": 1, "num_classes": 2, "blocks": [{"op": "conv", "width": 4}]})
    with pytest.raises(ScoreError, match=r"batch statistics.*batch size of 2"):
        find("grad_norm").evaluate(spec, check_settings(batch_size=1))


def test_a_network_that_does_not_fit_is_refused_before_it_is_built() -> None:
    spec = parse_spec({"resolution": 16384, "blocks": [{"op": "conv", "width": 8192, "depth": 8}]})
    for name in MEASURED:
        with pytest.raises(MemoryLimitError, match=f"{spec.id}: {name} at batch size 16 needs about"):
            find(name).evaluate(spec, check_settings())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
@pytest.mark.parametrize("name", MEASURED)
def test_cuda_agrees_with_the_cpu(name: str) -> None:
    spec = parse_spec(MIXED)
    cpu, cuda = (
        find(name).evaluate(spec, check_settings(draws=24, batch_size=4, device=device)) for device in ("cpu", "cuda")
    )
    assert cpu.std_error is not None and cuda.std_error is not None
    assert abs(cpu.value - cuda.value) < 5 * math.hypot(cpu.std_error, cuda.std_error)


# phi


def test_phi_is_the_norm_of_the_explicit_jacobian() -> None:
    spec = parse_spec(
        {
            "resolution": 5,
            "in_channels": 2,
            "blocks": [
                {"op": "conv", "width": 3},
                {"op": "mbconv", "width": 3, "mid_width": 4, "kernel": 5, "stride": 2},
            ],
        }
    )
    layers = spec.chain
    images = torch.randn(3, 2, 5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    generator = torch.Generator().manual_seed(2)
    weights = [torch.randn(layer.weight_shape, dtype=torch.float64, generator=generator) for layer in layers]

    def network(x: Tensor) -> Tensor:
        for layer, weight in zip(layers, weights, strict=True):
            x = functional.conv2d(x, weight, None, layer.stride, layer.padding, groups=layer.groups).relu()
        return x

    jacobian = torch.autograd.functional.jacobian
    norms = [float(jacobian(lambda x: network(x[None])[0], image).square().sum().sqrt()) for image in images]  # type: ignore[no-untyped-call]  # torch leaves it untyped
    expected = math.log(sum(norms) / len(norms))
    # The relative error of each image is at most sqrt(1/2/projections).
    found = log_gradient_norm(layers, images, torch.Generator().manual_seed(2), 600)
    assert found == pytest.approx(expected, abs=0.05)


def test_phi_does_not_overflow_where_its_definition_does() -> None:
    deep = find("phi").evaluate(conv_chain(300, 48, 4), check_settings(draws=1, batch_size=2))
    assert deep.value > 750  # exp(750) is beyond float64


def test_zen_without_log_alpha_is_phi_while_alpha_is_small() -> None:
    spec, alpha = conv_chain(4, 48, 6), 1e-4
    options = check_settings(draws=12, batch_size=8, alpha=alpha, device="cpu")
    (zen,) = estimate([KeyedChain(spec.id, spec.chain, "chain")], options)
    assert not isinstance(zen, RunError) and zen.std_error is not None
    phi = find("phi").evaluate(spec, options)
    assert phi.std_error is not None
    assert zen.value - math.log(alpha) == pytest.approx(
        phi.value, abs=0.15 + 4 * math.hypot(zen.std_error, phi.std_error)
    )


# grad_norm and snip: finite differences


def loss_of(net: nn.Module, images: Tensor, labels: Tensor) -> float:
    with torch.no_grad():
        return float(functional.cross_entropy(net(images), labels))


def differences(
    net: nn.Module, parameters: list[nn.Parameter], loss: Callable[[], float], step: float = 1e-6
) -> Iterator[tuple[float, float]]:
    """(value, central difference of the loss) of every single number of the parameters."""
    for parameter in parameters:
        flat = parameter.data.view(-1)
        for index in range(len(flat)):
            kept = float(flat[index])
            flat[index] = kept + step
            above = loss()
            flat[index] = kept - step
            below = loss()
            flat[index] = kept
            yield kept, (above - below) / (2 * step)


def test_grad_norm_is_that_of_finite_differences() -> None:
    net, images, labels = sample(parse_spec(PLAIN), 3)
    slopes = [slope for _, slope in differences(net, list(net.parameters()), lambda: loss_of(net, images, labels))]
    expected = math.sqrt(sum(slope**2 for slope in slopes))
    assert gradient_norm(net, images, labels) == pytest.approx(expected, rel=1e-5)


def test_grad_norm_is_the_slope_along_the_gradient_of_a_mixed_network() -> None:
    net, images, labels = sample(parse_spec(MIXED), 4)
    norm = gradient_norm(net, images, labels)
    net.zero_grad()
    functional.cross_entropy(net(images), labels).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    direction = [
        (parameter, parameter.grad.clone() / norm) for parameter in net.parameters() if parameter.grad is not None
    ]

    def moved(step: float) -> float:
        for parameter, way in direction:
            parameter.data += step * way
        loss = loss_of(net, images, labels)
        for parameter, way in direction:
            parameter.data -= step * way
        return loss

    assert (moved(1e-6) - moved(-1e-6)) / 2e-6 == pytest.approx(norm, rel=1e-4)


def test_snip_is_what_the_loss_would_say_to_each_mask() -> None:
    net, images, labels = sample(parse_spec(PLAIN), 3)
    weights = [module.weight for module in net.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    pairs = differences(net, weights, lambda: loss_of(net, images, labels))
    assert saliency(net, images, labels) == pytest.approx(sum(abs(value * slope) for value, slope in pairs), rel=1e-5)


# synflow: exact path sums, and the definition by autograd


def test_synflow_adds_up_all_paths_times_their_length() -> None:
    # 1x1 convolutions on one pixel are matrices; two residual units give paths of different lengths.
    spec = parse_spec(
        {
            "resolution": 1,
            "in_channels": 2,
            "num_classes": 2,
            "blocks": [
                {"op": "conv", "kernel": 1, "width": 2},
                {"op": "basic", "kernel": 1, "mid_width": 3, "width": 2, "depth": 2},
            ],
        }
    )
    shapes = [(2, 2), (3, 2), (2, 3), (2, 2), (3, 2), (2, 3), (2, 2)]
    numbers = iter(itertools.count(1))
    matrices = [[[Fraction(next(numbers) % 7 - 3, 4) for _ in range(n)] for _ in range(m)] for m, n in shapes]
    stem, first, second, shortcut, third, fourth, head = matrices
    total = Fraction(0)
    for route in itertools.product([(first, second), (shortcut,)], [(third, fourth), ()]):
        layers = [stem, *route[0], *route[1], head]
        widths = [2, *(len(layer) for layer in layers)]
        for path in itertools.product(*(range(width) for width in widths)):
            strength = Fraction(1)
            for layer, start, end in zip(layers, path, path[1:], strict=False):
                strength *= abs(layer[end][start])
            total += len(layers) * strength
    drawn = iter(matrices)

    def weight(*shape: int) -> Tensor:
        return torch.tensor([[float(entry) for entry in row] for row in next(drawn)], dtype=torch.float64).view(shape)

    assert log_flow(spec, weight, CPU) == pytest.approx(math.log(total), rel=1e-12)


@given(specs(max_width=10, max_resolution=8), st.integers(0, 2**32))
@settings(max_examples=15)
def test_synflow_is_its_definition_by_autograd(spec: ArchSpec, seed: int) -> None:
    net = random_network(spec, torch.Generator().manual_seed(seed)).double()
    for module in net.modules():
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm2d | SqueezeExcitation):
                setattr(module, name, nn.Identity())
    layers = [module for module in net.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    with torch.no_grad():
        for layer in layers:
            layer.weight.abs_()
    kept = iter([layer.weight.detach().clone() for layer in layers])
    ones = torch.ones(1, spec.in_channels, spec.resolution, spec.resolution, dtype=torch.float64)
    net(ones).sum().backward()
    flow = sum(float((layer.weight.detach() * layer.weight.grad).sum()) for layer in layers)
    assert log_flow(spec, lambda *shape: next(kept).view(shape), CPU) == pytest.approx(
        math.log(flow), rel=1e-9, abs=1e-9
    )


def test_synflow_does_not_overflow_where_its_definition_does() -> None:
    def flow(weight: float) -> float:
        return log_flow(conv_chain(200, 8, 4), lambda *shape: torch.full(shape, weight, dtype=torch.float64), CPU)

    values = [flow(1.0), flow(1e3)]
    assert values[1] > 709  # the limit of float64
    assert values[1] - values[0] == pytest.approx(201 * math.log(1e3), rel=1e-12)


# naswot: codes by hand, determinant in exact arithmetic


def codes(net: ZenNet, images: Tensor) -> list[list[bool]]:
    """The state of every ReLU for every image, unit by unit."""
    parts: list[Tensor] = []

    def see(tensor: Tensor) -> Tensor:
        parts.append((tensor > 0).flatten(1))
        return tensor.clamp(min=0)

    def conv(layer: ConvBN, x: Tensor) -> Tensor:
        x = layer.bn(layer.conv(x))
        return see(x) if isinstance(layer, ConvBNReLU) else x

    def excite(gate: SqueezeExcitation, x: Tensor) -> Tensor:
        pooled = conv(gate.reduce, x.mean((2, 3), keepdim=True))
        return x * torch.sigmoid(gate.expand(pooled))

    x = images
    with torch.no_grad():
        for block in net.blocks:
            assert isinstance(block, nn.Sequential)
            for unit in block:
                if isinstance(unit, ConvBNReLU):
                    x = conv(unit, x)
                    x = excite(unit.se, x) if hasattr(unit, "se") else x
                    continue
                y = x
                for name, layer in unit.named_children():
                    if isinstance(layer, SqueezeExcitation):
                        y = excite(layer, y)
                    elif name.startswith("conv"):
                        assert isinstance(layer, ConvBN)
                        y = conv(layer, y)
                x = see(y + unit.shortcut(x))
    return [row.tolist() for row in torch.cat(parts, 1)]


def determinant(rows: list[list[int]]) -> Fraction:
    matrix, value = [[Fraction(entry) for entry in row] for row in rows], Fraction(1)
    for column in range(len(matrix)):
        pivot = next((row for row in range(column, len(matrix)) if matrix[row][column]), None)
        if pivot is None:
            return Fraction(0)
        if pivot != column:
            matrix[column], matrix[pivot], value = matrix[pivot], matrix[column], -value
        value *= matrix[column][column]
        for row in range(column + 1, len(matrix)):
            factor = matrix[row][column] / matrix[column][column]
            matrix[row] = [a - factor * b for a, b in zip(matrix[row], matrix[column], strict=True)]
    return value


@given(specs(max_width=8, max_resolution=6, max_blocks=3), st.integers(0, 2**32))
@settings(max_examples=15)
def test_naswot_is_the_determinant_of_exhaustive_agreements(spec: ArchSpec, seed: int) -> None:
    net, images, _ = sample(spec, 4, seed)
    words = codes(net, images)
    counts = [[sum(a == b for a, b in zip(one, two, strict=True)) for two in words] for one in words]
    found = agreements(net, images)
    assert found.tolist() == counts
    exact, value = determinant(counts), log_determinant(found)
    assert (value is None) == (exact == 0)
    if value is not None:
        assert value == pytest.approx(math.log(exact), rel=1e-9, abs=1e-9)


# ntk: the explicit Jacobian


@given(specs(max_width=6, max_resolution=6, max_blocks=2), st.integers(0, 2**32))
@settings(max_examples=10)
def test_ntk_is_the_gram_matrix_of_the_explicit_jacobian(spec: ArchSpec, seed: int) -> None:
    net, images, _ = sample(spec, 3, seed)
    weights = {name: value.detach() for name, value in net.named_parameters() if name.endswith("weight")}
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):  # running statistics, which training mode writes to, have no derivative
            module.track_running_stats = False
            module.running_mean = module.running_var = module.num_batches_tracked = None

    def summed(changed: dict[str, Tensor]) -> Tensor:
        return functional_call(net, (changed,), images).sum(1)

    jacobian = torch.cat([part.flatten(1) for part in jacrev(summed)(weights).values()], 1).detach()
    theta = kernel(net, images)
    assert torch.allclose(theta, jacobian @ jacobian.T, rtol=1e-9, atol=1e-9 * float(theta.diagonal().max()))
    condition = condition_number(theta)
    if condition is not None:
        singular = torch.linalg.svdvals(jacobian)
        assert condition == pytest.approx(float((singular[0] / singular[-1]) ** 2), rel=1e-3)


def test_a_singular_kernel_has_no_condition() -> None:
    assert condition_number(torch.ones(3, 3, dtype=torch.float64)) is None
    assert condition_number(torch.diag(torch.tensor([1.0, 4.0], dtype=torch.float64))) == pytest.approx(4)
