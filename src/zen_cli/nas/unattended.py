"""A whole search without a screen, as Python calls it: checked, run, bounded, verified, kept."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import RunError, UsageError, ZenError
from ..formats.files import write_file
from .answer import Answer, add_bound, cannot_verify, check_bound, finish, hand_over
from .outcome import Callbacks, Outcome
from .parallel import Place, run_all
from .rundir import RESULTS
from .settings import SearchSettings
from .sweep import Problem, check_sweep, merge, with_origins
from .sweep_folder import directories, make_folder, open_folder
from .workers import check_workers

if TYPE_CHECKING:
    from ..metrics.cluster.workers import Cluster


def search_seeds(
    request: dict[str, Any],
    seeds: str | None,
    out: Path | None,
    folder: Path | None,
    callbacks: Callbacks,
    *,
    bound: bool,
    workers: str | None,
) -> tuple[Outcome, Answer]:
    """One problem from several seeds, one search after the other.

    Args:
        request: as for `check_request`.
        seeds: as `parse_seeds` reads them; None with a folder.
        out: a new folder for the searches, if any.
        folder: searches to go on with instead.
        callbacks: what is told on the way.
        bound: whether to add what no network of the space exceeds.
        workers: the name of a cluster, None for this machine.

    Returns:
        The searches as one, and the answer, which the folder keeps.

    Raises:
        ZenError: of the first search that found nothing, or as `check_sweep` and `open_folder`.
        KeyboardInterrupt: a search was interrupted.
    """
    if folder is not None and seeds is not None:
        raise UsageError("resume: goes on with the searches that there were; leave seeds out")
    searches, count = check_sweep(request, seeds) if folder is None else open_folder(folder, request)
    if count != len(searches):
        raise UsageError(f"resume: {folder} has searches under several limits; go on with zen search --resume")
    searches = [checked(one, workers, bound=bound) for one in searches]
    with executor_of(workers, searches[0]) as executor:
        callbacks = callbacks._replace(executor=executor)
        if out is not None:
            make_folder(out, searches, count)
        kept = folder or out
        places = [Place(None, False)] * count if kept is None else [Place(one) for one in directories(kept, count)]
        found = run_all(searches, places, callbacks, lambda _: None, processes=1)
        for error in found:
            if isinstance(error, ZenError):
                raise error
        problem = Problem(tuple(searches), tuple(row for row in found if not isinstance(row, ZenError)))
        outcome, answer = answer_of(*merge(problem), callbacks, bound=bound)
        answer = with_origins(answer, problem)
    if kept is not None:
        write_file(kept / RESULTS, answer.to_bytes(), follow=False)
    return outcome, answer


def checked(settings: SearchSettings, workers: str | None, *, bound: bool) -> SearchSettings:
    """The settings, without verification where torch is missing.

    Raises:
        UsageError: they cannot have the bound, or the workers.
    """
    if bound:
        check_bound(settings)
    check_workers(workers, settings)
    return settings.model_copy(update={"verify": 0}) if settings.verify and cannot_verify() else settings


def executor_of(workers: str | None, settings: SearchSettings) -> AbstractContextManager[Cluster | None]:
    """The cluster that is named, joined while its context lasts; None for this machine. Errors as `connect`."""
    if workers is None:
        return nullcontext()
    from ..metrics.cluster.connect import connect

    return connect(workers, settings.score.device)


def answer_of(
    settings: SearchSettings, outcome: Outcome, callbacks: Callbacks, *, bound: bool
) -> tuple[Outcome, Answer]:
    """The outcome with its bound, and the answer.

    Raises:
        RunError: no network was found.
        KeyboardInterrupt: the search was interrupted.
    """
    if outcome.stopped == "interrupted":
        raise KeyboardInterrupt
    if bound:
        outcome = add_bound(settings, outcome)
    if outcome.error is not None:
        answer = hand_over(settings, outcome, outcome.candidates[: settings.top])
    else:
        answer = finish(settings, outcome, callbacks)
    if not answer.records:
        raise RunError("no network was found; give a longer budget or wider limits")
    return outcome, answer
