"""Reading architectures from anywhere and writing records: files, `-`, JSON, JSON lines, structure strings.

What a document is, is recognised: an object is a spec or a record that holds one in `arch`, an array holds such
objects, a line that starts like `SuperConvK3BNRELU(` is a structure string. Documents may follow each other in one
stream, on one line each or spread over many, so the output of every command, of `cat` and of `jq` reads back.
"""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import orjson

from .errors import InputError, OutputError, SourceError, SpecError
from .explain import kind, show
from .plainnet import is_plainnet, parse_plainnet
from .spec import ArchSpec, parse_spec

MAX_DOCUMENT_BYTES = 64 * 2**20
MAX_NESTING = 64
_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]]', re.DOTALL)
_RECORD = "zen-score/"
_BOM = b"\xef\xbb\xbf"


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
    """The architectures of files, of `-` (stdin) and of structure strings given as words, one by one.

    A fault in one document becomes an `Item` with an error; reading goes on behind it where that makes sense.
    """
    overrides = overrides or Overrides()
    for source in sources:
        if is_plainnet(source) and not os.path.exists(source):
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


def write_bytes(path: Path, data: bytes) -> None:
    """Writes a file in one step: whoever reads it sees all of it or what was there before.

    Raises:
        OutputError: the folder is missing or cannot be written, or the disk is full.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(partial, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise OutputError(f"{path}: cannot be written, {_reason(error)}") from None


@contextmanager
def _open(source: str) -> Iterator[BinaryIO]:
    if source == "-":
        with _open_stdin() as stdin:
            yield stdin
        return
    try:
        if Path(source).is_dir():
            raise SourceError(f"{source}: is a directory; name files, such as {source.rstrip('/')}/*.json")
        with open(source, "rb") as stream:
            yield stream
    except (OSError, ValueError) as error:
        raise SourceError(f"{source}: cannot be read, {_reason(error)}") from None


def _open_stdin() -> BinaryIO:
    """stdin through a buffer of our own: a thread may be waiting in it when the interpreter ends, which closes its."""
    try:
        return open(sys.stdin.fileno(), "rb", closefd=False)
    except (OSError, ValueError, AttributeError):  # not a file, as in a test
        return io.BytesIO(sys.stdin.buffer.read())


def _reason(error: OSError | ValueError) -> str:
    text = getattr(error, "strerror", None) or str(error)
    return text[:1].lower() + text[1:]


def _read_stream(stream: BinaryIO, source: str, overrides: Overrides) -> Iterator[Item]:
    label = "stdin" if source == "-" else source
    path = None if source == "-" else Path(source)
    count = 0
    for line, text in _documents(stream, label):
        where = f"{label}:{line}"
        for index, value in _values(text, where):
            count += 1
            place = where if index is None else f"{where}: [{index}]"
            name = None if path is None else _name(path, line, index)
            yield value if isinstance(value, Item) else _item(value, place, name, overrides)
    if count == 0:
        raise SourceError(f"{label}: is empty; give a spec, JSON lines or structure strings")


def _documents(stream: BinaryIO, label: str) -> Iterator[tuple[int, bytes]]:
    """(number of its first line, bytes) of each document: a line if it is complete, else as many lines as it takes."""
    buffer, start, scan = b"", 0, _Nesting()
    for number, line in enumerate(_lines(stream, label), start=1):
        if not buffer:
            stripped = line.removeprefix(_BOM).strip() if number == 1 else line.strip()
            if not stripped or stripped.startswith(b"#"):
                continue
            if stripped[:1] not in b"{[":
                yield number, stripped
                continue
            buffer, start, scan = stripped, number, _Nesting()
        else:
            buffer += line
        if len(buffer) > MAX_DOCUMENT_BYTES:
            raise SourceError(f"{label}:{start}: a document of more than {MAX_DOCUMENT_BYTES >> 20} MiB; split it")
        if scan.is_open(buffer, f"{label}:{start}"):
            continue
        yield start, buffer
        buffer = b""
    if buffer:
        yield start, buffer


def _lines(stream: BinaryIO, label: str) -> Iterator[bytes]:
    number = 0
    while line := stream.readline(MAX_DOCUMENT_BYTES + 1):
        number += 1
        if len(line) > MAX_DOCUMENT_BYTES:
            raise SourceError(f"{label}:{number}: a line of more than {MAX_DOCUMENT_BYTES >> 20} MiB; split it")
        yield line


class _Nesting:
    """How deep a growing document is in its brackets; reads each byte once."""

    def __init__(self) -> None:
        self._depth = 0
        self._position = 0

    def is_open(self, text: bytes, where: str) -> bool:
        """Whether the document goes on behind what there is of it."""
        for match in _TOKENS.finditer(text, self._position):
            self._position = match.end()
            token = match[0]
            if token in (b"{", b"["):
                self._depth += 1
                if self._depth > MAX_NESTING:
                    raise SourceError(f"{where}: nested deeper than {MAX_NESTING} levels; a spec needs 3")
            elif token in (b"}", b"]"):
                self._depth -= 1
        return self._depth > 0


def _values(text: bytes, where: str) -> Iterator[tuple[int | None, Any]]:
    """(index in the array or None, value or failed Item) of what a document holds."""
    try:
        decoded = text.decode("utf-8")
    except UnicodeDecodeError as error:
        yield None, Item(where, None, SourceError(f"{where}: is not UTF-8 (byte {error.start + 1}); save it as UTF-8"))
        return
    if not decoded.startswith(("{", "[", '"')):
        yield None, decoded
        return
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        yield from _several(text, where, error)
        return
    if isinstance(value, list):
        yield from enumerate(value)
    else:
        yield None, value


def _several(text: bytes, where: str, error: orjson.JSONDecodeError) -> Iterator[tuple[int | None, Any]]:
    """Values that stand behind each other on one line, or the error of a document that is not JSON."""
    depth, start, parts = 0, 0, []
    for match in _TOKENS.finditer(text):
        depth += {b"{": 1, b"[": 1, b"}": -1, b"]": -1}.get(match[0], 0)
        if depth == 0:
            parts.append(text[start : match.end()])
            start = match.end()
    if len(parts) < 2 or text[start:].strip():
        first, _, _ = where.rpartition(":")
        line = int(where.rpartition(":")[2]) + error.lineno - 1
        reason = error.msg[:1].lower() + error.msg[1:].partition(": line")[0]
        hint = "it ends too early" if "unexpected end" in reason else f"column {error.colno}: {reason}"
        message = f"{first}:{line}: not valid JSON, {hint}; check it with jq"
        yield None, Item(where, None, SourceError(message))
        return
    for part in parts:
        yield from _values(part, where)


def _name(path: Path, line: int, index: int | None) -> str:
    """What an architecture without a name is called: its file, and its place where the file holds several."""
    if index is not None:
        return f"{path.stem}[{index}]"
    return path.stem if path.suffix == ".json" else f"{path.stem}:{line}"


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
