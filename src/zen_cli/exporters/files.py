"""Where exported files go: their names, whether they may be written, and writing all of them or none."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from keyword import iskeyword
from pathlib import Path

from ..errors import OutputError, UsageError
from ..net.spec import ArchSpec

_MAX_STEM = 60
_TAKEN = {"torch", "timm", "onnx", "onnxruntime", "safetensors", "numpy", "zen_cli"}


def module_name(spec: ArchSpec) -> str:
    """The stem of a network's file names: its name or its id, as an identifier that Python can import."""
    stem = re.sub(r"[^a-z0-9]+", "_", (spec.name or "").lower()).strip("_")[:_MAX_STEM].strip("_")
    if not stem:
        return f"zennet_{spec.id}"
    if stem[0].isdigit() or iskeyword(stem) or stem in sys.stdlib_module_names or stem in _TAKEN:
        return f"zennet_{stem}"
    return stem


def is_folder(out: Path, text: str, several: bool) -> bool:
    """Whether `-o` names a folder: there is one, it ends in a slash, or there are several files to write."""
    return several or out.is_dir() or text.endswith(("/", os.sep))


def check_places(paths: Sequence[Path], *, force: bool) -> None:
    """Fails early, before anything is computed, where a file could not be written in the end.

    Raises:
        OutputError: a file exists and `force` is not given, or a folder cannot be written.
        UsageError: two files of one name.
    """
    seen: set[Path] = set()
    for path in paths:
        if path in seen:
            raise UsageError(f"{path}: two networks for one file name; give one of them, or -o a folder")
        seen.add(path)
        if path.is_dir():
            raise OutputError(f"{path}: is a folder; name a file, or end it with / to write into it")
        if not force and path.exists():
            raise OutputError(f"{path}: exists; use --force to overwrite it")
    for folder in {path.parent for path in paths}:
        _check_folder(folder)


def write_all(files: dict[Path, bytes]) -> None:
    """Writes all files or none: each beside its place first, then all are moved there.

    Raises:
        OutputError: a folder cannot be written, or the disk is full.
    """
    parts: list[tuple[Path, Path]] = []
    path = Path()
    try:
        for path, data in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(f".{path.name}.{os.getpid()}.part")
            parts.append((part, path))
            with open(part, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        for part, path in parts:
            os.replace(part, path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written, {(error.strerror or str(error)).lower()}") from None
    finally:
        for part, _ in parts:
            with suppress(OSError):
                part.unlink(missing_ok=True)


def _check_folder(folder: Path) -> None:
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        raise OutputError(f"{folder}: cannot be written, {place} is not a folder; choose another -o")
    if not os.access(place, os.W_OK | os.X_OK):
        raise OutputError(f"{folder}: cannot be written, permission denied in {place}; choose another -o")
