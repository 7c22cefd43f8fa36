"""The run directory: settings, checkpoints, history and results, so that a search survives whatever ends it.

settings.json              what defines the search
checkpoint.json            the newest state, replaced in one step and flushed to the disk
checkpoint.previous.json   the one before, in case the newest is damaged
history.jsonl              one row a generation; cut back to the checkpoint when the run is resumed
results.jsonl              the answer
lock                       held while a process works here
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import orjson
from pydantic import ValidationError

from ..errors import OutputError, SourceError, UsageError, reason
from ..formats.files import is_leftover, write_file
from ..net.validation import show
from .settings import SCHEMA, SearchSettings

CHECKPOINT_SCHEMA = "zen-checkpoint/1"


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
            OutputError: it exists and is not empty, or cannot be written.
        """
        if path.exists() and (not path.is_dir() or any(not _is_leftover(file) for file in path.iterdir())):
            if (path / "settings.json").exists():
                raise OutputError(f"--out: {path} already holds a run; go on with --resume {path}, or name another")
            raise OutputError(f"--out: {path} already exists; name a new or an empty directory")
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"--out: {path} cannot be made, {reason(error)}") from None
        run = cls(path, settings)
        body = settings.model_dump(by_alias=True)
        write_file(path / "settings.json", orjson.dumps(body, option=orjson.OPT_INDENT_2) + b"\n")
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
            raise UsageError(f"--resume: {path} is no run directory; name one that --out made")
        try:
            body = orjson.loads(file.read_bytes())
            version = body.get("schema") if isinstance(body, dict) else None
            if version != SCHEMA:
                raise SourceError(f'{file}: schema: {show(version)} is not known; this version of zen reads "{SCHEMA}"')
            settings = SearchSettings.model_validate(body)
        except (OSError, orjson.JSONDecodeError, ValidationError) as error:
            raise SourceError(
                f"{file}: is damaged ({str(error).splitlines()[0]}); start a new run with --out"
            ) from None
        return cls(path, settings)

    def __enter__(self) -> RunDirectory:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._history is not None:
            with suppress(OSError):  # what could not be written is behind the checkpoint
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
        body = {"schema": CHECKPOINT_SCHEMA, "sha256": _digest(state), "state": state}
        newest, previous = self.path / "checkpoint.json", self.path / "checkpoint.previous.json"
        fresh = self.path / "checkpoint.new.json"
        write_file(fresh, orjson.dumps(body, default=_plain))
        try:
            if newest.exists():
                os.replace(newest, previous)
            os.replace(fresh, newest)
            _flush_directory(self.path)
        except OSError as error:
            raise OutputError(f"{newest}: cannot be written, {reason(error)}") from None

    def read_checkpoint(self, warn: Callable[[str], None]) -> dict[str, Any] | None:
        """The newest state that is whole; None where there is none yet.

        Args:
            warn: told when the newest is damaged and an older one is used.

        Raises:
            SourceError: there are checkpoints, and all are damaged or of another version.
        """
        faults: list[str] = []
        names = ("checkpoint.json", "checkpoint.new.json", "checkpoint.previous.json")
        for name in names:
            file = self.path / name
            if not file.exists():
                continue
            try:
                state = _read_state(file)
            except SourceError as error:
                faults.append(str(error))
                continue
            if faults:
                warn(f"{faults[0]}; going on from {name}")
            return state
        if faults:
            raise SourceError(f"{faults[0]}, and there is no other; start a new run with --out")
        return None

    def open_history(self, length: int) -> None:
        """Opens the history for rows behind its first `length` bytes."""
        try:
            history = open(self.path / "history.jsonl", "ab")  # noqa: SIM115  # closed with the directory
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
        write_file(self.path / "results.jsonl", data)

    def _flush(self, file: IO[bytes]) -> None:
        try:
            file.flush()
            os.fsync(file.fileno())
        except OSError as error:
            raise OutputError(f"{self.path}/history.jsonl: cannot be written, {reason(error)}") from None


def _is_leftover(file: Path) -> bool:
    """Whether a run that ended before it had found anything left this file."""
    return file.name in ("lock", "settings.json") or is_leftover(file)


def _read_state(file: Path) -> dict[str, Any]:
    try:
        body = orjson.loads(file.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        raise SourceError(f"{file}: is damaged") from None
    if not isinstance(body, dict) or body.get("schema") != CHECKPOINT_SCHEMA:
        raise SourceError(f'{file}: is not a checkpoint of this version ("{CHECKPOINT_SCHEMA}")')
    state = body.get("state")
    if not isinstance(state, dict) or body.get("sha256") != _digest(state):
        raise SourceError(f"{file}: is damaged")
    return state


def _digest(state: dict[str, Any]) -> str:
    return hashlib.sha256(orjson.dumps(state, default=_plain)).hexdigest()


def _plain(value: object) -> list[Any]:
    """A genome as a JSON array."""
    if isinstance(value, tuple):
        return list(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _lock(path: Path) -> IO[bytes]:
    """An open file that no other process can lock as long as it stays open; a killed process lets go of it."""
    try:
        file = open(path / "lock", "wb")  # noqa: SIM115  # held open on purpose
    except OSError as error:
        raise OutputError(f"{path}: cannot be written, {reason(error)}") from None
    try:
        import fcntl
    except ImportError:  # Windows, where there is no such lock
        return file
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise UsageError(f"{path}: another process is using this run directory; wait for it, or name another") from None
    return file


def _flush_directory(path: Path) -> None:
    if os.name == "posix":
        number = os.open(path, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
