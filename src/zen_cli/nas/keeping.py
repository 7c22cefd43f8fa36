"""Every search is kept: in a run directory of its own in the user's state directory, the newest 50 of them.

The directories are `run-1`, `run-2` and so on, in the order in which the searches began. A search that has a directory
elsewhere is a link to it. Nothing here ends a search: where its run cannot be kept, that is one warning.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..errors import OutputError, UsageError, reason
from .checkpoints import NEWEST
from .run_files import is_locked
from .rundir import OPENING, RESULTS, RunDirectory
from .settings import SearchSettings

KEPT = 50
_NAME = re.compile(r"run-([1-9][0-9]{0,17})")


class KeptRun(RunDirectory):
    """A run directory whose faults do not end the search: the first one is a warning, and then nothing is written.

    One that holds nothing that was found is removed when it is closed.
    """

    warn: Callable[[str], None] = staticmethod(lambda _: None)
    _is_lost = False

    @property
    def label(self) -> str:
        """Its name among the kept runs."""
        return self.path.name

    def close(self) -> None:
        """Lets go of the directory."""
        super().close()
        if not any(os.path.lexists(self.path / name) for name in (NEWEST, OPENING, RESULTS)):
            shutil.rmtree(self.path, ignore_errors=True)

    def write_checkpoint(self, state: dict[str, Any]) -> None:
        """Replaces the checkpoint, or warns."""
        self._try(lambda: super(KeptRun, self).write_checkpoint(state))

    def write_opening(self, state: dict[str, Any]) -> None:
        """Keeps the band, or warns."""
        self._try(lambda: super(KeptRun, self).write_opening(state))

    def open_history(self, length: int) -> None:
        """Opens the history, or warns."""
        self._try(lambda: super(KeptRun, self).open_history(length))

    def append_history(self, row: dict[str, Any]) -> None:
        """Adds a row to the history, or warns."""
        self._try(lambda: super(KeptRun, self).append_history(row))

    def write_results(self, data: bytes) -> None:
        """Writes the answer, or warns."""
        self._try(lambda: super(KeptRun, self).write_results(data))

    def _try(self, write: Callable[[], None]) -> None:
        if self._is_lost:
            return
        try:
            write()
        except OutputError as error:
            self._is_lost = True
            self.warn(f"this search is not kept: {error}")


def keep(settings: SearchSettings, warn: Callable[[str], None]) -> KeptRun | None:
    """A new run directory for a search, and the oldest ones beyond 50 removed; None, after a warning, where it fails.

    Args:
        settings: of the search.
        warn: told why the search is not kept, now or later.
    """
    try:
        run = KeptRun.create(_take_name(make_folder(), lambda path: path.mkdir(mode=0o700)), settings)
    except (OutputError, UsageError) as error:
        warn(f"this search is not kept: {error}")
        return None
    run.warn = warn
    _remove_oldest()
    return run


def keep_link(path: Path) -> None:
    """Makes a run directory elsewhere known under a name of its own; one that cannot be is found by its path alone."""
    with suppress(OutputError, OSError):
        folder, target = make_folder(), path.resolve()
        if all(known.resolve() != target for known in list_paths()):
            _take_name(folder, lambda new: new.symlink_to(target, target_is_directory=True))
            _remove_oldest()


def state_folder() -> Path:
    """Where programs of this user keep their state; the variable `XDG_STATE_HOME` says where else.

    Raises:
        OutputError: this user has no home.
    """
    named = Path(os.environ.get("XDG_STATE_HOME", ""))
    if named.is_absolute():
        return named
    try:
        home = Path.home()
    except RuntimeError:
        home = Path()
    if not home.is_absolute() or not home.is_dir():
        raise OutputError("home: this user has no home directory; set XDG_STATE_HOME to one for the state of programs")
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", home))
    return home / ("Library/Application Support" if sys.platform == "darwin" else ".local/state")


def runs_folder() -> Path:
    """Where runs are kept; it may not be there yet. Errors as `state_folder`."""
    return state_folder() / "zen" / "runs"


def make_folder() -> Path:
    """`runs_folder`, made where it is missing, for its user alone.

    Raises:
        OutputError: it cannot be made.
    """
    folder = runs_folder()
    try:
        folder.parent.parent.mkdir(parents=True, exist_ok=True)
        folder.parent.mkdir(mode=0o700, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made, {reason(error)}") from None
    return folder


def list_paths() -> list[Path]:
    """The directories and links of kept runs, newest first. Errors as `state_folder`."""
    try:
        paths = {path: found for path in runs_folder().iterdir() if (found := _NAME.fullmatch(path.name))}
    except OSError:
        return []
    return sorted(paths, key=lambda path: int(paths[path][1]), reverse=True)


def remove(path: Path) -> None:
    """Removes a kept run; of one that is elsewhere only the link.

    Raises:
        UsageError: a process works in it.
        OutputError: it cannot be removed.
    """
    if not path.is_symlink() and is_locked(path):
        raise UsageError(f"{path.name}: is still running; end it first")
    try:
        if path.is_symlink():
            path.unlink()
        else:
            shutil.rmtree(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be removed, {reason(error)}") from None


def _take_name(folder: Path, make: Callable[[Path], None]) -> Path:
    """The next free path, with what `make` puts there.

    Raises:
        OutputError: nothing can be put there.
    """
    newest = next(iter(list_paths()), None)
    number = 0 if newest is None else int(newest.name.partition("-")[2])
    while True:
        number += 1
        path = folder / f"run-{number}"
        try:
            make(path)
        except FileExistsError:  # another process took it
            continue
        except OSError as error:
            raise OutputError(f"{path}: cannot be made, {reason(error)}") from None
        return path


def _remove_oldest() -> None:
    for path in list_paths()[KEPT:]:
        with suppress(OutputError, UsageError):
            remove(path)
