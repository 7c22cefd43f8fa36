"""A search from its settings to its answer. Whatever ends it, what was found is handed over."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..errors import RunError, ZenError
from . import options as opt
from .cluster_run import executor_of, status_of
from .device import drift_words, say_nearby
from .endings import Endings
from .verifying import code_of, verified
from .writing import records as write_records

if TYPE_CHECKING:
    from ..metrics.cluster.workers import Cluster
    from ..nas.answer import Answer
    from ..nas.outcome import Outcome
    from ..nas.rundir import RunDirectory
    from ..nas.settings import SearchSettings
    from ..ui.screen import Screen


class Show(NamedTuple):
    """How a search is shown: the format of its records, whether nothing is said, whether to add a bound, and where
    scores are measured: the name of a cluster, or None for this machine.
    """

    style: opt.Format
    quiet: bool
    bound: bool
    workers: str | None = None


def run_search(settings: SearchSettings, run: RunDirectory | None, show: Show) -> int:
    """Searches, and writes the answer to stdout and into the run directory.

    Args:
        settings: of the search.
        run: where it is kept, if anywhere.
        show: how it is shown, and where it is measured.

    Returns:
        The exit code: 128 and the number of the signal that cut it short (130 for Ctrl-C, 143 for SIGTERM), that of the
        first error after a network was found, or 0.
    """
    from ..nas.answer import cannot_verify, check_bound, search
    from ..nas.outcome import Callbacks
    from ..ui.screen import Screen

    bound, quiet = show.bound, show.quiet

    def warn(message: str) -> None:
        opt.report(f"warning: {message}", 0)

    if settings.evenness is None and not settings.limits.bounds_depth and not settings.space.bounds_depth and not quiet:
        warn(
            "no limit on depth: the Zen-score grows with depth without end; "
            "add --max-sublayers, --max-layers or --max-depth-width-ratio"
        )
    if bound:
        check_bound(settings)
    if settings.verify and (reason := cannot_verify()):
        warn(f"{reason}: the answer will have the scores of the search, not verified ones")
        settings = settings.model_copy(update={"verify": 0})
    with Endings() as endings, executor_of(show.workers, settings.score.device, quiet=quiet) as executor:
        try:
            with Screen(settings, quiet=quiet) as screen:
                screen.about = status_of(executor)
                callbacks = Callbacks(screen.show, screen.note, endings.should_stop, warn, executor)
                outcome = search(settings, run, callbacks)
        except KeyboardInterrupt:
            return opt.report("stopped before a network was found", endings.code or 130)
        screen.report(outcome, hint=not bound)
        code = 0
        if outcome.error is not None:
            code = opt.report(f"{outcome.error}; what was found until then follows", RunError.exit_code)
        answer, code = _answer(settings, outcome, screen, endings, show, executor, code=code)
        endings.hold()
        code = _write(answer, run, show.style, code)
        if not quiet:
            _say_nearby(settings, answer)
        screen.next_commands(answer, outcome, run)
        return code


def _answer(
    settings: SearchSettings,
    outcome: Outcome,
    screen: Screen,
    endings: Endings,
    show: Show,
    executor: Cluster | None,
    *,
    code: int,
) -> tuple[Answer, int]:
    """The records of the best, verified unless something ends that, and the exit code."""
    from ..nas.answer import add_bound, hand_over
    from ..ui.progress import Progress

    best = outcome.candidates[: settings.top]
    if endings.should_stop() or code:
        screen.bound(outcome)  # which an exact search has
        endings.hold()
        return hand_over(settings, outcome, best), endings.code or code
    step = "computing the bound"
    try:
        endings.interrupt_at_once()
        if show.bound:
            with Progress(step, quiet=show.quiet) as progress:
                progress.update(0)
                outcome = add_bound(settings, outcome)
        screen.bound(outcome)
        step = "measuring"
        outcome = _measured(settings, outcome, quiet=show.quiet)
        step = "verifying"
        screen.verifying(outcome)
        answer = verified(settings, outcome, executor, quiet=show.quiet)
        endings.hold()  # here, where a signal that comes first is still caught
    except KeyboardInterrupt:
        endings.hold()
        code = opt.report(f"stopped while {step}; these are the scores of the search", endings.code or 130)
    except (ZenError, MemoryError, ImportError, OSError, RuntimeError) as error:
        fault = " ".join(str(error).split()) or type(error).__name__
        code = error.exit_code if isinstance(error, ZenError) else RunError.exit_code
        opt.report(f"{step} failed, {fault}; these are the scores of the search", code)
    else:
        screen.verified(answer)
        code = code_of(answer, endings)
        if not code:
            screen.spent(outcome)
        return answer, code
    return hand_over(settings, outcome, best), code


def _measured(settings: SearchSettings, outcome: Outcome, *, quiet: bool) -> Outcome:
    """The outcome without the networks that break a limit on the latency of this machine, as measured now."""
    if settings.score.target is None or "latency" not in settings.limits:
        return outcome
    from ..nas.answer import search
    from ..nas.limits import write_limit
    from ..profiling.finalists import can_measure, measure_until_kept
    from ..ui.progress import Progress
    from ..ui.terminal import say

    if not can_measure(settings):
        return outcome

    def search_again(changed: SearchSettings, factor: float) -> Outcome:
        if not quiet:
            say(f"none keeps {limit}, they took {factor - 1:.0%} longer than predicted; searching again")
        return search(changed)

    limit = write_limit("latency", settings.limits["latency"])
    with Progress("measuring", quiet=quiet, unit="visits") as progress:
        found, rejected, _ = measure_until_kept(settings, outcome, search_again, progress.update)
    if not quiet:
        kept = len(found.measured)
        words = drift_words(list(found.measured.values()))
        say(f"measured here: {kept} networks keep {limit}, {rejected} took longer and are left out{words}")
    return found


def _say_nearby(settings: SearchSettings, answer: Answer) -> None:
    """Says which known networks take about as long on the target as the best one."""
    row = answer.records[0].search if answer.records else None
    if settings.score.target is not None and row is not None and row.latency is not None:
        say_nearby(settings.score.target, row.latency.predicted_ms)


def _write(answer: Answer, run: RunDirectory | None, style: opt.Format, code: int) -> int:
    """Writes the answer to stdout first, then into the run directory; gives the exit code."""
    for error in answer.errors:
        fault = opt.report(f"verification failed: {error}; its score is that of the search", error.exit_code)
        code = code or fault
    if not answer.records:
        return code or opt.report("no network was found; give a longer budget or wider limits", 1)
    try:
        with write_records(style) as writer:
            for row in answer.records:
                writer.write(row)
    finally:  # also where nobody reads stdout
        if run is not None:
            try:
                run.write_results(answer.to_bytes())
            except ZenError as error:
                code = code or opt.report(f"{error}; the answer is on stdout", 1)
    return code
