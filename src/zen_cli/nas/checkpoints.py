"""Checkpoints: states of a search on the disk, each with a digest of itself and of the settings that it belongs to."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError

from ..errors import OutputError, SourceError, ZenError, reason
from ..formats.files import write_file
from .run_files import flush_directory, read_own

SCHEMA = "zen-checkpoint/2"
NEWEST, FRESH, PREVIOUS = "checkpoint.json", "checkpoint.new.json", "checkpoint.previous.json"


def write_checkpoint(folder: Path, state: dict[str, Any], settings: str) -> None:
    """Replaces the checkpoint of a folder; the one before is kept.

    Args:
        folder: of the run.
        state: JSON types and tuples.
        settings: digest of the settings.

    Raises:
        OutputError: the disk is full or cannot be written; the checkpoints on it stay as they are.
    """
    newest, fresh = folder / NEWEST, folder / FRESH
    write_state(fresh, state, settings)
    try:
        if newest.exists():
            os.replace(newest, folder / PREVIOUS)
        os.replace(fresh, newest)
        flush_directory(folder)
    except OSError as error:
        raise OutputError(f"{newest}: cannot be written, {reason(error)}") from None


def restore_checkpoint(
    folder: Path, settings: str, restore: Callable[[dict[str, Any]], None], warn: Callable[[str], None]
) -> None:
    """Restores the newest state that is whole and of this search; does nothing where there is none yet.

    Args:
        folder: of the run.
        settings: digest of the settings.
        restore: takes a state; raises ValueError where it is not one of this search.
        warn: told when the newest cannot be used and an older one is.

    Raises:
        SourceError: there are checkpoints, and none of them can be used.
    """
    faults: list[str] = []
    for name in (NEWEST, FRESH, PREVIOUS):
        file = folder / name
        if not os.path.lexists(file):
            continue
        try:
            restore(read_state(file, settings))
        except SourceError as error:
            faults.append(str(error))
        except (ZenError, ValueError, TypeError, LookupError, AttributeError) as error:
            faults.append(f"{file}: is not a state of this search ({first_line(error)})")
        else:
            if faults:
                warn(f"{faults[0]}; going on from {name}")
            return
    if faults:
        raise SourceError(f"{faults[0]}, and there is no other; start a new run")


def write_state(file: Path, state: dict[str, Any], settings: str) -> None:
    """Writes a state with its digest and that of the settings.

    Raises:
        OutputError: it cannot be written.
    """
    body = {"schema": SCHEMA, "settings": settings, "sha256": _digest(state), "state": state}
    write_file(file, orjson.dumps(body, default=_plain), follow=False)


def read_state(file: Path, settings: str) -> dict[str, Any]:
    """The state in a file.

    Raises:
        SourceError: it cannot be read, is damaged, or belongs to other settings.
    """
    try:
        body = orjson.loads(read_own(file))
    except orjson.JSONDecodeError:
        raise SourceError(f"{file}: is damaged") from None
    if not isinstance(body, dict) or body.get("schema") != SCHEMA:
        raise SourceError(f'{file}: is not a checkpoint of this version ("{SCHEMA}")')
    state = body.get("state")
    if not isinstance(state, dict) or body.get("sha256") != _digest(state):
        raise SourceError(f"{file}: is damaged")
    if body.get("settings") != settings:
        raise SourceError(f"{file}: belongs to other settings than those in settings.json")
    return state


def first_line(error: Exception) -> str:
    """What is wrong with a document, on one line."""
    if isinstance(error, ValidationError):
        fault = error.errors(include_url=False)[0]
        return f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
    return " ".join(str(error).split("\n")[0].split()) or type(error).__name__


def _digest(state: dict[str, Any]) -> str:
    return hashlib.sha256(orjson.dumps(state, default=_plain)).hexdigest()


def _plain(value: object) -> list[Any]:
    """A genome as a JSON array."""
    if isinstance(value, tuple):
        return list(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
