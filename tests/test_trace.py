"""Tracing modules: what is on the chain, what is not, what is refused, and that the module is left as it was."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import pytest
import torch
from hypothesis import assume, given, settings
from strategies import specs
from torch import Tensor, nn
from trace_modules import (
    Attention,
    Blur,
    Dense,
    Depends,
    Gate,
    Mixed,
    Mixer,
    Net,
    Parallel,
    Pointwise,
    Residual,
    Resolutions,
    SamePadding,
    Several,
    Shuffle,
    Squeeze,
    Star,
    Swish,
    conv,
)

from zen_cli.errors import TraceError
from zen_cli.net.counting import layer_cost
from zen_cli.net.layers import Pool, pooled_size
from zen_cli.net.module import build
from zen_cli.net.spec import ArchSpec
from zen_cli.net.traced import TracedNetwork
from zen_cli.trace.modules import network_of_module

SIZE = (3, 16, 16)


def trace(module: nn.Module, size: tuple[int, int, int] = SIZE) -> TracedNetwork:
    return network_of_module(module, size, source="test:module")


def names(middle: nn.Module) -> list[str]:
    return [name.removeprefix("middle.") for name in trace(Net(middle)).layer_names[1:-1]]


def hooked_macs(module: nn.Module, size: Sequence[int]) -> int:
    """Multiply-adds as hooks on convolutions and linear layers see them."""
    total = 0

    def count(layer: nn.Module, _: tuple[Tensor, ...], out: Tensor) -> None:
        nonlocal total
        positions = out[0, 0].numel() if isinstance(layer, nn.Conv2d) else out.numel() // out.shape[-1]
        total += layer.weight.numel() * positions

    handles = [
        part.register_forward_hook(count) for part in module.modules() if isinstance(part, nn.Conv2d | nn.Linear)
    ]
    module.eval()(torch.zeros(1, *size))
    for handle in handles:
        handle.remove()
    return total


@settings(max_examples=30)
@given(specs())
def test_the_module_of_a_spec_has_the_chain_and_the_cost_of_the_spec(spec: ArchSpec) -> None:
    assume(len(spec.chain) > 1 and min(min(layer.out_size) for layer in spec.chain) > 1)
    with torch.device("meta"):
        module = build(spec)
    try:
        network = trace(module, (spec.in_channels, spec.resolution, spec.resolution))
    except TraceError as error:
        held = sum(layer_cost(layer).macs for layer in spec.chain) / spec.cost.macs
        assert f"its longest chain has {held:.0%} of the MACs" in str(error) and held < 0.75
        return
    assert network.chain == spec.chain
    assert network.cost[:4] == spec.cost[:4]
    assert network.notes == ()


@pytest.mark.parametrize(
    "middle",
    [Residual(), Parallel(), Squeeze(), Gate(), Pointwise(), Dense(), Blur(), SamePadding(), Shuffle(), Swish()],
    ids=lambda module: type(module).__name__,
)
def test_params_and_macs_are_those_that_hooks_count(middle: nn.Module) -> None:
    module = Net(middle)
    cost = trace(module).cost
    assert cost.macs == hooked_macs(module, SIZE)
    assert cost.params == sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("swap", [False, True])
def test_at_an_addition_the_deepest_branch_is_kept(swap: bool) -> None:
    assert names(Residual(swap=swap)) == ["one.0", "two.0"]


def test_of_parallel_convolutions_that_with_the_larger_kernel_is_kept_and_nothing_is_lost() -> None:
    network = trace(Net(nn.Sequential(*(Parallel(16) for _ in range(9))), width=16))
    assert network.layer_names[1:-1] == tuple(f"middle.{number}.large.0" for number in range(9))
    assert network.notes == ()


@pytest.mark.parametrize(
    "middle",
    [*(Squeeze(how=how) for how in ("mean", "adaptive", "rows", "flat")), Gate(), Swish(), Shuffle(), nn.Dropout(0.5)],
)
def test_what_only_scales_or_reorders_is_no_layer(middle: nn.Module) -> None:
    assert names(middle) == []


def test_a_linear_layer_on_every_position_is_a_convolution() -> None:
    network = trace(Net(Pointwise()))
    layer = network.chain[1]
    assert (layer.kernel, layer.in_width, layer.out_width, layer.in_size) == ((1, 1), 8, 8, (8, 8))
    assert network.layer_names[1] == "middle.linear"


def test_a_concatenation_is_said_and_the_longest_path_scored() -> None:
    network = trace(Net(Dense()))
    assert [layer.in_width for layer in network.chain] == [3, 8, 12, 8]
    assert len(network.notes) == 1 and network.notes[0].startswith("it joins branches by concatenation")


def test_a_kernel_that_the_image_mixes_is_a_layer_of_its_shape() -> None:
    network = trace(Net(Mixed()))
    layer = network.chain[1]
    assert (layer.in_width, layer.out_width, layer.kernel, layer.padding) == (8, 8, (3, 3), (1, 1))
    assert network.layer_names[1] == "middle"
    assert network.notes == ("the image mixes the kernels of 1 of 3 convolutions: the score gives each a random one",)
    kernel = 8 * 8 * 9
    assert network.cost.macs == trace(Net(conv(8, 8))).cost.macs + 2 * kernel + 2 * 8  # mixing, and its weights


def test_branches_of_two_resolutions_need_half_of_the_macs_and_are_said() -> None:
    network = trace(Net(Resolutions(), width=8))
    assert network.layer_names == ("stem.0", "middle.down.0", "middle.small.0", "end.0")
    assert len(network.notes) == 1 and network.notes[0].startswith("it adds branches of several resolutions: the lo")


POOLS = [
    (nn.MaxPool2d(3, 2, 1), Pool("max", (3, 3), (2, 2), (1, 1))),
    (nn.AvgPool2d((1, 2)), Pool("avg", (1, 2), (1, 2), (0, 0))),
    (Blur(), Pool("avg", (3, 3), (2, 2), (1, 1))),
    (nn.AdaptiveAvgPool2d(4), Pool("avg", (2, 2), (2, 2), (0, 0))),
    (nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.MaxPool2d(3, 2)), Pool("max", (3, 3), (2, 2), (1, 1))),
    (nn.MaxPool2d(3, 2, ceil_mode=True), Pool("max", (3, 3), (2, 2), (1, 1))),
    (nn.Sequential(nn.MaxPool2d(2, 1), nn.MaxPool2d(2)), Pool("max", (3, 3), (2, 2), (0, 0))),
]


@pytest.mark.parametrize(("middle", "pool"), POOLS)
def test_poolings_are_before_the_next_layer(middle: nn.Module, pool: Pool) -> None:
    chain = trace(Net(middle)).chain
    assert chain[1].pool == pool
    assert chain[1].in_size == pooled_size(chain[0].out_size, pool)


def test_padding_on_one_side_is_split_evenly() -> None:
    layer = trace(Net(SamePadding())).chain[1]
    assert (layer.in_size, layer.padding, layer.out_size) == ((8, 8), (1, 1), (4, 4))


def test_stride_dilation_and_kernels_are_pairs() -> None:
    middle = nn.Conv2d(8, 8, (1, 5), (1, 2), (0, 4), (1, 2), groups=4)
    layer = trace(Net(middle)).chain[1]
    assert layer[2:8] == ((1, 5), (8, 8), (1, 2), (0, 4), (1, 2), 4)


def test_a_classifier_that_is_a_convolution_is_left_out() -> None:
    module = nn.Sequential(conv(3, 8), conv(8, 8), nn.Conv2d(8, 5, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    network = trace(module)
    assert network.layer_names == ("0.0", "1.0")
    assert network.notes == ("its last convolution is taken for the classifier and left out",)
    assert trace(module[:2]).layer_names == ("0.0", "1.0")


def test_convolutions_without_a_norm_are_said() -> None:
    notes = trace(nn.Sequential(conv(3, 8), nn.Conv2d(8, 8, 3), nn.ReLU(), conv(8, 8))).notes
    assert notes == ("no normalisation follows 1 of 3 convolutions: the score puts a BN after each",)


REFUSED = [
    (Net(Attention()), "it has attention"),
    (Net(Attention(fused=True)), "it has attention"),
    (Net(Star()), "it multiplies feature maps with each other"),
    (Net(Mixer(64)), "it mixes positions by linear layers"),
    (Net(Depends()), "its forward pass depends on numbers of the image"),
    (Net(nn.Sequential(nn.Upsample(scale_factor=2), nn.ConvTranspose2d(8, 8, 2))), "it has transposed convolutions"),
    (nn.Sequential(conv(3, 8), Several()), "it returns 3 tensors"),
    (nn.Sequential(conv(3, 8), nn.Flatten(), nn.Linear(8 * 256, 5)), "a chain needs two convolutions"),
    (nn.Sequential(nn.Flatten(), nn.Linear(768, 5)), "a chain needs two convolutions on the way to the output, and"),
    (Net(nn.Conv2d(5, 8, 1)), "cannot be run on an image of 3 x 16 x 16: RuntimeError"),
    (Net(conv(8, 8).append(Residual())).middle, "cannot be run"),
    (Net(nn.Sequential(*(nn.LPPool2d(2, 2), nn.Unfold(1), nn.Fold(4, 1)))), "it calls unfold"),
]


@pytest.mark.parametrize(("module", "message"), REFUSED)
def test_what_is_no_chain_is_refused(module: nn.Module, message: str) -> None:
    with pytest.raises(TraceError) as error:
        trace(module)
    assert message in str(error.value)
    assert error.value.exit_code == 2


def test_a_chain_that_holds_too_little_is_refused() -> None:
    class Wide(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.wide, self.deep = conv(8, 8, 7), nn.Sequential(conv(8, 8, 1), conv(8, 8, 1))

        def forward(self, x: Tensor) -> Tensor:
            return self.wide(x) + self.deep(x)

    with pytest.raises(TraceError, match=r"its longest chain has \d+% of the MACs, and a score needs 75%"):
        trace(Net(Wide()))


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated", "ignore:.*torch.jit.script.*:DeprecationWarning")
def test_a_scripted_module_is_refused() -> None:
    with pytest.raises(TraceError, match="it is compiled by TorchScript"):
        trace(torch.jit.script(nn.Sequential(conv(3, 8), conv(8, 8))))


def test_the_module_is_left_as_it_was() -> None:
    module = Net(nn.Sequential(Residual(), nn.Dropout(0.5))).train()
    module.middle[0].one.eval()
    before, modes = copy.deepcopy(module.state_dict()), [part.training for part in module.modules()]
    state = torch.get_rng_state()
    trace(module)
    assert [part.training for part in module.modules()] == modes
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(part._forward_hooks for part in module.modules())


def test_a_module_that_holds_tensors_of_its_own_runs_on_its_device() -> None:
    class Scaled(nn.Module):
        scale = torch.ones(1)

        def forward(self, x: Tensor) -> Tensor:
            return torch.cat([x[:, :4] * self.scale, x[:, 4:]], 1) + torch.zeros(x.shape)

    assert len(trace(Net(Scaled())).chain) == 2


def test_one_network_has_one_id_however_it_is_traced() -> None:
    first, second = trace(Net(Residual())), trace(Net(Residual(swap=True)))
    assert first.id == second.id != trace(Net(Parallel())).id
