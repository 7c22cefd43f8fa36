"""Joining a cluster elsewhere through Ray's client server, which does not always survive its own start.

That server forks a process for each client amid the threads of gRPC. On Linux about one in six of these crashes before
it runs (Ray 2.60 with gRPC 1.85, https://github.com/ray-project/ray/issues/63202), none where the head was started with
GRPC_ENABLE_FORK_SUPPORT=0. Ray tells its client after 40 seconds; here the client asks again at once.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ...errors import RunError, shorten
from .reach import check_client_server, within

OPEN_SECONDS = 40.0  # until a client server that answers has started its side of this run; it gives that up after 30
ATTEMPTS = 5


def join_client(address: str, options: Mapping[str, Any]) -> None:
    """Joins the cluster of a client server.

    Args:
        address: `ray://HOST:PORT`.
        options: of `ray.init`.

    Raises:
        UsageError: what Ray needs for that is not installed.
        RunError: it does not answer, refuses, or has not started its side of this run in any of `ATTEMPTS`.
    """
    import ray

    check_client_server(address.removeprefix("ray://"))
    logging.getLogger("ray.util.client").setLevel(logging.CRITICAL)
    for _ in range(ATTEMPTS):
        try:
            within(OPEN_SECONDS, lambda: ray.init(address, **options), address, _hang_up)
        except RunError as error:
            cause = error.__cause__
            if not isinstance(cause, ConnectionAbortedError):
                raise
            said = str(cause).strip().splitlines()[-1]
        else:
            return
    raise RunError(
        f"workers: the client server at {address} fails to start a process for this run, {shorten(said)}; "
        "see its logs, or start the head with GRPC_ENABLE_FORK_SUPPORT=0"
    )


def _hang_up() -> None:
    """Ends a connection that Ray itself has given up: it waits for a last word of a server that has crashed."""
    from ray.util.client import ray as client

    with suppress(Exception):  # there is no connection yet, or another version of Ray ends it by itself
        worker: Any = client.get_context().client_worker
        if worker._in_shutdown:
            worker.channel.close()
