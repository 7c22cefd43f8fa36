"""Threads that each let torch use one thread of its own.

What is computed in one of them has the same bits on any number of cores, because every sum has one order.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch

from ..errors import RunError


@contextmanager
def single_threads(count: int) -> Iterator[tuple[ThreadPoolExecutor, int]]:
    """A pool of such threads, and how many there are: fewer than `count` where the system starts no more.

    The number of torch's threads in the caller's own thread stays what it was. At the end, work that has not started is
    cancelled and work that has is waited for.

    Raises:
        RunError: the system starts no thread at all.
    """
    pool = ThreadPoolExecutor(count, thread_name_prefix="zen-draw")
    try:
        started = _start(pool, count)
        pool._max_workers = started  # or it would try to start another with each task, and lose the task
        yield pool, started
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _start(pool: ThreadPoolExecutor, count: int) -> int:
    """Starts the threads of a pool, and lets each settle on one thread of torch's; how many there are."""
    before = torch.get_num_threads()
    ready, go_on = threading.Semaphore(0), threading.Event()

    def settle() -> None:
        # torch keeps the number by thread, but a thread takes over what was last set anywhere when it first computes or
        # reads the number; reading it here settles it
        try:
            torch.set_num_threads(1)
            torch.get_num_threads()
        finally:
            ready.release()
        go_on.wait()

    started = 0
    try:
        for _ in range(count):
            pool.submit(settle)
            started += 1
    except RuntimeError as error:  # the system starts no more threads
        if not started:
            raise RunError(f"threads: {error}; end other programs, or allow more processes (ulimit -u)") from None
    finally:
        for _ in range(started):
            ready.acquire()
        torch.set_num_threads(before)
        go_on.set()
    return started
