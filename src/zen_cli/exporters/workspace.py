"""The temporary folder in which files are made and checked before they are put in place."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import OutputError, reason
from ..formats.files import lock

_PREFIX = "zen-export-"


@contextmanager
def workspace() -> Iterator[Path]:
    """A folder that is removed at the end; what a killed process left is removed by the next one.

    Raises:
        OutputError: the folder cannot be written, or its disk is full.
    """
    parent = Path(tempfile.gettempdir())
    try:
        _remove_leftovers(parent)
        with (
            tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True) as name,
            open(Path(name) / "lock", "wb") as file,
        ):
            lock(file.fileno())
            yield Path(name)
    except OSError as error:
        hint = "free some space, or set TMPDIR to another folder"
        raise OutputError(f"{parent}: cannot be written, {reason(error)}; {hint}") from None


def _remove_leftovers(parent: Path) -> None:
    """Removes this user's folders whose process is gone: it held a lock that the system has released."""
    for folder in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                continue
            with open(folder / "lock", "rb+") as file:
                if lock(file.fileno()):
                    shutil.rmtree(folder, ignore_errors=True)
