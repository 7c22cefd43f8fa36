"""The run directory: settings, checkpoints, history and results, so that a search survives whatever ends it.

settings.json              what defines the search
band.json                  the evenest network, and the evaluations that finding it took
checkpoint.json            the newest state, replaced in one step and flushed to the disk
checkpoint.previous.json   the one before, in case the newest is damaged
history.jsonl              rows of generations, fewer as the search goes on; cut back when the run is resumed
results.jsonl              the answer
lock                       held while a process works here
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import orjson
from pydantic import ValidationError

from ..errors import OutputError, SourceError, SpecError, UsageError, ZenError, reason
from ..formats.files import is_leftover, write_file
from ..net.validation import show
from .settings import SCHEMA, SearchSettings

CHECKPOINT_SCHEMA = "zen-checkpoint/2"


class RunDirectory:
    """One directory, locked for one process; a context manager."""

    def __init__(self, path: Path, settings: SearchSettings) -> None:
        self.path = path
        self.settings = settings
        self._lock = _lock(path)
        self._history: IO[bytes] | None = None

    @classmethod
    def create(cls, path: Path, settings: SearchSettings) -> RunDirectory:
        """A new run.

        Raises:
            UsageError: it exists and is not empty, or cannot be made.
            OutputError: it cannot be written.
        """
        _check_new(path)
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"out: {path} cannot be made, {reason(error)}") from None
        run = cls(path, settings)
        try:
            _check_new(path)  # again under the lock: another process may have begun meanwhile
            body = settings.model_dump(by_alias=True)
            write_file(path / "settings.json", orjson.dumps(body, option=orjson.OPT_INDENT_2) + b"\n", follow=False)
        except (OutputError, UsageError):
            run.close()
            raise
        return run

    @classmethod
    def open(cls, path: Path) -> RunDirectory:
        """A run that exists.

        Raises:
            UsageError: no run directory, or one that a process is using.
            SourceError: of another version, or its settings are damaged.
        """
        file = path / "settings.json"
        if not file.is_file():
            raise UsageError(f"resume: {path} is no run directory; name one that a search made")
        try:
            body = orjson.loads(_read(file))
            version = body.get("schema") if isinstance(body, dict) else None
            if version != SCHEMA:
                raise SourceError(f'{file}: schema: {show(version)} is not known; this version of zen reads "{SCHEMA}"')
            settings = SearchSettings.model_validate(body)
            settings.seed_network()
        except (orjson.JSONDecodeError, ValidationError, SpecError) as error:
            raise SourceError(f"{file}: is damaged ({_first_line(error)}); start a new run") from None
        return cls(path, settings)

    def __enter__(self) -> RunDirectory:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the directory."""
        if self._history is not None:
            with suppress(OSError):  # what could not be written comes after the checkpoint
                self._history.close()
        self._lock.close()

    def write_checkpoint(self, state: dict[str, Any]) -> None:
        """Replaces the checkpoint; the one before is kept.

        Raises:
            OutputError: the disk is full or cannot be written; the checkpoints on it stay as they are.
        """
        if self._history is not None:
            self._flush(self._history)
        state = {**state, "history_bytes": self._history.tell() if self._history is not None else 0}
        newest, previous = self.path / "checkpoint.json", self.path / "checkpoint.previous.json"
        fresh = self.path / "checkpoint.new.json"
        self._write_state(fresh, state)
        try:
            if newest.exists():
                os.replace(newest, previous)
            os.replace(fresh, newest)
            _flush_directory(self.path)
        except OSError as error:
            raise OutputError(f"{newest}: cannot be written, {reason(error)}") from None

    def restore_checkpoint(self, restore: Callable[[dict[str, Any]], None], warn: Callable[[str], None]) -> None:
        """Restores the newest state that is whole and of this search; does nothing where there is none yet.

        Args:
            restore: takes a state; raises ValueError where it is not one of this search.
            warn: told when the newest cannot be used and an older one is.

        Raises:
            SourceError: there are checkpoints, and none of them can be used.
        """
        faults: list[str] = []
        for name in ("checkpoint.json", "checkpoint.new.json", "checkpoint.previous.json"):
            file = self.path / name
            if not os.path.lexists(file):
                continue
            try:
                restore(self._read_state(file))
            except SourceError as error:
                faults.append(str(error))
            except (ZenError, ValueError, TypeError, LookupError, AttributeError) as error:
                faults.append(f"{file}: is not a state of this search ({_first_line(error)})")
            else:
                if faults:
                    warn(f"{faults[0]}; going on from {name}")
                return
        if faults:
            raise SourceError(f"{faults[0]}, and there is no other; start a new run")

    def write_band(self, state: dict[str, Any]) -> None:
        """Keeps what the search for the evenest network found: the clock may have ended it, so it cannot be repeated.

        Raises:
            OutputError: it cannot be written.
        """
        self._write_state(self.path / "band.json", state)

    def read_band(self) -> dict[str, Any] | None:
        """What `write_band` kept; None where nothing was.

        Raises:
            SourceError: it cannot be used.
        """
        file = self.path / "band.json"
        return self._read_state(file) if os.path.lexists(file) else None

    def _write_state(self, file: Path, state: dict[str, Any]) -> None:
        body = {
            "schema": CHECKPOINT_SCHEMA,
            "settings": self.settings.digest,
            "sha256": _digest(state),
            "state": state,
        }
        write_file(file, orjson.dumps(body, default=_plain), follow=False)

    def _read_state(self, file: Path) -> dict[str, Any]:
        try:
            body = orjson.loads(_read(file))
        except orjson.JSONDecodeError:
            raise SourceError(f"{file}: is damaged") from None
        if not isinstance(body, dict) or body.get("schema") != CHECKPOINT_SCHEMA:
            raise SourceError(f'{file}: is not a checkpoint of this version ("{CHECKPOINT_SCHEMA}")')
        state = body.get("state")
        if not isinstance(state, dict) or body.get("sha256") != _digest(state):
            raise SourceError(f"{file}: is damaged")
        if body.get("settings") != self.settings.digest:
            raise SourceError(f"{file}: belongs to other settings than those in settings.json")
        return state

    def open_history(self, length: int) -> None:
        """Opens the history for rows after its first `length` bytes."""
        history = _open_own(self.path / "history.jsonl", os.O_APPEND)
        try:
            history.truncate(min(length, history.tell()))
            history.seek(0, os.SEEK_END)
        except OSError as error:
            raise OutputError(f"{self.path}/history.jsonl: cannot be written, {reason(error)}") from None
        self._history = history

    def append_history(self, row: dict[str, Any]) -> None:
        """Adds a row to the history."""
        assert self._history is not None
        try:
            self._history.write(orjson.dumps(row) + b"\n")
        except OSError as error:
            raise OutputError(f"{self.path}/history.jsonl: cannot be written, {reason(error)}") from None

    def write_results(self, data: bytes) -> None:
        """Writes the answer."""
        write_file(self.path / "results.jsonl", data, follow=False)

    def _flush(self, file: IO[bytes]) -> None:
        try:
            file.flush()
            os.fsync(file.fileno())
        except OSError as error:
            raise OutputError(f"{self.path}/history.jsonl: cannot be written, {reason(error)}") from None


def _is_leftover(file: Path) -> bool:
    """Whether a run that ended before it had found anything left this file."""
    return file.name in ("lock", "settings.json") or is_leftover(file)


def _check_new(path: Path) -> None:
    """Raises UsageError where a new run cannot have this path."""
    try:
        found = list(path.iterdir()) if path.is_dir() else [path] * os.path.lexists(path)
    except OSError as error:
        raise UsageError(f"out: {path} cannot be read, {reason(error)}") from None
    if all(_is_leftover(file) for file in found):
        return
    if (path / "settings.json").exists():
        raise UsageError(f"out: {path} already holds a run; resume it, or name another directory")
    raise UsageError(f"out: {path} already exists; name a new or an empty directory")


def _read(file: Path) -> bytes:
    """The bytes of a file of the directory.

    Raises:
        SourceError: it cannot be read.
    """
    try:
        return file.read_bytes()
    except OSError as error:
        raise SourceError(f"{file}: cannot be read, {reason(error)}") from None


def _first_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        fault = error.errors(include_url=False)[0]
        return f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
    return " ".join(str(error).split("\n")[0].split()) or type(error).__name__


def _open_own(path: Path, flags: int) -> IO[bytes]:
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


def _digest(state: dict[str, Any]) -> str:
    return hashlib.sha256(orjson.dumps(state, default=_plain)).hexdigest()


def _plain(value: object) -> list[Any]:
    """A genome as a JSON array."""
    if isinstance(value, tuple):
        return list(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _lock(path: Path) -> IO[bytes]:
    """An open file that no other process can lock as long as it stays open; a killed process lets go of it.

    Where there are no such locks, as on Windows and some network file systems, nothing is locked.

    Raises:
        UsageError: another process works in the directory.
        OutputError: the directory cannot be written.
    """
    file = _open_own(path / "lock", 0)
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise UsageError(f"{path}: another process is using this run directory; wait for it, or name another") from None
    except (ImportError, OSError):
        pass
    return file


def _flush_directory(path: Path) -> None:
    if os.name == "posix":
        number = os.open(path, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
