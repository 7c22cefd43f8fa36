"""Several searches with one answer: from their requests to the records on stdout."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import RunError, UsageError, ZenError
from . import options as opt
from .cluster_run import executor_of, status_of
from .endings import Endings
from .search_listing import say_of_option
from .search_run import Show
from .verifying import code_of, verified
from .writing import Writer
from .writing import records as write_records

if TYPE_CHECKING:
    from ..metrics.cluster.workers import Cluster
    from ..nas.answer import Answer
    from ..nas.outcome import Outcome
    from ..nas.parallel import Place
    from ..nas.settings import SearchSettings
    from ..nas.sweep import Problem


class Sweep(NamedTuple):
    """Searches to run.

    Attributes:
        settings: of each; each problem has `seeds` of them, one after the other.
        seeds: searches of one problem.
        folder: for a run directory of each search and for the answer, if any.
        is_new: whether the folder has yet to be made.
        keeps: whether each search is kept among the runs of the user, where there is no folder.
    """

    settings: Sequence[SearchSettings]
    seeds: int
    folder: Path | None
    is_new: bool
    keeps: bool

    @classmethod
    def of(
        cls,
        request: Mapping[str, Any],
        seeds: str | None,
        *,
        out: Path | None,
        resume: str | None,
        keeps: bool,
        quiet: bool,
    ) -> Sweep:
        """New searches, or those of a folder to go on with; errors as `check_sweep` and `open_folder`."""
        from ..nas.sweep import check_sweep, is_sweep
        from ..nas.sweep_folder import open_folder

        if resume is None:
            settings, count = check_sweep(request, seeds, lambda line: None if quiet else say_of_option(line))
            return cls(settings, count, out, True, keeps)
        if is_sweep(request, seeds):
            raise UsageError("resume: goes on with the searches that there were; leave seeds and lists of limits out")
        settings, count = open_folder(Path(resume), request)
        return cls(settings, count, Path(resume), False, keeps)

    def places(self) -> list[Place]:
        """Where each search is kept; makes the folder. Errors as `make_folder`."""
        from ..nas.parallel import Place
        from ..nas.sweep_folder import directories, make_folder

        if self.folder is None:
            return [Place(None, self.keeps)] * len(self.settings)
        if self.is_new:
            make_folder(self.folder, self.settings, self.seeds)
        return [Place(one) for one in directories(self.folder, len(self.settings))]


def run_sweep(sweep: Sweep, show: Show) -> int:
    """Runs searches, and writes the best of each problem to stdout: first all of the first problem, then the next.

    Args:
        sweep: the searches.
        show: how they are shown, and where they are measured.

    Returns:
        The exit code, as for one search.

    Raises:
        ZenError: the first error of a search that found nothing, after the answer of the others is written.
    """
    from ..nas.answer import cannot_verify, check_bound
    from ..nas.outcome import Outcome
    from ..nas.sweep import problems
    from ..nas.workers import check_workers

    settings = sweep.settings
    check_workers(show.workers, settings[0])
    for one in settings if show.bound else ():
        check_bound(one)
    if settings[0].verify and (reason := cannot_verify()):
        opt.report(f"warning: {reason}: the answer will have the scores of the search, not verified ones", 0)
        settings = [one.model_copy(update={"verify": 0}) for one in settings]
    with Endings() as endings, executor_of(show.workers, settings[0].score.device, quiet=show.quiet) as executor:
        try:
            found = _search(sweep._replace(settings=settings), show, endings, executor)
        except KeyboardInterrupt:
            return opt.report(f"stopped; what the searches found until then is kept{_hint(sweep)}", endings.code or 130)
        stopped, code, data = endings.code, 0, b""
        with write_records(show.style) as writer:
            outcomes = [row if isinstance(row, Outcome) else _failed(row) for row in found]
            for problem in problems(settings, outcomes, sweep.seeds):
                answer, one_code = _answer(problem, endings, show, executor)
                code = code or one_code
                data += _write(answer, writer)
            endings.hold()
        if data:
            _keep(sweep, data)
        errors = [row for row in found if isinstance(row, ZenError)]
        for error in errors[1:]:
            opt.report(str(error), error.exit_code)
        if errors:
            raise errors[0]
        if not data:
            return code or opt.report("no network was found; give a longer budget or wider limits", 1)
        if stopped:
            opt.report(f"stopped; these are the best until then{_hint(sweep)}", stopped)
        return endings.code or code


def _search(sweep: Sweep, show: Show, endings: Endings, executor: Cluster | None) -> list[Outcome | ZenError]:
    """The outcomes of all searches, with progress on the way."""
    from ..nas.outcome import Callbacks
    from ..nas.parallel import Shown, run_all
    from ..ui.progress import Progress

    now, workers = "", status_of(executor)
    places = sweep.places()
    with Progress("searching", quiet=show.quiet, unit="evaluations", total=_evaluations(sweep.settings)) as progress:

        def tell(shown: Shown) -> None:
            nonlocal now
            now = f"{shown.done} of {shown.searches} searches done"
            progress.update(shown.evaluations)

        progress.about = lambda: ", ".join(filter(None, (now, workers())))
        callbacks = Callbacks(should_stop=endings.should_stop, warn=_warn, executor=executor)
        return run_all(sweep.settings, places, callbacks, tell)


def _hint(sweep: Sweep) -> str:
    """How to go on."""
    return "" if sweep.folder is None else f"; go on with zen search --resume {shlex.quote(str(sweep.folder))}"


def _keep(sweep: Sweep, data: bytes) -> None:
    """Keeps the answer: in the folder, or as a run of its own beside those of the searches."""
    from ..formats.files import write_file
    from ..nas.keeping import keep
    from ..nas.rundir import RESULTS

    if sweep.folder is not None:
        write_file(sweep.folder / RESULTS, data, follow=False)
    elif sweep.keeps and (run := keep(sweep.settings[0], _warn)) is not None:
        with run:
            run.write_results(data)


def _failed(error: ZenError) -> Outcome:
    """The outcome of a search that found nothing."""
    from ..nas.outcome import Outcome

    return Outcome((), "failed", 0, 0.0, error=error)


def _evaluations(settings: Sequence[SearchSettings]) -> int | None:
    """All evaluations together, None where the clock decides."""
    counts = [one.budget.evaluations for one in settings]
    timed = any(one.budget.seconds or one.budget.device_seconds for one in settings)
    return None if timed or None in counts else sum(count for count in counts if count is not None)


def _answer(problem: Problem, endings: Endings, show: Show, executor: Cluster | None) -> tuple[Answer, int]:
    """The best networks of one problem, verified unless something ends that, and the exit code."""
    from ..nas.answer import Answer, add_bound, hand_over
    from ..nas.sweep import merge, with_origins
    from ..ui.screen import Screen

    settings, outcome = merge(problem)
    if not outcome.candidates:
        return Answer([], []), 0
    screen = Screen(settings, quiet=show.quiet)
    screen.report(outcome, hint=False)
    if not show.quiet:
        _say_of_seeds(problem)
    code = endings.code
    answer: Answer | None = None
    if not code:
        try:
            endings.interrupt_at_once()
            outcome = add_bound(settings, outcome) if show.bound else outcome
            screen.bound(outcome)
            answer = verified(settings, outcome, executor, quiet=show.quiet)
            screen.verified(answer)
            code = code_of(answer, endings)
        except KeyboardInterrupt:
            code = opt.report("stopped while verifying; these are the scores of the search", endings.code or 130)
        except (ZenError, MemoryError, ImportError, OSError, RuntimeError) as error:
            fault = " ".join(str(error).split()) or type(error).__name__
            code = error.exit_code if isinstance(error, ZenError) else RunError.exit_code
            opt.report(f"verifying failed, {fault}; these are the scores of the search", code)
    if answer is None:
        answer = hand_over(settings, outcome, outcome.candidates[: settings.top])
    return with_origins(answer, problem), code


def _say_of_seeds(problem: Problem) -> None:
    """How much the seed of a search matters."""
    from ..ui.terminal import say

    best = [outcome.candidates[0].score for outcome in problem.outcomes if outcome.candidates]
    if len(best) > 1:
        say(f"best of each of {len(best)} seeds: {min(best):.2f} to {max(best):.2f}, median {median(best):.2f}")


def _write(answer: Answer, writer: Writer) -> bytes:
    for error in answer.errors:
        opt.report(f"verification failed: {error}; its score is that of the search", error.exit_code)
    for row in answer.records:
        writer.write(row)
    return answer.to_bytes()


def _warn(line: str) -> None:
    opt.report(f"warning: {line}", 0)
