"""A search from its settings to its answer: what is shown on the way, and what Ctrl-C does to it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from ..errors import ZenError
from . import options as opt
from .writing import records as write_records

if TYPE_CHECKING:
    from ..metrics.records import ScoreRecord
    from ..nas.answer import Outcome
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
        The exit code: 130 where Ctrl-C cut it short, that of the first record which failed, or 0.
    """
    from ..metrics.records import to_bytes
    from ..nas.answer import Watch, check_bound, search_by
    from ..ui.screen import Screen

    def warn(message: str) -> None:
        opt.report(f"warning: {message}", 0)

    if not settings.limits.bounds_depth and settings.space.kind == "blocks" and not quiet:
        warn(
            "no limit on depth: the Zen-score grows with depth without end; "
            "add --max-sublayers, --max-layers or --max-depth-width-ratio"
        )
    if bound:
        check_bound(settings)
    with _stop_on_signal() as stop, Screen(settings, quiet=quiet) as screen:
        outcome = search_by(settings, run, Watch(screen.show, screen.note, lambda: bool(stop), warn))
    screen.report(outcome, hint=not bound)
    found, code = _answer(settings, outcome, screen, bound=bound, quiet=quiet)
    rows = []
    for row in found:
        if isinstance(row, ZenError):
            code = code or opt.report(str(row), row.exit_code)
        else:
            rows.append(row)
    if run is not None:
        run.write_results(b"".join(to_bytes(row) + b"\n" for row in rows))
    with write_records(style) as writer:
        for row in rows:
            writer.write(row)
    return code


def _answer(
    settings: SearchSettings, outcome: Outcome, screen: Screen, *, bound: bool, quiet: bool
) -> tuple[list[ScoreRecord | ZenError], int]:
    """The records of the best, and 130 where Ctrl-C came before their bound and their verification were done."""
    from ..nas.answer import add_bound, finish
    from ..ui.progress import Progress

    unverified = settings.model_copy(update={"verify": 0})
    if outcome.stopped == "interrupted":
        screen.bound(outcome)  # which an exact search has
        return finish(unverified, outcome), 130
    step = "computing the bound"
    try:
        if bound:
            with Progress(step, quiet=quiet) as progress:
                progress.update(0)
                outcome = add_bound(settings, outcome)
        screen.bound(outcome)
        step = "verifying"
        screen.verifying(outcome)
        with Progress(step, quiet=quiet, unit="draws") as progress:
            found = finish(settings, outcome, on_progress=progress.update)
    except KeyboardInterrupt:
        code = opt.report(f"stopped while {step}; these are the scores of the search", 130)
        return finish(unverified, outcome), code
    screen.verified(found)
    return found, 0


@contextmanager
def _stop_on_signal() -> Iterator[list[int]]:
    """The first Ctrl-C (or SIGTERM) is noted, so that the generation can end; the second interrupts at once."""
    seen: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        seen.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    try:
        before = [(number, signal.signal(number, note)) for number in (signal.SIGINT, signal.SIGTERM)]
    except ValueError:  # not in the main thread, as when a test calls the command
        before = []
    try:
        yield seen
    finally:
        for number, handler in before:
            signal.signal(number, handler)
