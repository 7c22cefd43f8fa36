"""The option `--workers`: the cluster that it names while a command runs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..metrics.cluster.workers import Cluster


def executor_of(workers: str | None, device: str, *, quiet: bool) -> AbstractContextManager[Cluster | None]:
    """The cluster that is named, joined while its context lasts; None for this machine without one.

    Raises:
        UsageError: no node has the device.
        RunError: the cluster cannot be joined.
    """
    if workers is None:
        return nullcontext()
    from ..metrics.cluster.connect import connect
    from ..ui.terminal import say

    return connect(workers, device, note=lambda line: None if quiet else say(line))


def status_of(executor: Cluster | None) -> Callable[[], str]:
    """What there is of a cluster, in a few words; nothing of this machine."""
    return lambda: "" if executor is None else executor.status
