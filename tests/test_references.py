"""References: a machine that is slower now, alike for all networks or by their sizes."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zen_cli.networks import find
from zen_cli.profiling.references import drift, references

NAMES = list(references())
BEFORE = {name: float(index + 1) for index, name in enumerate(NAMES)}
FACTORS = st.floats(0.5, 4)


def test_references_grow_and_are_small_enough_to_measure_often() -> None:
    sizes = [spec.cost.params for spec in references().values()]
    assert sizes == sorted(sizes) and sizes[-1] > 10 * sizes[0]
    assert max(spec.cost.macs for spec in references().values()) < 1e9


@given(FACTORS)
def test_what_slows_all_alike_is_one_factor(factor: float) -> None:
    found = drift(BEFORE, {name: factor * ms for name, ms in BEFORE.items()})
    assert found is not None
    for name in ("mobilenetv3_small_050", "mobilenet_v2", "efficientnet_b0", "resnet50"):
        assert found.of(find(name).spec) == pytest.approx(factor)


@given(st.lists(FACTORS, min_size=len(NAMES), max_size=len(NAMES)))
def test_between_references_it_is_interpolated(factors: list[float]) -> None:
    found = drift(BEFORE, {name: factor * BEFORE[name] for name, factor in zip(NAMES, factors, strict=True)})
    assert found is not None
    for spec, factor in zip(references().values(), factors, strict=True):
        assert found.of(spec) == pytest.approx(factor)
    assert found.of(find("mobilenetv3_small_050").spec) > 0
    one, other = list(references().values())[1:3]
    between = find("mobilenet_v2").spec
    share = math.log(between.cost.params / one.cost.params) / math.log(other.cost.params / one.cost.params)
    assert found.of(between) == pytest.approx((1 - share) * factors[1] + share * factors[2])
    assert found.of(find("resnet50").spec) == pytest.approx(factors[-1])  # larger than all


def test_only_what_was_measured_at_both_times_says_something() -> None:
    assert drift({}, BEFORE) is None and drift(BEFORE, {}) is None
    one = drift({NAMES[0]: 2.0, "gone@224": 1.0}, {NAMES[0]: 3.0, NAMES[1]: 1.0})
    assert one is not None and one.of(find("resnet50").spec) == pytest.approx(1.5)
