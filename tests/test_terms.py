"""Sums over blocks against the chain and the cost, which are computed layer by layer, and in one order of addition."""

from __future__ import annotations

import math
import random
import subprocess
import sys
import sysconfig
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import specs

from zen_cli import ArchSpec
from zen_cli.metrics import sums
from zen_cli.metrics.block_terms import Terms, split_block
from zen_cli.metrics.mean_field import score_chain
from zen_cli.metrics.sums import plain_sum
from zen_cli.metrics.terms import BlockCache, add_rows, block_rows, network_terms, spec_terms
from zen_cli.net.chain import chain_of
from zen_cli.net.classifier import Classifier
from zen_cli.net.counting import cost_of
from zen_cli.net.layers import Chain, square_conv
from zen_cli.net.ops import OPS, Gene, Unit
from zen_cli.net.ops.conv import ConvBlock

FLOATS = st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=30)


@given(specs(), st.sampled_from(("paper", "zennas")))
def test_the_terms_of_a_network_are_those_of_its_layers(spec: ArchSpec, convention: str) -> None:
    terms, layers = spec_terms(spec, convention), spec.chain
    gains = score_chain(layers, convention=convention).layers
    assert terms.total.log_gain == pytest.approx(sum(term.log_sigma for term in gains), abs=1e-9)
    maps = sum(math.log(layer.out_width * math.prod(layer.out_size)) for layer in layers)
    assert terms.total.log_maps == pytest.approx(maps, abs=1e-9)
    fans = sum(math.log(layer.fan_in * math.prod(layer.kernel)) for layer in layers)
    assert terms.total.log_fan_in == pytest.approx(fans, abs=1e-9)
    assert terms.total.cost == spec.cost
    assert (terms.width, terms.side) == (layers[-1].out_width, layers[-1].out_size[0])
    assert terms.stages[-1].log_fan_in == terms.total.log_fan_in


class HalvesBlock(ConvBlock):
    """Convolutions in two groups: not linear in the input channels by the formula for one group."""

    @classmethod
    def layers(cls, unit: Unit, side: int) -> Chain:
        return (square_conv(unit.in_width, unit.width, unit.kernel, side, unit.stride, groups=2),)


def test_a_block_that_cannot_be_split_is_computed_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OPS, "halves", HalvesBlock)
    genes = [
        Gene("conv", 3, 8, 1, 1),
        Gene("halves", 3, 12, 2, 3),
        Gene("halves", 5, 6, 1, 1),
        Gene("conv", 1, 4, 1, 2),
    ]
    assert split_block(genes[1], 8, "paper", False) is None
    terms, layers = network_terms(genes, 3, 8, Classifier(10)), chain_of(genes, 3, 8)
    assert terms.total.cost == cost_of(genes, 3, 8, Classifier(10))
    gains = score_chain(layers).layers
    assert terms.total.log_gain == pytest.approx(sum(term.log_sigma for term in gains), abs=1e-9)


@given(specs())
def test_the_cache_of_a_search_changes_nothing(spec: ArchSpec) -> None:
    known: BlockCache = {}
    words = spec.genes, spec.in_channels, spec.resolution, "paper"
    fresh = block_rows(*words, {})
    assert fresh == block_rows(*words, known) == block_rows(*words, known)


@given(FLOATS)
def test_a_plain_sum_rounds_after_each_addition(values: list[float]) -> None:
    total = Fraction(0)
    for value in values:
        total = Fraction(float(total + Fraction(value)))  # exact, then rounded once
    assert plain_sum(values) == float(total)


@given(st.lists(st.tuples(*[st.floats(-1e9, 1e9)] * 3, *[st.integers(0, 2**80)] * 5), min_size=1, max_size=20))
def test_sums_of_columns_are_plain(rows: list[tuple[float, ...]]) -> None:
    total = add_rows(map(Terms._make, rows))
    for column, (value, parts) in enumerate(zip(total, zip(*rows, strict=True), strict=True)):
        assert value == (plain_sum(parts) if column < 3 else sum(parts))


def pythons() -> list[str]:
    """Other versions of Python on this machine."""
    own = Path(sysconfig.get_config_var("prefix"))
    found = [*own.parent.glob("3.*/bin/python3"), *Path("/usr/bin").glob("python3.[0-9][0-9]")]
    return sorted({str(path) for path in found if path.parts[:-2] != own.parts})


@pytest.mark.parametrize("python", pythons() or [sys.executable])
def test_a_plain_sum_is_the_same_on_every_python(python: str) -> None:
    rng = random.Random(0)
    values = [rng.uniform(-1, 1) * 10 ** rng.randrange(12) for _ in range(1000)]
    script = (
        "import sys\n"
        "if sys.version_info < (3, 10): sys.exit(3)\n"
        f"exec(open({sums.__file__!r}).read())\nprint(repr(plain_sum({values!r})))"
    )
    done = subprocess.run([python, "-c", script], capture_output=True, text=True, check=False)
    if done.returncode == 3:
        pytest.skip(f"{python} is older than 3.10, and zen needs that")
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == plain_sum(values) != math.fsum(values)
