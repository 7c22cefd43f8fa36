"""What is kept of earlier searches: the list of runs, and the networks that they found, by name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from ..errors import SourceError, UsageError
from ..units import format_count
from .checkpoints import NEWEST
from .keeping import list_paths
from .options import DEFAULT_ALGORITHM
from .run_files import is_locked
from .rundir import HISTORY, RESULTS, SETTINGS

LAST = "last"
_REFERENCE = re.compile(r"(last|run-[0-9]+)(?::([0-9]+))?")
_BEGINNING = re.compile(r"[\w.-]{4,}")
_MOST_NAMED = 4
RESUMABLE = ("interrupted", "failed", "cut short")


class KeptRow(NamedTuple):
    """A kept run.

    Attributes:
        run: its name, such as `run-12`.
        began: when, as local time.
        problem: what was searched, in a few words.
        best: the best score, by what the search maximised; None where none is known.
        networks: how many networks its answer has.
        state: `done`, `interrupted` or `failed` (both with an answer), `running`, `cut short` (can be resumed without
            loss), or `damaged`.
        path: its directory.
    """

    run: str
    began: datetime
    problem: str
    best: float | None
    networks: int
    state: str
    path: Path

    def to_dict(self) -> dict[str, Any]:
        """The row as JSON types."""
        return {**self._asdict(), "began": self.began.isoformat(timespec="seconds"), "path": str(self.path)}


def list_runs() -> list[KeptRow]:
    """The kept runs, newest first."""
    return [row for path in list_paths() if (row := _row(path)) is not None]


def find_run(word: str, where: str = "resume") -> Path:
    """The directory of a run: `last` for the newest that no process works in, a name, or a path.

    Args:
        word: what a user wrote.
        where: the field of the message.

    Raises:
        UsageError: there is none; the message gives those there are.
    """
    if Path(word).is_dir():
        return Path(word)
    for path in list_paths():
        if path.name == word or (word == LAST and (path / SETTINGS).exists() and not is_locked(path)):
            return path.resolve()
    raise UsageError(f"{where}: {word} is no run directory and no kept run; {_newest()}")


def find_network(word: str) -> bytes | None:
    """The record of a network that an earlier search found; None where a word cannot mean one.

    `last` is the best network of the search that answered last, `last:2` its second; `run-12:2` likewise. Any other
    word is an id or a name, or a beginning of one with at least four characters.

    Raises:
        SourceError: there is no such run or network.
        UsageError: the word is the beginning of several networks.
    """
    reference = _REFERENCE.fullmatch(word)
    if reference is not None:
        return _of_run(word, reference[1], int(reference[2] or 1))
    if not _BEGINNING.fullmatch(word):
        return None
    found: dict[str, bytes] = {}
    names: dict[str, str] = {}
    for row in _lines(word.encode()):
        body = orjson.loads(row)
        key, name = str(body.get("id")), str(body.get("name"))
        if word in (key, name):
            return row
        if key.startswith(word) or name.startswith(word):
            found.setdefault(key, row)
            names.setdefault(key, name)
    if len(found) > 1:
        few = ", ".join(list(names.values())[:_MOST_NAMED])
        raise UsageError(f"{word}: is the beginning of {len(found)} kept networks, such as {few}; write more of it")
    return next(iter(found.values()), None)


def _of_run(word: str, name: str, place: int) -> bytes:
    """The record at a place, from 1, of a run's answer."""
    if name == LAST:
        answered = [(_when(path / RESULTS), path) for path in list_paths() if (path / RESULTS).exists()]
        if not answered:
            raise SourceError(f"{word}: no answer of a search is kept; run a search first")
        path = max(answered, key=lambda row: row[0])[1]
    else:
        known = {path.name: path for path in list_paths()}
        if name not in known:
            raise SourceError(f"{word}: there is no kept run {name}; {_newest()}")
        path = known[name]
    rows = _answer(path)
    if not rows:
        raise SourceError(f"{word}: the search {name} has no answer yet; resume it")
    if not 1 <= place <= len(rows):
        raise SourceError(f"{word}: {path.name} found {len(rows)} networks; choose 1 to {len(rows)}")
    return rows[place - 1]


def _newest() -> str:
    names = ", ".join(path.name for path in list_paths()[:_MOST_NAMED])
    return f"the newest are {names}" if names else "none is kept yet"


def _lines(part: bytes) -> Iterator[bytes]:
    """The lines of all answers, newest run first, that hold some bytes."""
    for path in list_paths():
        yield from (row for row in _answer(path) if part in row)


def _answer(path: Path) -> list[bytes]:
    """The records of a run's answer, those that are whole; none where there is no answer."""
    try:
        rows = (path / RESULTS).read_bytes().splitlines()
    except OSError:
        return []
    return [row for row in rows if isinstance(_document(row), dict)]


def _row(path: Path) -> KeptRow | None:
    """A run as a row; None where there is nothing, as of a link to a directory that is gone."""
    settings = _document(_bytes(path / SETTINGS))
    if settings is None and not (path / SETTINGS).exists():
        return None
    problem = _describe(settings)
    answer = [_document(row) or {} for row in _answer(path)]
    search = answer[0].get("search", {}) if answer else {}
    best = search.get("score") if answer else (_last_row(path) or {}).get("best")
    stopped = search.get("stopped", "done") if answer else "cut short"
    state = stopped if stopped in RESUMABLE else "done"
    if is_locked(path):
        state = "running"
    elif problem is None:
        state = "damaged"
    began = datetime.fromtimestamp(_when(path / SETTINGS)).astimezone()
    return KeptRow(path.name, began, problem or "", best, len(answer), state, path.resolve())


def _describe(settings: dict[str, Any] | None) -> str | None:
    """`describe` of what may be no settings; None then."""
    try:
        return None if settings is None else describe(settings)
    except (AttributeError, TypeError, ValueError):
        return None


def describe(settings: dict[str, Any]) -> str:
    """The document of a search's settings in a few words: the space, the input, the limits, and what is unusual."""
    space = (settings.get("space_document") or {}).get("name", "?")
    limits = settings.get("limits") or {}
    parts = [f"{space} at {settings.get('resolution')}"]
    parts += [f"{name} {format_count(value) if value == int(value) else value}" for name, value in limits.items()]
    if settings.get("front"):
        parts.append(f"front over {' and '.join(settings['front'])}")
    parts += [settings[key] for key in ("proxy",) if settings.get(key)]
    if settings.get("algorithm") != DEFAULT_ALGORITHM:
        parts.append(str(settings.get("algorithm")))
    return ", ".join(parts)


def _last_row(path: Path) -> dict[str, Any] | None:
    """The last row of the history that is whole."""
    if not (path / NEWEST).exists():
        return None
    rows = _bytes(path / HISTORY).splitlines()[-2:]
    return next((row for line in reversed(rows) if (row := _document(line)) is not None), None)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _document(data: bytes) -> dict[str, Any] | None:
    try:
        body = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return body if isinstance(body, dict) else None


def _when(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
