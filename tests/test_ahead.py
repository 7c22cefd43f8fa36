"""Reading ahead waits for the first item and for no other."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from zen_cli.metrics.prefetch import groups


def test_a_sequence_is_cut() -> None:
    assert list(groups([1, 2, 3, 4, 5], 2)) == [[1, 2], [3, 4], [5]]
    assert list(groups([], 2)) == []


def test_a_stream_comes_whole_and_in_order() -> None:
    found = [item for group in groups(iter(range(1000)), 7) for item in group]
    assert found == list(range(1000))
    assert all(len(group) <= 7 for group in groups(iter(range(100)), 7))


def test_what_is_there_is_handed_over_while_the_stream_waits() -> None:
    """The second item comes only once the first was taken; whoever waits for it before would wait for ever."""
    taken = threading.Event()

    def slow() -> Iterator[int]:
        yield 1
        assert taken.wait(30)
        yield 2

    stream = groups(slow(), 64)
    assert next(stream) == [1]
    taken.set()
    assert next(stream) == [2]


def test_it_reads_no_further_than_the_limit() -> None:
    read: list[int] = []
    full = threading.Event()

    def endless() -> Iterator[int]:
        while True:
            read.append(len(read))
            if len(read) > 9:
                full.set()
            yield len(read)

    stream = groups(endless(), 4)
    next(stream)
    assert not full.wait(0.2)
    stream.close()  # type: ignore[attr-defined]


def test_an_error_stands_behind_the_items_before_it() -> None:
    def broken() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("the file ends too early")

    found: list[int] = []
    with pytest.raises(ValueError, match="too early"):
        for group in groups(broken(), 64):
            found += group
    assert found == [1, 2]
