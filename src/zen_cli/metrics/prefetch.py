"""Reading ahead: what is at hand of a stream, in groups, without ever waiting for more while there is something.

A person who pipes architectures in one by one sees each result before typing the next; a file of thousands comes in
groups as large as a GPU likes. A thread does the reading, because only a thread can wait for a stream while something
else goes on.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Generic, TypeVar

T = TypeVar("T")


def groups(items: Iterable[T], limit: int) -> Iterator[list[T]]:
    """Splits a stream into lists of what is at hand, one to `limit` items each, in order.

    Args:
        items: a sequence is cut; anything else is read by a thread, at most `limit` items ahead.
        limit: of a group.

    Raises:
        Whatever reading raises, behind the items that came before.
    """
    if isinstance(items, Sequence):
        rest = iter(items)
        while group := list(islice(rest, limit)):
            yield group
        return
    reader = _Reader(iter(items), limit)
    try:
        while group := reader.take():
            yield group
    finally:
        reader.close()


class _Reader(Generic[T]):
    """A thread that fills a bounded buffer."""

    def __init__(self, items: Iterator[T], limit: int) -> None:
        self._items, self._limit = items, limit
        self._buffer: deque[T] = deque()
        self._error: BaseException | None = None
        self._ended = self._closed = False
        self._changed = threading.Condition()
        # a daemon, for it may wait for a stream that never ends; it holds no lock of the interpreter meanwhile
        threading.Thread(target=self._read, name="zen-reader", daemon=True).start()

    def take(self) -> list[T]:
        """All that is at hand; waits for the first item, and returns nothing at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._buffer or self._ended)
            group = list(self._buffer)
            self._buffer.clear()
            self._changed.notify_all()
            if not group and self._error is not None:
                raise self._error
            return group

    def close(self) -> None:
        """Stops reading after the item that is being read."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _read(self) -> None:
        error: BaseException | None = None
        try:
            for item in self._items:
                with self._changed:
                    self._changed.wait_for(lambda: self._closed or len(self._buffer) < self._limit)
                    if self._closed:
                        return
                    self._buffer.append(item)
                    self._changed.notify_all()
        except BaseException as caught:  # it belongs to whoever takes the items
            error = caught
        finally:
            with self._changed:
                self._error, self._ended = error, True
                self._changed.notify_all()
