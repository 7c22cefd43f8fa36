"""The answer of a search while its best networks are verified: draws, who may still be the best, and the workers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import options as opt
from .cluster_run import status_of

if TYPE_CHECKING:
    from ..metrics.cluster.workers import Cluster
    from ..nas.answer import Answer
    from ..nas.outcome import Outcome
    from ..nas.race import Standing
    from ..nas.settings import SearchSettings
    from .endings import Endings


def verified(settings: SearchSettings, outcome: Outcome, executor: Cluster | None, *, quiet: bool) -> Answer:
    """The answer, with progress on the way; errors as for `nas.answer.finish`."""
    from ..nas.answer import finish
    from ..nas.outcome import Callbacks
    from ..ui.progress import Progress
    from ..ui.screen import of_standing

    workers, standing = status_of(executor), ""

    def look(now: Standing) -> None:
        nonlocal standing
        standing = of_standing(now)

    with Progress("verifying", quiet=quiet, unit="draws") as progress:
        progress.about = lambda: "; ".join(filter(None, (standing, workers())))
        callbacks = Callbacks(executor=executor, on_draws=progress.update, on_look=look)
        return finish(settings, outcome, callbacks)


def code_of(answer: Answer, endings: Endings) -> int:
    """The exit code of an answer: that of the signal that ended its race, which is said, or 0."""
    if answer.race is None or answer.race.ending != "interrupted":
        return 0
    return opt.report("stopped while verifying; the scores are those of the draws until then", endings.code or 130)
