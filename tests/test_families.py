"""The built-in spaces of published families: each holds its network, and what is found in it is of its family."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from zen_cli import build
from zen_cli.errors import SpecError
from zen_cli.metrics.evenness import network_evenness
from zen_cli.metrics.terms import spec_terms
from zen_cli.nas.request import check_request
from zen_cli.nas.space import BlockSpace, RegNetSpace, load_space, parse_space, to_spec
from zen_cli.net.spec import ArchSpec

# Parameters and MACs of torchvision's MobileNets and timm's resnet50d.
NETWORKS = {
    "mobilenetv2": (3_504_872, 300_774_272),
    "mobilenetv3": (5_483_032, 216_589_760),
    "resnet-d": (25_576_264, 4_328_824_832),
}
REGNET: dict[str, Any] = {"kind": "regnet", "name": "mine", "unit": {"shortcut": "needed", "linear": True}}


def members(name: str, count: int) -> list[ArchSpec]:
    """Members that a random walk meets."""
    space, random = load_space(name), Random(0)
    seed = space.seed(224)
    genome = space.start(seed)
    found = []
    for _ in range(count):
        genome = space.neighbour(genome, random)
        assert space.excludes(genome, seed) == ""
        found.append(to_spec(space.genes(genome, seed), seed))
    return found


@pytest.mark.parametrize("name", NETWORKS)
def test_a_family_holds_its_network(name: str) -> None:
    space = load_space(name)
    assert isinstance(space, BlockSpace)
    cost = space.seeds[0].cost
    assert (cost.params, cost.macs) == NETWORKS[name]
    assert space.rules is not None


@pytest.mark.parametrize("name", [*NETWORKS, "regnetx", "regnety"])
def test_members_keep_the_shortcuts_and_gates_of_their_family(name: str) -> None:
    shortcut = {"resnet-d": "pooled", "regnetx": "needed", "regnety": "needed"}.get(name, "identity")
    for spec in members(name, 60):
        styles = [gene.style for gene in spec.genes if gene.kind.is_residual]
        assert {style.shortcut for style in styles if style is not None} == {shortcut}
        assert None not in styles
        if name == "regnety":
            assert all(gene.se == 0.25 for gene in spec.genes[1:])


@pytest.mark.parametrize("name", [*NETWORKS, "regnetx", "regnety"])
def test_what_a_search_adds_up_is_the_cost(name: str) -> None:
    for spec in members(name, 30):
        total = spec_terms(spec).total
        assert (total.params, total.macs, total.activations) == spec.cost[:3]


@pytest.mark.parametrize("name", ["mobilenetv2", "mobilenetv3", "resnet-d", "regnetx"])
def test_what_is_found_has_the_shape_of_published_networks(name: str) -> None:
    from zen_cli.nas.answer import search

    limits = {"resnet-d": "4.1G", "regnetx": "400M"}.get(name, "300M")
    request = {"space": name, "max_macs": limits, "budget": ("6000evals",), "verify": 0, "algorithm": "evolution"}
    spec = search(check_request(request)).candidates[0].spec
    found = network_evenness(spec.genes, spec.in_channels, spec.resolution)
    assert 10 <= found.residual_units <= 28
    assert max(share for _, share in found.shares) < 0.55


def test_weights_of_a_seed_set_every_tensor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory that nothing sets holds what was there before: here what no weight is."""
    import torch

    from zen_cli.exporters import weights

    honest = torch.nn.Module.to_empty

    def spoiled(net: torch.nn.Module, **options: Any) -> torch.nn.Module:
        honest(net, **options)
        for tensor in net.parameters():
            tensor.data.fill_(float("nan"))
        return net

    monkeypatch.setattr(torch.nn.Module, "to_empty", spoiled)
    for name in NETWORKS:
        net = weights.seeded(load_space(name).seed(224).replace(resolution=32), 0)
        assert all(tensor.isfinite().all() for tensor in net.state_dict().values())


@pytest.mark.parametrize("name", NETWORKS)
def test_first_weights_let_the_signal_through_units_without_a_shortcut(name: str) -> None:
    """A scale of zero makes a unit its shortcut, and nothing where there is none."""
    import torch

    from zen_cli.exporters.backbone import init_weights

    net = build(load_space(name).seed(224).replace(resolution=64))
    init_weights(net, True)
    with torch.inference_mode():
        logits = net.eval()(torch.randn(1, 3, 64, 64))
    assert logits.abs().max() > 0  # biases are zero


def test_keys_of_a_unit_are_those_of_every_stage() -> None:
    space = parse_space(REGNET)
    assert isinstance(space, RegNetSpace)
    seed = space.seed(224)
    spec = to_spec(space.genes(space.start(seed), seed), seed)
    styles = [gene.style for gene in spec.genes[1:]]
    assert all(style is not None and style.linear and style.shortcut == "needed" for style in styles)


@pytest.mark.parametrize(
    ("unit", "words"),
    [
        ({"shortcuts": "needed"}, 'unit.shortcuts: unknown key; did you mean "shortcut"?'),
        ({"shortcut": "always"}, 'unit.shortcut: "always" is not known'),
        ({"width": 8}, "unit.width: follows from the numbers of a member"),
        ({"se": {"ratio": 7}}, "unit.se"),
        (3, "unit: must be an object, not 3"),
    ],
    ids=range(5),
)
def test_what_is_wrong_with_a_unit_is_said(unit: Any, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_space({**REGNET, "unit": unit})
    assert words in str(caught.value)
