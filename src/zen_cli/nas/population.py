"""What a run directory tells those who only look: its settings, its population, its history and its answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import orjson
from pydantic import ValidationError

from ..errors import SourceError, ZenError
from ..metrics.records import ScoreRecord
from ..net.spec import ArchSpec
from .checkpoints import NEWEST, PREVIOUS, read_state
from .rundir import HISTORY, RESULTS, read_settings
from .settings import SearchSettings
from .space import to_spec


class RunView(NamedTuple):
    """A run as it is on the disk; another process may be working in it.

    Attributes:
        path: its directory.
        settings: what defines it.
        records: its answer, best first; empty where there is none yet.
        population: the networks of its newest checkpoint, for an algorithm that keeps some.
        history: the rows of its history, oldest first.
    """

    path: Path
    settings: SearchSettings
    records: tuple[ScoreRecord, ...]
    population: tuple[ArchSpec, ...]
    history: tuple[dict[str, Any], ...]


def view_run(path: Path) -> RunView:
    """Reads a run directory without locking it. Errors as `rundir.read_settings`."""
    settings = read_settings(path)
    return RunView(path, settings, _records(path), read_population(path, settings), _history(path))


def read_population(path: Path, settings: SearchSettings) -> tuple[ArchSpec, ...]:
    """The networks of the newest whole checkpoint; none where the algorithm keeps none or there is no checkpoint."""
    space, seed = settings.space, settings.seed_network()
    for name in (NEWEST, PREVIOUS):
        try:
            algorithm = read_state(path / name, settings.digest)["algorithm"]
            rows = algorithm.get("population", [])
            return tuple(to_spec(space.genes(space.decode(row[-1]), seed), seed) for row in rows)
        except (ZenError, LookupError, TypeError, ValueError, AttributeError):
            continue
    return ()


def _records(path: Path) -> tuple[ScoreRecord, ...]:
    """The records of the answer.

    Raises:
        SourceError: one of them is none.
    """
    file = path / RESULTS
    if not file.exists():
        return ()
    try:
        return tuple(ScoreRecord.model_validate(orjson.loads(line)) for line in file.read_bytes().splitlines())
    except (OSError, orjson.JSONDecodeError, ValidationError):
        raise SourceError(f"{file}: is damaged; resume the search") from None


def _history(path: Path) -> tuple[dict[str, Any], ...]:
    """The rows of the history that are whole: one may be being written."""
    try:
        lines = (path / HISTORY).read_bytes().splitlines()
    except OSError:
        return ()
    rows = []
    for line in lines:
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        if isinstance(row, dict) and {"evaluations", "best"} <= row.keys():
            rows.append(row)
    return tuple(rows)
