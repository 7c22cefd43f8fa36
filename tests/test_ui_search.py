"""The live view of a search: it fits, it shows how the score still grows, and five shapes instead of one five times."""

from __future__ import annotations

from collections.abc import Hashable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zen_cli.nas import loop
from zen_cli.nas.answer import search as run_search
from zen_cli.nas.loop import Snapshot
from zen_cli.nas.outcome import Callbacks
from zen_cli.nas.request import check_request
from zen_cli.nas.scorers import Evaluator
from zen_cli.nas.settings import SearchSettings
from zen_cli.net.notation import notation
from zen_cli.net.ops.base import Gene
from zen_cli.ui.bars import bar, sparkline
from zen_cli.ui.layout import cells
from zen_cli.ui.screen import Screen
from zen_cli.ui.search_view import different, growth_lines, search_view, shape_of

SMALL: dict[str, Any] = {
    "space": "zennet-resnet",
    "resolution": 16,
    "num_classes": 10,
    "max_params": "100k",
    "max_sublayers": "10",
    "verify": 0,
}
Moment = tuple[Snapshot, Evaluator]


def search(evaluations: int, **more: Any) -> tuple[SearchSettings, list[Moment]]:
    """A search and what was to be seen of it after each generation."""
    settings = check_request(dict(budget=(f"{evaluations}evals",), **{**SMALL, **more}))
    moments: list[Moment] = []
    run_search(settings, callbacks=Callbacks(lambda *moment: moments.append(moment)))
    return settings, moments


@pytest.mark.parametrize("space", ["zennet-resnet", "zennet-mobile", "regnet"])
def test_the_view_fits_and_shows_every_limit_and_budget(space: str) -> None:
    limits = {"max_params": "300k", "max_macs": "30M", "max_sublayers": "20"}
    settings, moments = search(3000, space=space, **limits)
    snapshot, evaluator = moments[-1]
    for width in (40, 80, 100, 200):
        lines = [line.text for line in search_view(settings, snapshot, evaluator, width)]
        assert all(cells(line) <= width for line in lines)
        text = " ".join(" ".join(lines).split())
        assert f"best {snapshot.best.score:.3f}" in text
        assert f"{snapshot.proposals:,} evaluations" in text
        assert "of 3.00k" in text
        assert notation(evaluator.spec(snapshot.best.genome)) in text or width < 200
    assert "params MACs sublayers structure" in text


def test_the_rows_of_the_view_are_different_shapes_and_count_the_population() -> None:
    settings, moments = search(6000)
    snapshot, evaluator = moments[-1]
    lines = [line.text for line in search_view(settings, snapshot, evaluator, 200)]
    head = next(index for index, line in enumerate(lines) if "structure" in line)
    rows = [line.split() for line in lines[head + 2 :] if line[:8].strip()]
    shapes = [shape_of(evaluator.space.genes(member.genome, evaluator.seed)) for member in snapshot.population]
    assert 1 < len(rows) <= 6
    counts = [int(row[1]) for row in rows if row[0][0].isdigit()]
    assert len(counts) == min(5, len(set(shapes)))
    assert counts[0] == shapes.count(shapes[0])
    assert sum(counts) <= len(snapshot.population)


@given(st.lists(st.integers(0, 6)), st.integers(1, 8))
def test_different_shapes_are_the_first_of_each(shapes: list[Hashable], count: int) -> None:
    chosen = different(shapes, count)
    found = [shapes[index] for index in chosen]
    assert len(set(found)) == len(found) == min(count, len(set(shapes)))
    assert chosen == sorted(chosen)
    assert all(shapes.index(shapes[index]) == index for index in chosen)
    assert not chosen or chosen[0] == 0


def test_a_shape_is_a_network_without_its_widths() -> None:
    genes = [Gene("conv", 3, 16, 1, 1), Gene("bottleneck", 5, 64, 2, 2, mid=16)]
    wider = [genes[0]._replace(width=24), genes[1]._replace(width=80, mid=40)]
    assert shape_of(genes) == shape_of(wider)
    for other in ({"op": "basic"}, {"kernel": 3}, {"stride": 1}, {"depth": 4}):
        assert shape_of([genes[0], genes[1]._replace(**other)]) != shape_of(genes)


def test_the_last_half_still_moves_where_the_whole_does_not() -> None:
    trail = [100.0, 195.0, *(196.0 + index / 100 for index in range(100))]
    whole, half = (line.text for line in growth_lines(trail, 120))
    assert whole.split()[-4:][0] == "100.00"
    assert set(whole.split()[3][2:]) == {"█"}
    assert len(set(half.split()[3])) == 8
    assert half.split()[-1] == f"{trail[-1] - trail[len(trail) // 2]:+.2f}"


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=600), st.integers(40, 200))
def test_growth_names_both_ends_and_fits(trail: list[float], width: int) -> None:
    for line, first in zip(growth_lines(trail, width), (trail[0], trail[len(trail) // 2]), strict=True):
        assert cells(line.text) <= width
        words = line.text.split()
        assert {f"{first:.2f}", f"{trail[-1]:.2f}"} <= set(words)


def test_the_trail_is_the_best_score_after_equal_numbers_of_generations(monkeypatch: pytest.MonkeyPatch) -> None:
    points = 24
    monkeypatch.setattr(loop, "SPARK_POINTS", points)
    _, moments = search(512 * (points + 8), patience=None, algorithm="evolution")
    best = [snapshot.best.score for snapshot, _ in moments]
    assert len(best) > points
    for count in (1, 2, points, len(best)):
        trail = moments[count - 1][0].trail
        step = 1 if count <= points else 2
        assert list(trail[:-1]) == best[step - 1 : count : step]
        assert trail[-1] == best[count - 1]


def test_a_long_trail_keeps_its_length_and_its_ends() -> None:
    for count in (1, 5, 59, 60, 61, 1000):
        line = sparkline([float(index) for index in range(count)], 60)
        assert len(line) == min(60, count)
        assert list(line) == sorted(line)
        if count > 1:
            assert (line[0], line[-1]) == ("▁", "█")
    assert len(set(sparkline([5.0, 5.0, 5.0]))) == 1
    assert sparkline([1, 2, 3, 4, 5, 6, 7, 8]) == "▁▂▃▄▅▆▇█"


@given(st.floats(0, 1), st.integers(1, 60))
def test_a_bar_is_as_long_as_its_share(share: float, width: int) -> None:
    line = bar(share, width)
    assert abs(len(line) - share * width) <= 1
    assert set(line[:-1]) <= {"█"}


@given(st.integers(1, 60))
def test_bars_grow(width: int) -> None:
    lengths = [len(bar(index / 40, width)) for index in range(41)]
    assert all(a <= b for a, b in pairwise(lengths))
    assert (bar(0, width), bar(1, width), bar(2, width)) == ("", "█" * width, "█" * width)


def test_without_a_terminal_a_search_is_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zen_cli.ui.screen.LINE_SECONDS", 0.0)
    settings, moments = search(1500)
    with Screen(settings, quiet=False) as screen:
        for moment in moments:
            screen.show(*moment)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == len(moments)
    assert all(line.startswith("zen: ") and "evaluations" in line for line in lines)
    with Screen(settings, quiet=True) as screen:
        screen.show(*moments[-1])
    assert capsys.readouterr().err == ""
