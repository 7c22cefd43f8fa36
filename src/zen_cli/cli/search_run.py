"""A search from its settings to its answer. Whatever ends it, what was found is handed over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import RunError, ZenError
from . import options as opt
from .endings import Endings
from .writing import records as write_records

if TYPE_CHECKING:
    from ..nas.answer import Answer
    from ..nas.outcome import Outcome
    from ..nas.rundir import RunDirectory
    from ..nas.settings import SearchSettings
    from ..ui.screen import Screen


def run_search(
    settings: SearchSettings, run: RunDirectory | None, *, bound: bool, style: opt.Format, quiet: bool
) -> int:
    """Searches, and writes the answer to stdout and into the run directory.

    Args:
        settings: of the search.
        run: where it is kept, if anywhere.
        bound: whether to add what no network of the space exceeds.
        style: of the records.
        quiet: say nothing but warnings of what failed.

    Returns:
        The exit code: 128 and the number of the signal that cut it short (130 for Ctrl-C, 143 for SIGTERM), that of the
        first error after a network was found, or 0.
    """
    from ..nas.answer import cannot_verify, check_bound, search
    from ..nas.outcome import Callbacks
    from ..ui.screen import Screen

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
    with Endings() as endings:
        try:
            with Screen(settings, quiet=quiet) as screen:
                callbacks = Callbacks(screen.show, screen.note, endings.should_stop, warn)
                outcome = search(settings, run, callbacks)
        except KeyboardInterrupt:
            return opt.report("stopped before a network was found", endings.code or 130)
        screen.report(outcome, hint=not bound)
        code = 0
        if outcome.error is not None:
            code = opt.report(f"{outcome.error}; what was found until then follows", RunError.exit_code)
        answer, code = _answer(settings, outcome, screen, endings, bound=bound, quiet=quiet, code=code)
        endings.hold()
        code = _write(answer, run, style, code)
        screen.next_commands(answer, outcome, run)
        return code


def _answer(
    settings: SearchSettings,
    outcome: Outcome,
    screen: Screen,
    endings: Endings,
    *,
    bound: bool,
    quiet: bool,
    code: int,
) -> tuple[Answer, int]:
    """The records of the best, verified unless something ends that, and the exit code."""
    from ..nas.answer import add_bound, finish, hand_over
    from ..ui.progress import Progress

    best = outcome.candidates[: settings.top]
    if endings.should_stop() or code:
        screen.bound(outcome)  # which an exact search has
        endings.hold()
        return hand_over(settings, outcome, best), endings.code or code
    step = "computing the bound"
    try:
        endings.interrupt_at_once()
        if bound:
            with Progress(step, quiet=quiet) as progress:
                progress.update(0)
                outcome = add_bound(settings, outcome)
        screen.bound(outcome)
        step = "verifying"
        screen.verifying(outcome)
        with Progress(step, quiet=quiet, unit="draws") as progress:
            answer = finish(settings, outcome, on_progress=progress.update)
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
        screen.spent(outcome)
        return answer, 0
    return hand_over(settings, outcome, best), code


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
                run.write_results(b"".join(row.to_bytes() + b"\n" for row in answer.records))
            except ZenError as error:
                code = code or opt.report(f"{error}; the answer is on stdout", 1)
    return code
