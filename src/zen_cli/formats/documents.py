"""Bytes -> JSON values: documents that follow each other in one stream, on one line each or spread over many.

A document that is cut off, not UTF-8, nested without end or too large is one error, and reading goes on after it. Time
and memory are linear in the input.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

import orjson

from ..errors import SourceError
from .literal import is_python_literal, read_literal

NO_MEMORY = "Not enough memory"  # what orjson says of a document that it cannot hold
MAX_DOCUMENT_BYTES = 64 * 2**20
MAX_NESTING = 64
MAX_VALUES = 4_000_000  # of one document: a value takes up to 80 bytes
MAX_BRACKETS = 1_000_000  # an empty object takes 64 bytes
_TOKENS = re.compile(rb'"[^"]*"?|[{}\[\]]')  # of text without escapes; a string that never ends is one token too
_ARCH_KEY = re.compile(rb'"arch"\s*:\Z')
_STEP = {b"{": 1, b"[": 1, b"}": -1, b"]": -1}
_BOM = b"\xef\xbb\xbf"


class Found(NamedTuple):
    """A value of a stream or the error in its place, and the number of its first line.

    `is_text` marks a line that is not JSON, whose value is the line as a string.
    """

    line: int
    value: Any
    is_text: bool = False


def read_values(stream: BinaryIO, label: str) -> Iterator[Found]:
    """The values of a stream: JSON documents, and as strings the lines that are not JSON.

    Args:
        stream: bytes; read as values are taken.
        label: what errors start with.

    Raises:
        SourceError: nothing after the fault can be read; other faults are yielded as a value.
    """
    empty = True
    for line, text in _documents(stream, label):
        empty = False
        if isinstance(text, SourceError):
            yield Found(line, text)
        else:
            yield from _values(text, label, line)
    if empty:
        raise SourceError(f"{label}: is empty; give a spec, JSON lines or structure strings")


class _Document:
    """A JSON document that grows line by line until its brackets are closed."""

    def __init__(self, label: str, line: int) -> None:
        self.line = line
        self._label = label
        self._lines: list[bytes] = []
        self._depth = 0
        self._bytes = 0
        self._values = 0
        self._brackets = 0
        self._tail = b""

    @property
    def text(self) -> bytes:
        """What there is of it."""
        return b"".join(self._lines)

    @property
    def is_open(self) -> bool:
        """Whether a bracket is not closed yet."""
        return self._depth > 0

    def add(self, line: bytes) -> None:
        """Takes one line; each byte is read once, and no string of JSON goes on in the next line.

        Raises:
            SourceError: the document is too large or too deep.
        """
        self._lines.append(line)
        self._bytes += len(line)
        self._values += line.count(b",")
        self._brackets += line.count(b"{") + line.count(b"[")
        self._tail = line.rstrip() or self._tail
        if self._bytes > MAX_DOCUMENT_BYTES:
            raise self._fault(f"a document of more than {MAX_DOCUMENT_BYTES >> 20} MiB; split it")
        if self._values > MAX_VALUES or self._brackets > MAX_BRACKETS:
            raise self._fault(f"a document of more than {MAX_VALUES} values or {MAX_BRACKETS} brackets; split it")
        if len(self._lines) == 1 and self._brackets <= MAX_NESTING and _is_json(line):
            return  # as most lines are, which need no look at each token
        for match in _TOKENS.finditer(_without_escapes(line)):
            self._depth += _STEP.get(match[0], 0)
            if self._depth > MAX_NESTING:
                raise self._fault(f"nested deeper than {MAX_NESTING} levels; a spec needs 3")

    def is_cut_before(self, line: bytes) -> bool:
        """Whether a line must be the start of another document, so that this one was cut off.

        A value follows `[`, `,` or `:` or it starts a document, and none but a record holds an architecture.
        """
        if line.lstrip()[:1] not in (b"{", b"["):
            return False
        if self._tail[-1:] not in (b"[", b",", b":"):
            return True
        inside = self._lines[0].startswith(b"[") or _ARCH_KEY.search(self._tail)
        return not inside and _is_architecture(line)

    def _fault(self, text: str) -> SourceError:
        return SourceError(f"{self._label}:{self.line}: {text}")


def _is_json(line: bytes) -> bool:
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True


def _is_architecture(line: bytes) -> bool:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return isinstance(value, dict) and ("blocks" in value or "arch" in value)


def _without_escapes(text: bytes) -> bytes:
    r"""Text of the same length in which no quote belongs to an escape: `\\` and `\"` are replaced."""
    return text.replace(rb"\\", b"__").replace(rb"\"", b"__") if b"\\" in text else text


def _documents(stream: BinaryIO, label: str) -> Iterator[tuple[int, bytes | SourceError]]:
    """(number of its first line, bytes) of each document: a line if it is complete, else as many lines as it takes."""
    document: _Document | None = None
    for number, line in enumerate(_lines(stream, label), start=1):
        if document is not None and document.is_cut_before(line):
            yield document.line, document.text
            document = None
        if document is None:
            line = line.removeprefix(_BOM).strip() if number == 1 else line.strip()
            if not line or line.startswith(b"#"):
                continue
            if line[:1] not in b"{[":
                yield number, line
                continue
            document = _Document(label, number)
            line += b"\n"
        try:
            document.add(line)
        except SourceError as error:
            if document.line < number:
                raise
            yield number, error
            document = None
            continue
        if not document.is_open:
            yield document.line, document.text
            document = None
    if document is not None:
        yield document.line, document.text


def _lines(stream: BinaryIO, label: str) -> Iterator[bytes]:
    number = 0
    while line := stream.readline(MAX_DOCUMENT_BYTES + 1):
        number += 1
        if len(line) > MAX_DOCUMENT_BYTES:
            raise SourceError(f"{label}:{number}: a line of more than {MAX_DOCUMENT_BYTES >> 20} MiB; split it")
        if b"\0" in line:
            raise SourceError(f"{label}:{number}: holds a zero byte, so it is no text in UTF-8; save it as UTF-8")
        yield line


def _values(text: bytes, label: str, line: int) -> Iterator[Found]:
    """What a document holds: a value or an error; several values where they follow each other on one line."""
    if text[:1] not in (b"{", b"[", b'"'):
        try:
            yield Found(line, text.decode("utf-8"), is_text=True)
        except UnicodeDecodeError as error:
            yield Found(line, _not_utf8(label, line, error))
        return
    try:
        yield Found(line, orjson.loads(text))
    except orjson.JSONDecodeError as error:
        if text.count(b'"') > 2 * MAX_VALUES:
            yield Found(line, SourceError(f"{label}:{line}: more than {MAX_VALUES} strings on one line; split it"))
            return
        ends = _ends(text)
        if not ends or (len(ends) == 1 and not text[ends[0] :].strip()) or is_python_literal(text):
            yield Found(
                line, _literal(text, label, line) if is_python_literal(text) else _not_json(text, label, line, error)
            )
            return
        for start, end in zip([0, *ends], [*ends, len(text)], strict=True):
            part = text[start:end].strip()
            if part:
                yield from _values(part, label, line)


def _ends(text: bytes) -> list[int]:
    """Where each of the values ends that follow each other in a text."""
    depth, ends = 0, []
    for match in _TOKENS.finditer(_without_escapes(text)):
        depth += _STEP.get(match[0], 0)
        if depth == 0:
            ends.append(match.end())
    return ends


def _literal(text: bytes, label: str, line: int) -> Any:
    """The value of a document that is written as Python prints it, or the error in its place."""
    try:
        return read_literal(text)
    except UnicodeDecodeError as fault:
        return _not_utf8(label, line + text.count(b"\n", 0, fault.start), fault)
    except ValueError as fault:
        return SourceError(f"{label}:{line}: is a Python literal that {fault}")


def _not_json(text: bytes, label: str, line: int, error: orjson.JSONDecodeError) -> SourceError:
    if NO_MEMORY in error.msg:
        raise MemoryError from None
    try:
        text.decode("utf-8")
    except UnicodeDecodeError as fault:
        return _not_utf8(label, line + text.count(b"\n", 0, fault.start), fault)
    reason = error.msg[:1].lower() + error.msg[1:].partition(": line")[0]
    if "unexpected end" in reason:
        last = line + text.rstrip().count(b"\n")
        return SourceError(f"{label}:{last}: not valid JSON, it ends too early; check it with jq")
    place = f"{label}:{line + error.lineno - 1}"
    return SourceError(f"{place}: not valid JSON, column {error.colno}: {reason}; check it with jq")


def _not_utf8(label: str, line: int, error: UnicodeDecodeError) -> SourceError:
    return SourceError(f"{label}:{line}: is not UTF-8 (byte {error.start + 1}); save it as UTF-8")
