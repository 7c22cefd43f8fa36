"""How a user names a cluster, and where that has an effect. Importing this needs neither torch nor Ray."""

from __future__ import annotations

import re
from collections.abc import Collection
from importlib.util import find_spec

from ...errors import UsageError, shorten
from ..metric import Metric
from ..settings import ScoreSettings

ADDRESS = re.compile(r"ray(://([\w.-]+|\[[0-9a-fA-F:]+\]):[0-9]{1,5})?")
EXAMPLES = "ray, or ray://HOST:PORT for a cluster elsewhere"


def check_workers(text: str) -> None:
    """Refuses what does not name a cluster, before anything is imported.

    Raises:
        UsageError: not such a text, or Ray is not installed.
    """
    if not ADDRESS.fullmatch(text):
        raise UsageError(f"workers: {shorten(text)!r} names no cluster; use {EXAMPLES}")
    if find_spec("ray") is None:
        raise UsageError("workers: Ray is not installed; pip install 'zen-cli[ray]'")


def check_use(workers: str | None, metrics: Collection[Metric], settings: ScoreSettings) -> None:
    """Refuses a cluster where nothing is measured, or where its name cannot be one.

    Raises:
        UsageError: it has no effect, names no cluster, or Ray is not installed.
    """
    if workers is None:
        return
    if not any(metric.distributes and metric.estimator(settings.estimator) == "monte-carlo" for metric in metrics):
        raise UsageError("workers: has no effect on closed forms, which take milliseconds; leave it out")
    check_workers(workers)
