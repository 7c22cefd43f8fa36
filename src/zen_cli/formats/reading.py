"""Reading architectures from anywhere: files, `-`, JSON, JSON lines, structure strings.

What a document is, is recognised: an object is a spec or a record that holds one in `arch`, an array holds such
objects, a line that starts like `SuperConvK3BNRELU(` is a structure string. Documents may follow each other in one
stream, on one line each or spread over many, so the output of every command, of `cat` and of `jq` reads back.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from ..errors import InputError, SourceError, SpecError, reason
from ..net.spec import ArchSpec, parse_spec
from ..net.validation import kind, show
from .documents import read_values
from .plainnet import is_plainnet, parse_plainnet

MAX_STRANGE = 10
_RECORD = "zen-score/"
_SUFFIXES = (".json", ".jsonl", ".txt")


class Item(NamedTuple):
    """One architecture of a stream, or the error in its place; `where` names it in messages."""

    where: str
    spec: ArchSpec | None
    error: InputError | None = None
    record: dict[str, Any] | None = None


class Overrides(NamedTuple):
    """What the command line says instead of the spec; a structure string has neither."""

    resolution: int | None = None
    num_classes: int | None = None

    def fields(self) -> dict[str, Any]:
        """Those that are given."""
        return {key: value for key, value in self._asdict().items() if value is not None}


def read(sources: Iterable[str], overrides: Overrides | None = None) -> Iterator[Item]:
    """The architectures of files, of `-` (stdin) and of structure strings given as arguments, one by one.

    A fault in one document becomes an `Item` with an error; reading goes on after it where that makes sense.
    """
    overrides = overrides or Overrides()
    for source in sources:
        if is_plainnet(source) and Path(source).suffix not in _SUFFIXES and not os.path.exists(source):
            yield _item(source, "argument", None, overrides)
            continue
        try:
            with _open(source) as stream:
                yield from _read_stream(stream, source, overrides)
        except SourceError as error:
            yield Item(source, None, error)


def load(path: str | os.PathLike[str]) -> ArchSpec:
    """The one architecture of a file.

    Raises:
        SourceError: no such file, nothing in it, or more than one architecture.
        SpecError: what it holds is not an architecture.
    """
    items = list(read([os.fspath(path)]))
    for item in items:
        if item.error is not None:
            raise item.error
    if len(items) != 1 or items[0].spec is None:
        raise SourceError(f"{path}: holds {len(items)} architectures; use zen_cli.load_all to read several")
    return items[0].spec


def load_all(path: str | os.PathLike[str]) -> list[ArchSpec]:
    """All architectures of a file, in order.

    Raises:
        SourceError: the file cannot be read.
        SpecError: one of them is not an architecture.
    """
    specs = []
    for item in read([os.fspath(path)]):
        if item.error is not None:
            raise item.error
        if item.spec is not None:
            specs.append(item.spec)
    return specs


@contextmanager
def _open(source: str) -> Iterator[BinaryIO]:
    if source == "-":
        with _open_stdin() as stdin:
            yield stdin
        return
    if not source:
        raise SourceError("an empty file name; name a file, or - for stdin")
    try:
        if Path(source).is_dir():
            raise SourceError(f"{source}: is a directory; name files, such as {source.rstrip('/')}/*.json")
        with open(source, "rb") as stream:
            yield stream
    except FileNotFoundError as error:
        hint = "name a file that is there, a structure string, or - for stdin"
        raise SourceError(f"{source}: cannot be read, {reason(error)}; {hint}") from None
    except (OSError, ValueError) as error:
        raise SourceError(f"{source}: cannot be read, {reason(error)}") from None


def _open_stdin() -> BinaryIO:
    """stdin through a buffer of our own: a thread may be waiting in it when the interpreter ends, which closes its."""
    if sys.stdin is None:  # closed by whoever started us
        return io.BytesIO()
    try:
        return open(sys.stdin.fileno(), "rb", closefd=False)
    except (OSError, ValueError, AttributeError):  # not a file, as in a test
        return io.BytesIO(sys.stdin.buffer.read())


def _read_stream(stream: BinaryIO, source: str, overrides: Overrides) -> Iterator[Item]:
    label = "stdin" if source == "-" else source
    strange: int | None = 0
    for line, index, value in read_values(stream, label):
        where = f"{label}:{line}" if index is None else f"{label}:{line}: [{index}]"
        name = None if source == "-" else _name(Path(source), line, index)
        item = Item(where, None, value) if isinstance(value, SourceError) else _item(value, where, name, overrides)
        yield item
        if strange is not None:
            strange = None if item.spec is not None else strange + 1
            if strange == MAX_STRANGE:
                raise SourceError(f"{label}: none of the first {strange} items is an architecture; reading stops here")


def _name(path: Path, line: int, index: int | None) -> str:
    """What an architecture without a name is called: its file, and its place where the file holds several."""
    stem = "".join(char if char.isprintable() else "?" for char in path.stem)[:150]
    if index is not None:
        return f"{stem}[{index}]"
    return stem if path.suffix == ".json" else f"{stem}:{line}"


def _item(value: Any, where: str, name: str | None, overrides: Overrides) -> Item:
    fields = overrides.fields()
    try:
        if isinstance(value, str):
            if not is_plainnet(value):
                raise SpecError(f"{where}: {show(value)} is neither JSON nor a structure string")
            return Item(where, parse_plainnet(value, where, name=name, **fields))
        record = None
        if isinstance(value, dict) and "arch" in value:
            record, version = value, value.get("schema", "")
            if isinstance(version, str) and version.startswith(_RECORD) and version != "zen-score/1":
                raise SpecError(f'{where}: schema: {show(version)} is not known; this zen reads "zen-score/1"')
            value, where_spec = value["arch"], f"{where}: arch"
        else:
            where_spec = where
            if isinstance(value, dict) and "blocks" not in value and str(value.get("schema", "")).startswith(_RECORD):
                raise SpecError(f"{where}: a record without arch; use one that zen score or zen search wrote")
        if not isinstance(value, dict):
            raise SpecError(f"{where}: an architecture is a JSON object with blocks, not {kind(value)}")
        if name is not None and "name" not in value and record is None:
            fields["name"] = name
        return Item(where, parse_spec({**value, **fields}, where_spec), record=record)
    except InputError as error:
        return Item(where, None, error)
