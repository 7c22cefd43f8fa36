"""Reading architectures from anywhere: files, `-` (stdin), and text given as an argument.

What a value is, its format recognises; an array that is not one network holds one in each element. Documents may follow
each other in one stream, on one line each or spread over many, so the output of every command, of `cat` and of `jq`
reads back.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import InputError, SourceError, SpecError, TraceError, UsageError, ZenError, printable, reason
from ..net.layers import Side
from ..net.network import Network
from ..net.spec import ArchSpec
from ..net.validation import kind, show
from .base import Context, Note, Overrides, Reading
from .builtin import nearest_network
from .documents import Found, read_values
from .foreign import HEAD, file_kind, is_onnx, text_kind
from .names import find_names
from .table import find_format
from .traced import onnx_reading
from .yaml_documents import is_yaml, read_yaml

MAX_STRANGE = 10
_SUFFIXES = (".json", ".jsonl", ".txt", ".yaml", ".yml")


class Item(NamedTuple):
    """One architecture of a stream, or the error in its place.

    Attributes:
        where: names it in messages.
        network: the architecture.
        error: why there is none.
        record: the record that held it, if any.
        notes: what was assumed to read it.
    """

    where: str
    network: Network | None
    error: ZenError | None = None
    record: dict[str, Any] | None = None
    notes: tuple[Note, ...] = ()

    @property
    def spec(self) -> ArchSpec | None:
        """The architecture as blocks, if it is written so."""
        return None if self.network is None else self.network.spec


def read(
    sources: Iterable[str], overrides: Overrides | None = None, find: Callable[[str], bytes | None] = lambda _: None
) -> Iterator[Item]:
    """The architectures of files, of `-` (stdin) and of texts, structure strings or JSON, one by one.

    A fault in one document becomes an `Item` with an error; reading goes on after it where that makes sense.

    Args:
        sources: files and texts.
        overrides: what is said instead of the spec.
        find: the document that a word which names no file means, or None; raises an InputError.

    Raises:
        UsageError: an override that has no effect, or that cannot be.
    """
    given = overrides or Overrides()
    fields = given.fields()
    sources = list(sources)
    for field in ("arg", "path"):
        if getattr(given, field) and not any(source.startswith("module:") for source in sources):
            raise UsageError(f"{field}: has no effect without module:PACKAGE.MODULE:FACTORY; leave it out")
    for source in sources:
        if (names := find_names(source)) is not None and not os.path.exists(source):
            yield _named(source, partial(names.read, source, given))
            continue
        if find_format(source) and Path(source).suffix not in _SUFFIXES and not os.path.exists(source):
            yield _item(source, Context("argument", None, fields))
            continue
        try:
            if source.lstrip().startswith("{"):  # JSON itself
                yield from _read_stream(io.BufferedReader(io.BytesIO(source.encode())), "argument", None, fields)
                continue
            with _open(source, find) as stream:
                label, path = ("stdin", None) if source == "-" else (source, Path(source))
                if path is not None and is_onnx(stream.peek(HEAD), source):
                    yield _named(source, partial(onnx_reading, source, given))
                else:
                    yield from _read_stream(stream, label, path, fields)
        except UsageError:
            raise
        except InputError as error:
            yield Item(source, None, error)


def _named(source: str, read: Callable[[], Reading]) -> Item:
    """The network of a name or a file; what is wrong with how it is asked for ends the reading."""
    try:
        network, notes, record = read()
    except UsageError:
        raise
    except (InputError, TraceError) as error:
        return Item(source, None, error)
    return Item(source, network, None, record, notes)


@contextmanager
def _open(source: str, find: Callable[[str], bytes | None]) -> Iterator[io.BufferedReader]:
    if source == "-":
        with _open_stdin() as stdin:
            yield stdin
        return
    if not source:
        raise SourceError("an empty file name; name a file, or - for stdin")
    if not os.path.lexists(source) and (found := find(source)) is not None:
        yield io.BufferedReader(io.BytesIO(found))
        return
    try:
        if Path(source).is_dir():
            raise SourceError(f"{source}: is a directory; name files, such as {source.rstrip('/')}/*.json")
        with open(source, "rb") as stream:
            yield stream
    except FileNotFoundError as error:
        near = nearest_network(source)
        hint = f'did you mean the network "{near}"?' if near else "name a file, a network, or - for stdin"
        raise SourceError(f"{source}: cannot be read, {reason(error)}; {hint}") from None
    except (OSError, ValueError) as error:
        raise SourceError(f"{source}: cannot be read, {reason(error)}") from None


def _open_stdin() -> io.BufferedReader:
    """stdin through a buffer of our own: a thread may be waiting in it when the interpreter ends, which closes its."""
    if sys.stdin is None:  # closed by the caller
        return io.BufferedReader(io.BytesIO())
    try:
        return open(sys.stdin.fileno(), "rb", closefd=False)
    except (OSError, ValueError, AttributeError):  # not a file, as in a test
        return io.BufferedReader(io.BytesIO(sys.stdin.buffer.read()))


def _read_stream(stream: io.BufferedReader, label: str, path: Path | None, fields: dict[str, Side]) -> Iterator[Item]:
    head = stream.peek(HEAD)
    yaml = is_yaml(head)
    if not yaml and (foreign := file_kind(head)):
        raise SourceError(f"{label}: is {foreign}")
    items = (
        _item(value, context)
        for found in _joined(read_yaml(stream, label) if yaml else read_values(stream, label))
        for value, context in _elements(found, label, path, fields)
    )
    yield from _until_too_strange(items, label)


def _joined(values: Iterator[Found]) -> Iterator[Found]:
    """The values of a stream with lines of text that belong together as one value.

    So a line of a format that may go on in the next line is passed on when the next line is there.
    """
    held: list[Found] = []
    try:
        for found in values:
            format_ = find_format(found.value) if found.is_text or held else None
            if held and _continues(held, found):
                held.append(found)
                continue
            yield from _one(held)
            held = [found] if found.is_text and format_ is not None else []
            if not held:
                yield found
    except SourceError:
        yield from _one(held)
        raise
    yield from _one(held)


def _continues(held: list[Found], found: Found) -> bool:
    format_ = find_format(held[0].value)
    lines = [row.value for row in held]
    follows = found.is_text and found.line == held[-1].line + 1
    return follows and format_ is not None and format_.continues(lines, found.value)


def _one(held: list[Found]) -> Iterator[Found]:
    if held:
        yield held[0]._replace(value="\n".join(row.value for row in held))


def _elements(found: Found, label: str, path: Path | None, fields: dict[str, Side]) -> Iterator[tuple[Any, Context]]:
    """The values that may be networks: those of an array, unless a format recognises the array itself."""
    where, format_ = f"{label}:{found.line}", find_format(found.value)
    key, parts = ("", found.value) if isinstance(found.value, list) and format_ is None else ("", None)
    if format_ is not None:
        key, parts = format_.parts(found.value)
    if parts is None:
        yield found.value, Context(where, _name(path, found.line), fields)
        return
    for index, value in enumerate(parts):
        name = _name(path, found.line, index if len(parts) > 1 or not key else None)
        yield value, Context(f"{where}: {key}[{index}]", name, fields)


def _name(path: Path | None, line: int, index: int | None = None) -> str | None:
    """What an architecture without a name is called: its file, and its place where the file holds several."""
    if path is None:
        return None
    stem = printable(path.stem)[:150]
    if index is not None:
        return f"{stem}[{index}]"
    return stem if path.suffix in (".json", ".yaml", ".yml") else f"{stem}:{line}"


def _item(value: Any, context: Context) -> Item:
    """The architecture of a value, or why there is none."""
    where = context.where
    if isinstance(value, SourceError):
        return Item(where, None, value)
    format_ = find_format(value)
    try:
        if format_ is None and isinstance(value, str):
            raise _UnknownTextError(value, f"{where}: {show(value)} is neither JSON nor a structure string")
        if format_ is None:
            raise SpecError(f"{where}: an architecture is a JSON object with blocks, not {kind(value)}")
        network, notes, record = format_.read(value, context)
    except InputError as error:
        return Item(where, None, error)
    return Item(where, network, None, record, notes)


class _UnknownTextError(SpecError):
    """A line that no format recognises."""

    def __init__(self, text: str, message: str) -> None:
        super().__init__(message)
        self.text = text


def _until_too_strange(items: Iterator[Item], label: str) -> Iterator[Item]:
    """The items, up to a number of errors before the first architecture; lines of unknown text there are one error."""
    unknown: list[_UnknownTextError] = []
    count = 0
    for item in items:
        if count == len(unknown) and isinstance(item.error, _UnknownTextError):
            unknown.append(item.error)
        else:
            yield from (Item(label, None, error) for error in unknown)
            unknown = []
            yield item
        count += 1
        if item.network is not None:
            yield from items
            return
        if count == MAX_STRANGE:
            break
    if unknown:
        yield Item(label, None, _summary(unknown, label))
    elif count == MAX_STRANGE:
        raise SourceError(f"{label}: none of the first {count} items is an architecture; reading stops here")


def _summary(unknown: list[_UnknownTextError], label: str) -> InputError:
    """One error for lines of text that no format recognises."""
    if text := text_kind([error.text for error in unknown]):
        return SourceError(f"{label}: is {text}")
    more = f" (and {len(unknown) - 1} more lines)" if len(unknown) > 1 else ""
    return SpecError(f"{unknown[0]}{more}")
