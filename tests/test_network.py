"""A network that is not written as blocks: what needs its chain works, what needs blocks says so."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from strategies import specs

from zen_cli import ArchSpec, ScoreRecord, parse_spec, score
from zen_cli.errors import RunError
from zen_cli.metrics import find, names
from zen_cli.metrics.settings import check_settings
from zen_cli.net.counting import Cost
from zen_cli.net.layers import Chain
from zen_cli.net.network import Network

TINY: dict[str, Any] = {
    "name": "tiny",
    "resolution": 8,
    "num_classes": 3,
    "blocks": [{"op": "conv", "width": 8}, {"op": "basic", "width": 12, "mid_width": 8, "stride": 2}],
}
SUMS = ("params", "macs", "activations", "layers", "sublayers")
CLOSED = ("balanced", "entropy", "depth_width_ratio")
WITHOUT_BLOCKS = ("zen", "phi", "random", *CLOSED, *SUMS)


@dataclass(frozen=True)
class Traced:
    """What a reader of another program's models makes."""

    id: str
    name: str | None
    chain: Chain
    cost: Cost
    layer_names: tuple[str, ...] = ()
    source: str | None = "other:model"
    spec: ArchSpec | None = None
    module: None = None


def traced(spec: ArchSpec) -> Network:
    return Traced(spec.id, spec.name, spec.chain, spec.cost)


@given(specs())
def test_the_closed_form_and_the_cost_are_those_of_the_same_network_as_blocks(spec: ArchSpec) -> None:
    mine, expected = (score(network, estimator="mean-field", breakdown=True) for network in (traced(spec), spec))
    assert mine.zen.value == pytest.approx(expected.zen.value, abs=1e-9)
    assert (mine.id, mine.breakdown) == (expected.id, expected.breakdown)
    counted = mine.cost.model_dump(exclude_none=True)  # bytes are those of blocks only
    assert counted == {name: getattr(expected.cost, name) for name in Cost._fields}


@pytest.mark.parametrize("name", SUMS)
def test_sums_are_those_of_its_cost(name: str) -> None:
    spec, settings = parse_spec(TINY), check_settings()
    assert find(name).evaluate(traced(spec), settings) == find(name).evaluate(spec, settings)


@pytest.mark.parametrize("name", CLOSED)
def test_closed_forms_of_sums_are_those_of_the_same_network_as_blocks(name: str) -> None:
    spec, settings = parse_spec(TINY), check_settings()
    mine, expected = (find(name).evaluate(network, settings) for network in (traced(spec), spec))
    assert mine.value == pytest.approx(expected.value, rel=1e-12) and mine.settings == expected.settings


def test_what_is_measured_on_the_chain_is_the_same_to_the_last_bit() -> None:
    spec = parse_spec(TINY)
    mine, expected = (
        score(network, draws=2, batch_size=2, device="cpu", proxies=["phi", "random"])
        for network in (traced(spec), spec)
    )
    assert (mine.zen, mine.proxies) == (expected.zen, expected.proxies)


@pytest.mark.parametrize("name", [name for name in names() if name not in WITHOUT_BLOCKS])
def test_a_metric_of_blocks_says_what_it_needs(name: str) -> None:
    settings = check_settings(draws=1, batch_size=2, device="cpu")
    with pytest.raises(RunError, match=f"^tiny: {name} needs a network that is written as blocks$"):
        find(name).evaluate(traced(parse_spec(TINY)), settings)


def test_its_record_holds_chain_and_source_and_reads_back() -> None:
    record = score(traced(parse_spec(TINY)), estimator="mean-field")
    row = record.to_dict()
    assert "arch" not in row and row["source"] == "other:model"
    assert [layer["out_width"] for layer in row["chain"]] == [8, 8, 12]
    assert ScoreRecord.model_validate_json(json.dumps(row)) == record
    assert record.structure == "" and record.row()["params"] == record.cost.params
    assert {"chain", "source"}.isdisjoint(score(parse_spec(TINY), estimator="mean-field").to_dict())
    with pytest.raises(ValueError, match="give either arch or chain"):
        ScoreRecord.model_validate({**row, "arch": TINY})
