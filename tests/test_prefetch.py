"""Prefetching waits for the first item and for no other."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from zen_cli.metrics.prefetch import Groups


def test_a_sequence_is_cut() -> None:
    assert list(Groups([1, 2, 3, 4, 5], 2)) == [[1, 2], [3, 4], [5]]
    assert list(Groups([], 2)) == []


def test_a_stream_comes_whole_and_in_order() -> None:
    found = [item for group in Groups(iter(range(1000)), 7) for item in group]
    assert found == list(range(1000))
    assert all(len(group) <= 7 for group in Groups(iter(range(100)), 7))


def test_what_is_there_is_handed_over_while_the_stream_waits() -> None:
    """The second item comes only once the first was taken: waiting for it would never end."""
    taken = threading.Event()

    def slow() -> Iterator[int]:
        yield 1
        assert taken.wait(30)
        yield 2

    stream = Groups(slow(), 64)
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

    stream = Groups(endless(), 4)
    next(stream)
    assert not full.wait(0.2)
    stream.close()


def test_an_error_comes_after_the_items_before_it() -> None:
    def broken() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("the file ends too early")

    found: list[int] = []
    with pytest.raises(ValueError, match="too early"):
        for group in Groups(broken(), 64):
            found += group
    assert found == [1, 2]


def test_the_total_is_known_once_the_end_was_read() -> None:
    assert Groups([1, 2, 3], 2).total == 3
    waiting = threading.Event()

    def slow() -> Iterator[int]:
        yield from (1, 2)
        assert waiting.wait(30)

    stream = Groups(slow(), 64)
    first = next(stream)
    assert stream.total is None
    waiting.set()
    assert [*first, *(item for group in stream for item in group)] == [1, 2]
    assert stream.total == 2
