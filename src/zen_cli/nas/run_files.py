"""The files of a run directory: opened without following links, flushed to the disk, locked for one process."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path
from typing import IO

from ..errors import OutputError, SourceError, UsageError, reason

LOCK = "lock"
_TRIES, _PAUSE_SECONDS = 5, 0.01  # somebody who only looks whether a run is locked holds the lock for microseconds


def read_own(file: Path) -> bytes:
    """The bytes of a file of the directory.

    Raises:
        SourceError: it cannot be read.
    """
    try:
        return file.read_bytes()
    except OSError as error:
        raise SourceError(f"{file}: cannot be read, {reason(error)}") from None


def open_own(path: Path, flags: int) -> IO[bytes]:
    """Opens a file of the directory for writing, and makes it where it is missing; never through a link.

    Raises:
        OutputError: it cannot be written, or something else than a regular file is there.
    """
    try:
        number = os.open(path, flags | os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
    except OSError as error:
        fault = "is a link; remove it" if path.is_symlink() else f"cannot be written, {reason(error)}"
        raise OutputError(f"{path}: {fault}") from None
    file = open(number, "r+b" if not flags & os.O_APPEND else "a+b")  # noqa: SIM115  # the caller closes it
    if not stat.S_ISREG(os.fstat(number).st_mode):
        file.close()
        raise OutputError(f"{path}: is no regular file; remove it")
    return file


def lock_directory(path: Path) -> IO[bytes]:
    """An open file that no other process can lock as long as it stays open; a killed process lets go of it.

    Where there are no such locks, as on Windows and some network file systems, nothing is locked.

    Raises:
        UsageError: another process works in the directory.
        OutputError: the directory cannot be written.
    """
    file = open_own(path / LOCK, 0)
    for _ in range(_TRIES):
        if _try_lock(file):
            return file
        time.sleep(_PAUSE_SECONDS)
    file.close()
    raise UsageError(f"{path}: another process is using this run directory; wait for it, or name another")


def is_locked(path: Path) -> bool:
    """Whether a process works in the directory, as far as that can be seen."""
    try:
        with open(path / LOCK, "rb") as file:
            return not _try_lock(file)
    except OSError:
        return False


def _try_lock(file: IO[bytes]) -> bool:
    """Locks an open file until it is closed; False where another process has the lock."""
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        pass
    return True


def flush_directory(path: Path) -> None:
    """Flushes the names in a directory to the disk."""
    if os.name == "posix":
        number = os.open(path, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
