"""The option `--workers`: where it has an effect, and the cluster that it names while a command runs."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from ..errors import UsageError

if TYPE_CHECKING:
    from ..metrics import Metric
    from ..metrics.cluster.workers import Cluster
    from ..metrics.settings import ScoreSettings
    from ..nas.settings import SearchSettings


def check_use(workers: str | None, metrics: Collection[Metric], settings: ScoreSettings) -> None:
    """Refuses a cluster where nothing is measured, or where its name cannot be one.

    Raises:
        UsageError: it has no effect, names no cluster, or Ray is not installed.
    """
    if workers is None:
        return
    from ..metrics.cluster.address import check_workers

    if not any(metric.distributes and metric.estimator(settings.estimator) == "monte-carlo" for metric in metrics):
        raise UsageError("workers: has no effect on closed forms, which take milliseconds; leave it out")
    check_workers(workers)


def check_use_in_search(workers: str | None, settings: SearchSettings) -> None:
    """`check_use` for a search, which measures what it maximises or verifies the best. Errors as there."""
    from ..metrics import find

    if workers is None:
        return
    metrics, score = [find(settings.proxy or "zen", "proxy")], settings.score
    if settings.verify:
        metrics, score = [find("zen")], score.model_copy(update={"estimator": "monte-carlo"})
    check_use(workers, metrics, score)


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
