"""When a search looks for garbage, which with hundreds of thousands of genomes takes long and finds nothing."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

GENERATIONS_PER_COLLECTION = 1000
MANY = 100_000  # objects that a collection would look at for a hundredth of a second


@contextmanager
def garbage_collection(*, rare: bool) -> Iterator[Callable[[], None]]:
    """Yields what to call after every generation; where collections are rare, that is what collects, nothing else.

    Genomes and terms are tuples without cycles, and to look for some after every few hundred of them takes a third of
    the time.
    """
    enabled, generations = gc.isenabled(), count(1)

    def tidy() -> None:
        if rare and next(generations) % GENERATIONS_PER_COLLECTION == 0:
            gc.collect()

    if rare:
        gc.disable()
    try:
        yield tidy
    finally:
        if rare and gc.get_count()[0] > MANY and gc.get_freeze_count() == 0:
            gc.freeze()  # makes all objects old, or the next collection would look at each
            gc.unfreeze()
        if enabled:
            gc.enable()
