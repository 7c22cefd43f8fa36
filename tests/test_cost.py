"""Laws of counting: what is counted is what is built, and what is published."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from strategies import specs
from torch import nn

from zen_cli import ArchSpec, build, cost, parse_plainnet, parse_spec
from zen_cli.metrics.terms import spec_terms
from zen_cli.net.module import build_chain

FACTS = os.environ.get("ZEN_FACTS")  # a folder with tables of published networks


class Count:
    """Multiply-adds and output elements that hooks see while a module runs on one image."""

    def __init__(self, module: nn.Module, spec: ArchSpec) -> None:
        self.macs = self.activations = self.layers = 0
        for name, part in module.named_modules():
            if isinstance(part, (nn.Conv2d, nn.Linear)):
                beside = ".shortcut." in name or ".se." in name or ".reduce." in name or ".expand." in name
                part.register_forward_hook(lambda part, _, out, beside=beside: self._see(part, out, beside))
        with torch.inference_mode():
            module.eval()(torch.zeros(1, spec.in_channels, spec.resolution, spec.resolution))

    def _see(self, part: nn.Module, out: torch.Tensor, beside: bool) -> None:
        if isinstance(part, nn.Conv2d):
            self.macs += out.numel() * part.weight[0].numel()
            self.activations += out.numel()
            self.layers += not beside
        else:
            assert isinstance(part, nn.Linear)
            self.macs += part.in_features * part.out_features


@given(specs())
def test_counting_agrees_with_building(spec: ArchSpec) -> None:
    assert cost(spec).params == sum(part.numel() for part in build(spec).parameters())


@given(specs())
def test_counting_agrees_with_running(spec: ArchSpec) -> None:
    seen, counted = Count(build(spec), spec), cost(spec)
    assert (counted.macs, counted.activations, counted.layers) == (seen.macs, seen.activations, seen.layers)


@given(specs())
def test_the_chain_has_the_maps_of_the_network(spec: ArchSpec) -> None:
    layers = spec.chain
    images = torch.zeros(1, spec.in_channels, spec.resolution, spec.resolution)
    with torch.inference_mode():
        features = build(spec).eval().forward_features(images)
        assert build_chain(layers).eval()(images).shape == features.shape
    assert features.shape[1:] == (layers[-1].out_width, *layers[-1].out_size)
    assert len(layers) == cost(spec).layers


@given(specs())
def test_sums_over_blocks_are_the_cost(spec: ArchSpec) -> None:
    total = spec_terms(spec).total
    counted = cost(spec)
    assert (total.params, total.macs, total.activations) == (counted.params, counted.macs, counted.activations)
    assert (total.layers, total.sublayers) == (counted.layers, counted.sublayers)


def with_se(spec: ArchSpec) -> ArchSpec:
    """Squeeze-and-excitation in every residual block, as published."""
    rows = spec.to_dict()["blocks"]
    return parse_spec(
        {**spec.to_dict(), "blocks": [row if row["op"] == "conv" else {**row, "se": 0.25} for row in rows]}
    )


def check(fact: dict[str, Any]) -> None:
    spec = parse_plainnet(fact["structure"], resolution=fact["resolution"], num_classes=fact["num_classes"])
    plain, squeezed = cost(spec), cost(with_se(spec))
    assert (plain.params, plain.macs) == (fact["params_without_shortcut_conv_bias"], fact["macs"])
    assert (squeezed.params, squeezed.macs) == (fact["params_without_shortcut_conv_bias_se"], fact["macs_se"])
    assert plain.layers == squeezed.layers == fact["conv_layers"]
    assert plain.sublayers == squeezed.sublayers == fact["sub_layers"]


def test_published_networks_are_counted_to_the_last_digit(published: list[dict[str, Any]]) -> None:
    for fact in published:
        check(fact)


@pytest.mark.skipif(not FACTS, reason="ZEN_FACTS does not name a folder with zennets.json")
def test_the_table_of_facts_says_the_same() -> None:
    facts = json.loads((Path(FACTS or "") / "zennets.json").read_text(encoding="utf-8"))
    assert len(facts) >= 9
    for fact in facts:
        check(fact)


def test_the_examples_are_the_published_networks(published: list[dict[str, Any]]) -> None:
    folder = Path(__file__).parents[1] / "examples" / "networks"
    for fact in published:
        found = parse_spec(json.loads((folder / f"{fact['name']}.json").read_text(encoding="utf-8")))
        spec = parse_plainnet(fact["structure"], resolution=fact["resolution"], num_classes=fact["num_classes"])
        assert found.id == (with_se(spec) if fact["published_with_se"] else spec).id
