"""The run directory: settings, checkpoints, history and results, so that a search survives whatever ends it.

settings.json              what defines the search
opening.json               the network that the search began with, what was proven, and the evaluations that it took
checkpoint.json            the newest state, replaced in one step and flushed to the disk
checkpoint.previous.json   the one before, in case the newest is damaged
history.jsonl              rows of generations, fewer as the search goes on; cut back when the run is resumed
results.jsonl              the answer
lock                       held while a process works here
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, TypeVar

import orjson
from pydantic import ValidationError

from ..errors import OutputError, SourceError, SpecError, UsageError, reason
from ..formats.files import is_leftover, write_file
from ..net.validation import show
from .checkpoints import first_line, read_state, restore_checkpoint, write_checkpoint, write_state
from .run_files import LOCK, lock_directory, open_own, read_own
from .settings import SCHEMA, SearchSettings

SETTINGS, OPENING, HISTORY, RESULTS = "settings.json", "opening.json", "history.jsonl", "results.jsonl"
Run = TypeVar("Run", bound="RunDirectory")


def read_settings(path: Path) -> SearchSettings:
    """What defines the search of a run directory; another process may be working in it.

    Raises:
        UsageError: no run directory.
        SourceError: of another version, or its settings are damaged.
    """
    file = path / SETTINGS
    if not file.is_file():
        raise UsageError(f"resume: {path} is no run directory; name one that a search made")
    try:
        body = orjson.loads(read_own(file))
        version = body.get("schema") if isinstance(body, dict) else None
        if version != SCHEMA:
            raise SourceError(f'{file}: schema: {show(version)} is not known; this version of zen reads "{SCHEMA}"')
        settings = SearchSettings.model_validate(body)
        settings.seed_network()
    except (orjson.JSONDecodeError, ValidationError, SpecError) as error:
        raise SourceError(f"{file}: is damaged ({first_line(error)}); start a new run") from None
    return settings


class RunDirectory:
    """One directory, locked for one process; a context manager."""

    def __init__(self, path: Path, settings: SearchSettings) -> None:
        self.path = path
        self.settings = settings
        self._lock = lock_directory(path)
        self._history: IO[bytes] | None = None

    @classmethod
    def create(cls: type[Run], path: Path, settings: SearchSettings) -> Run:
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
            write_file(path / SETTINGS, orjson.dumps(body, option=orjson.OPT_INDENT_2) + b"\n", follow=False)
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
        return cls(path, read_settings(path))

    def __enter__(self) -> RunDirectory:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def label(self) -> str:
        """What a user calls it."""
        return str(self.path)

    @property
    def has_results(self) -> bool:
        """Whether the answer is there."""
        return (self.path / RESULTS).exists()

    def close(self) -> None:
        """Lets go of the directory."""
        if self._history is not None:
            with suppress(OSError):  # what could not be written comes after the checkpoint
                self._history.close()
        self._lock.close()

    def write_checkpoint(self, state: dict[str, Any]) -> None:
        """Replaces the checkpoint; the one before is kept. Errors as `checkpoints.write_checkpoint`."""
        if self._history is not None:
            self._flush(self._history)
        length = self._history.tell() if self._history is not None else 0
        write_checkpoint(self.path, {**state, "history_bytes": length}, self.settings.digest)

    def restore_checkpoint(self, restore: Callable[[dict[str, Any]], None], warn: Callable[[str], None]) -> None:
        """Restores the newest state; arguments and errors as `checkpoints.restore_checkpoint`."""
        restore_checkpoint(self.path, self.settings.digest, restore, warn)

    def write_opening(self, state: dict[str, Any]) -> None:
        """Keeps what was found before the first checkpoint: the clock may have ended it, so it cannot be repeated.

        Raises:
            OutputError: it cannot be written.
        """
        write_state(self.path / OPENING, state, self.settings.digest)

    def read_opening(self) -> dict[str, Any] | None:
        """What `write_opening` kept; None where nothing was.

        Raises:
            SourceError: it cannot be used.
        """
        file = self.path / OPENING
        return read_state(file, self.settings.digest) if os.path.lexists(file) else None

    def open_history(self, length: int) -> None:
        """Opens the history for rows after its first `length` bytes."""
        history = open_own(self.path / HISTORY, os.O_APPEND)
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
        write_file(self.path / RESULTS, data, follow=False)

    def _flush(self, file: IO[bytes]) -> None:
        try:
            file.flush()
            os.fsync(file.fileno())
        except OSError as error:
            raise OutputError(f"{self.path}/history.jsonl: cannot be written, {reason(error)}") from None


def _is_leftover(file: Path) -> bool:
    """Whether a run that ended before it had found anything left this file."""
    return file.name in (LOCK, SETTINGS) or is_leftover(file)


def _check_new(path: Path) -> None:
    """Raises UsageError where a new run cannot have this path."""
    try:
        found = list(path.iterdir()) if path.is_dir() else [path] * os.path.lexists(path)
    except OSError as error:
        raise UsageError(f"out: {path} cannot be read, {reason(error)}") from None
    if all(_is_leftover(file) for file in found):
        return
    if (path / SETTINGS).exists():
        raise UsageError(f"out: {path} already holds a run; resume it, or name another directory")
    raise UsageError(f"out: {path} already exists; name a new or an empty directory")
