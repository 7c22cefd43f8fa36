"""Where a search may use a cluster."""

from __future__ import annotations

from ..metrics import find
from ..metrics.cluster.address import check_use
from .settings import SearchSettings


def check_workers(workers: str | None, settings: SearchSettings) -> None:
    """`check_use` for a search, which measures what it maximises or verifies the best. Errors as there."""
    if workers is None:
        return
    metrics, score = [find(settings.proxy or "zen", "proxy")], settings.score
    if settings.verify:
        metrics, score = [find("zen")], score.model_copy(update={"estimator": "monte-carlo"})
    check_use(workers, metrics, score)
