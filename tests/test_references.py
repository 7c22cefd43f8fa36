"""References: a machine that is slower now, alike for all networks or by their sizes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zen_cli.networks import find
from zen_cli.profiling.references import BESIDE, drift, references, references_for

NAMES = list(references())
BEFORE = {name: float(index + 1) for index, name in enumerate(NAMES)}
FACTORS = st.floats(0.5, 4)


def test_references_grow_and_are_small_enough_to_measure_often() -> None:
    sizes = [spec.cost.params for spec in references().values()]
    assert sizes == sorted(sizes) and sizes[-1] > 10 * sizes[0]
    assert max(spec.cost.macs for spec in references().values()) < 1.2e9


@given(FACTORS)
def test_what_slows_all_alike_is_one_factor(factor: float) -> None:
    found = drift(BEFORE, {name: factor * ms for name, ms in BEFORE.items()})
    assert found is not None
    for name in ("mobilenetv3_small_050", "mobilenet_v2", "efficientnet_b0", "resnet50"):
        assert found.of(find(name).spec) == pytest.approx(factor)


@given(st.lists(FACTORS, min_size=len(NAMES), max_size=len(NAMES)), st.integers(0, len(NAMES) - 1))
def test_the_median_of_those_of_about_its_size_is_between_them(factors: list[float], odd: int) -> None:
    """One that is slow by itself never decides."""
    found = drift(BEFORE, {name: factor * BEFORE[name] for name, factor in zip(NAMES, factors, strict=True)})
    same = drift(BEFORE, {name: (9.0 if name == NAMES[odd] else 2.0) * ms for name, ms in BEFORE.items()})
    assert found is not None and same is not None
    for spec in references().values():
        assert min(factors) - 1e-9 <= found.of(spec) <= max(factors) + 1e-9
        assert same.of(spec) == pytest.approx(2)


@given(st.sets(st.sampled_from(NAMES), min_size=1, max_size=4))
def test_references_are_measured_for_every_size_that_is_wanted_and_no_other(names: set[str]) -> None:
    """A network that is a reference itself has no nearer one, and each chosen one is among the nearest of one."""
    chosen = references_for(references()[name] for name in names)
    assert names <= set(chosen) and BESIDE <= len(chosen) <= BESIDE * len(names)
    assert list(chosen) == [name for name in NAMES if name in chosen]
    sizes = {name: spec.cost.params for name, spec in references().items()}
    for name in chosen:
        ratios = [[max(sizes[one] / size, size / sizes[one]) for one in NAMES] for size in (sizes[n] for n in names)]
        assert any(sorted(row).index(row[NAMES.index(name)]) < BESIDE for row in ratios)


def test_sizes_differ_in_drift() -> None:
    sizes = [spec.cost.params for spec in references().values()]
    factors = dict(zip(NAMES, (1.0 if size < 3e6 else 1.5 for size in sizes), strict=True))
    found = drift(BEFORE, {name: factors[name] * ms for name, ms in BEFORE.items()})
    assert found is not None
    assert found.of(find("mobilenetv3_small_050").spec) == 1 and found.of(find("resnet50").spec) == 1.5


def test_only_what_was_measured_at_both_times_says_something() -> None:
    assert drift({}, BEFORE) is None and drift(BEFORE, {}) is None
    one = drift({NAMES[0]: 2.0, "gone@224": 1.0}, {NAMES[0]: 3.0, NAMES[1]: 1.0})
    assert one is not None and one.of(find("resnet50").spec) == pytest.approx(1.5)
