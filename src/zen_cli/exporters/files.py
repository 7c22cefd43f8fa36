"""Where exported files go: their names, and whether they may be written."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from keyword import iskeyword
from pathlib import Path

from ..errors import OutputError, UsageError
from ..formats.files import check_output
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
        _check_folder(path.parent)
        if path.is_dir():
            raise OutputError(f"{path}: is a folder; name a file, or end it with / to write into it")
        if path.parent.exists():
            check_output(path, force=force)


def _check_folder(folder: Path) -> None:
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        raise OutputError(f"{folder}: cannot be written, {place} is not a folder; choose another -o")
    if not os.access(place, os.W_OK | os.X_OK):
        raise OutputError(f"{folder}: cannot be written, permission denied in {place}; choose another -o")
