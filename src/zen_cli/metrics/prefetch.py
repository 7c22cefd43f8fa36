"""Splits a stream into groups of what has arrived, and never waits for more while there is something to work on.

A person who pipes networks in one by one sees each result before typing the next; a file of thousands comes in large
groups, which suit a GPU. A thread reads, because only a thread can wait for a stream while other work goes on.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class Groups(Generic[T]):
    """An iterator over lists of what has arrived of a stream, one to `limit` items each, in order.

    Args:
        items: a sequence is cut; anything else is read by a thread, at most `limit` items before they are taken.
        limit: of a group.

    Iterating raises whatever reading raises, after the items that came before.
    """

    def __init__(self, items: Iterable[T], limit: int) -> None:
        self._limit = limit
        self._items = iter(items)
        self._buffer: deque[T] = deque()
        self._error: BaseException | None = None
        self._read, self._ended, self._closed = 0, False, False
        self._changed = threading.Condition()
        if isinstance(items, Sequence):
            self._buffer.extend(items)
            self._read, self._ended = len(items), True
            return
        # a daemon, because it may wait for a stream that never ends; it holds no lock of the interpreter meanwhile
        threading.Thread(target=self._fill, name="zen-reader", daemon=True).start()

    @property
    def total(self) -> int | None:
        """How many items there are in all, once the end of the stream was read."""
        return self._read if self._ended else None

    def __iter__(self) -> Iterator[list[T]]:
        return self

    def __next__(self) -> list[T]:
        with self._changed:
            self._changed.wait_for(lambda: self._buffer or self._ended)
            group = [self._buffer.popleft() for _ in range(min(self._limit, len(self._buffer)))]
            self._changed.notify_all()
        if group:
            return group
        if self._error is not None:
            raise self._error
        raise StopIteration

    def close(self) -> None:
        """Stops reading after the item that is being read."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _fill(self) -> None:
        error: BaseException | None = None
        try:
            for item in self._items:
                with self._changed:
                    self._changed.wait_for(lambda: self._closed or len(self._buffer) < self._limit)
                    if self._closed:
                        return
                    self._buffer.append(item)
                    self._read += 1
                    self._changed.notify_all()
        except BaseException as caught:  # it belongs to the thread that takes the items
            error = caught
        finally:
            with self._changed:
                self._error, self._ended = error, True
                self._changed.notify_all()
