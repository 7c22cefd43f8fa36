"""The folder of several searches: a run directory of each, and what makes them one, so that all can be resumed.

1, 2, ...      the run directory of each search, see `rundir`; with leading zeros where there are ten or more
sweep.json     how many searches there are, and how many seeds each problem has
results.jsonl  the answer
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import SourceError, UsageError
from ..formats.files import write_file
from .checkpoints import first_line
from .request import check_request
from .run_files import read_own
from .rundir import RunDirectory, read_settings
from .settings import SearchSettings

SWEEP = "sweep.json"


class _Sweep(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_: Literal["zen-sweep/1"] = Field(default="zen-sweep/1", alias="schema")
    searches: int = Field(ge=1)
    seeds: int = Field(ge=1)


def is_sweep_folder(path: Path) -> bool:
    """Whether several searches are kept there."""
    return (path / SWEEP).is_file()


def directories(path: Path, count: int) -> list[Path]:
    """Where each of so many searches is kept."""
    return [path / f"{number:0{len(str(count))}}" for number in range(1, count + 1)]


def make_folder(path: Path, settings: Sequence[SearchSettings], seeds: int) -> None:
    """A folder for new searches, with a run directory of each, so that those that never began can begin later.

    Args:
        path: of the folder.
        settings: of each search.
        seeds: searches of one problem, one after the other.

    Raises:
        UsageError: it exists and is not empty, or cannot be made.
        OutputError: it cannot be written.
    """
    if is_sweep_folder(path):
        raise UsageError(f"out: {path} already holds searches; resume it, or name another folder")
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UsageError(f"out: {path} exists and is not an empty folder; name another")
    for one, directory in zip(settings, directories(path, len(settings)), strict=True):
        RunDirectory.create(directory, one).close()
    body = _Sweep(searches=len(settings), seeds=seeds).model_dump(by_alias=True)
    write_file(path / SWEEP, orjson.dumps(body) + b"\n", follow=False)


def open_folder(path: Path, request: Mapping[str, Any]) -> tuple[list[SearchSettings], int]:
    """The settings of searches to go on with, those of one problem after each other, and the seeds of each problem.

    Args:
        path: of the folder.
        request: what is changed, as for `check_request` with the settings of a run.

    Raises:
        UsageError: a change that would change a search, or a search that is not there.
        SourceError: something there is damaged, or of another version.
    """
    file = path / SWEEP
    try:
        sweep = _Sweep.model_validate_json(read_own(file))
    except ValidationError as error:
        raise SourceError(f"{file}: is damaged ({first_line(error)}); start again") from None
    if sweep.searches % sweep.seeds:
        raise SourceError(f"{file}: is damaged ({sweep.searches} searches, {sweep.seeds} seeds each); start again")
    found = [check_request(request, read_settings(one)) for one in directories(path, sweep.searches)]
    return found, sweep.seeds
