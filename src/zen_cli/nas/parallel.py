"""Independent searches side by side: one process each where the closed form keeps a core busy, one by one elsewhere."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, NamedTuple

from ..devices import free_cores
from ..errors import RunError, ZenError
from ..metrics import find
from .answer import hand_over, search
from .keeping import keep
from .loop import Snapshot
from .outcome import Callbacks, Outcome
from .rundir import SETTINGS, RunDirectory
from .scorers import Evaluator
from .settings import SearchSettings

POLL_SECONDS = 0.2


class Place(NamedTuple):
    """Where a search is kept: in a directory, which may hold what was done of it before, or if `keeps` among the runs
    of the user, or nowhere.
    """

    directory: Path | None = None
    keeps: bool = True


class Shown(NamedTuple):
    """What a sweep tells on its way: searches that are over, of how many, and the evaluations of all."""

    done: int
    searches: int
    evaluations: int


def run_all(
    settings: Sequence[SearchSettings],
    places: Sequence[Place],
    callbacks: Callbacks,
    on_progress: Callable[[Shown], None],
    *,
    processes: int | None = None,
) -> list[Outcome | ZenError]:
    """The outcomes of independent searches, in their order, or why there is none; each is what it would be alone.

    Args:
        settings: of each search.
        places: where each is kept.
        callbacks: whether to stop, and warnings.
        on_progress: called a few times a second.
        processes: how many at once; by default one a core, or one in all where scores are measured, which take all
            cores or the GPU by themselves.

    Raises:
        RunError: the system ended a process.
    """
    count = processes or (min(free_cores(), len(settings)) if all(map(_is_closed, settings)) else 1)
    if count == 1:
        return _one_by_one(settings, places, callbacks, on_progress)
    context = multiprocessing.get_context("spawn")
    board, stop = context.Array("q", len(settings)), context.Event()
    with ProcessPoolExecutor(count, context, _begin, (board, stop)) as pool:
        futures = [pool.submit(_search, number, *row) for number, row in enumerate(zip(settings, places, strict=True))]
        try:
            _watch(futures, callbacks, stop, lambda: on_progress(_shown(futures, sum(board[:]))))
        except BaseException:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
        results = [future.result() for future in futures]
    for line in dict.fromkeys(line for _, warnings in results for line in warnings):
        callbacks.warn(line)
    return [outcome for outcome, _ in results]


def _watch(futures: Sequence[Future[Any]], callbacks: Callbacks, stop: Any, show: Callable[[], None]) -> None:
    """Waits for all; asks those that run to stop, and lets the others begin and end at once, where it has to."""
    left = set(futures)
    while left:
        done, left = wait(left, POLL_SECONDS, FIRST_COMPLETED)
        for future in done:
            try:
                future.result()
            except BrokenProcessPool:
                fault = "the system ended a process, perhaps for lack of memory"
                raise RunError(f"searches: {fault}; run fewer at once, or give it more memory") from None
        if callbacks.should_stop():
            stop.set()
        show()


def _shown(futures: Sequence[Future[Any]], evaluations: int) -> Shown:
    return Shown(sum(future.done() for future in futures), len(futures), evaluations)


def _one_by_one(
    settings: Sequence[SearchSettings],
    places: Sequence[Place],
    callbacks: Callbacks,
    on_progress: Callable[[Shown], None],
) -> list[Outcome | ZenError]:
    outcomes: list[Outcome | ZenError] = []
    before = 0
    is_stopped = False

    def tell(snapshot: Snapshot, evaluator: Evaluator) -> None:
        callbacks.on_generation(snapshot, evaluator)
        on_progress(Shown(len(outcomes), len(settings), before + snapshot.proposals))

    own = callbacks._replace(on_generation=tell, should_stop=lambda: is_stopped or callbacks.should_stop())
    for one, place in zip(settings, places, strict=True):
        outcome = _run(one, place, own)
        outcomes.append(outcome)
        if isinstance(outcome, Outcome):
            before += outcome.evaluations
            is_stopped = is_stopped or outcome.stopped == "interrupted"
    return outcomes


def _is_closed(settings: SearchSettings) -> bool:
    if settings.proxy is None:
        return settings.score.estimator == "mean-field"
    return find(settings.proxy, "proxy").closed_form is not None


def _run(settings: SearchSettings, place: Place, callbacks: Callbacks) -> Outcome | ZenError:
    """One search, kept with its own answer, unverified; or why it has none."""
    run: RunDirectory | None = None
    try:
        if place.directory is not None:
            has_begun = (place.directory / SETTINGS).exists()
            run = RunDirectory.open(place.directory) if has_begun else RunDirectory.create(place.directory, settings)
            run.settings = settings
        elif place.keeps:
            run = keep(settings, callbacks.warn)
        outcome = search(settings, run, callbacks)
        if run is not None and outcome.candidates:
            answer = hand_over(settings, outcome, outcome.candidates[: settings.top])
            run.write_results(answer.to_bytes())
        return outcome
    except ZenError as error:
        return error
    finally:
        if run is not None:
            run.close()


# Of a process of the pool, which cannot be given these in another way: the board, the event to stop, its parent.
_shared: tuple[Any, Any, int] | None = None


def _begin(board: Any, stop: Any) -> None:
    """Prepares a process: signals are for the parent, which asks it to stop."""
    global _shared
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    _shared = board, stop, os.getppid()


def _search(number: int, settings: SearchSettings, place: Place) -> tuple[Outcome | ZenError, list[str]]:
    """One search in a process of the pool, and its warnings."""
    if _shared is None:
        raise RunError("parallel: this process was not prepared")
    board, stop, parent = _shared
    warnings: list[str] = []
    looked = time.monotonic()

    def should_stop() -> bool:
        nonlocal looked
        if time.monotonic() - looked < POLL_SECONDS / 4:
            return False
        looked = time.monotonic()
        return bool(stop.is_set()) or os.getppid() != parent  # killed

    def tell(snapshot: Any, _: Any) -> None:
        board[number] = snapshot.proposals

    outcome = _run(settings, place, Callbacks(tell, lambda _: None, should_stop, warnings.append))
    board[number] = outcome.evaluations if isinstance(outcome, Outcome) else 0
    return outcome, warnings
