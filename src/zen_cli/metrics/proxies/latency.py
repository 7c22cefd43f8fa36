"""`latency`: predicted milliseconds on a target; see `target.latency`. It needs a target that predicts times."""

from __future__ import annotations

from ...errors import UsageError
from ...target.latency import predict_ms
from ...target.model import Target
from ..settings import ScoreSettings
from ..terms import NetworkTerms

NEEDS_BLOCKS = True


def closed_form(terms: NetworkTerms, settings: ScoreSettings) -> float:
    """Milliseconds for one batch.

    Raises:
        UsageError: there is no target, or it does not predict times.
    """
    return predict_ms(require_target(settings), terms.genes, *terms.image, terms.classifier)


def require_target(settings: ScoreSettings) -> Target:
    """The target of the settings, one that predicts times.

    Raises:
        UsageError: as above.
    """
    target = settings.target
    if target is None:
        raise UsageError("target: is missing, and latency needs one; name a file that zen profile wrote, or here")
    if not target.predicts:
        raise UsageError(
            f"target: {target.name} says nothing about times; measure it with zen profile, "
            "or give it clock and macs_per_cycle"
        )
    return target
