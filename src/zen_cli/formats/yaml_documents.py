"""YAML -> JSON values, with the safe loader of PyYAML and without aliases, which can make a small file huge."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from ..errors import SourceError
from .documents import Found
from .values import json_types

MAX_BYTES = 2**20
MAX_NESTING = 64
_KEY = re.compile(rb"(?:- )*[A-Za-z_][\w.-]*:(?:\s.*)?|- .*")
_START = re.compile(rb"---(?:\s.*)?|%YAML.*|[A-Za-z_][\w.-]*:\s+!.*")


def is_yaml(head: bytes) -> bool:
    """Whether the first bytes of a file are those of a YAML document: a marker, a tag, or a key with what it holds."""
    rows = [line.rstrip() for line in head.removeprefix(b"\xef\xbb\xbf").splitlines()]
    lines = [line for line in rows if line and not line.lstrip().startswith(b"#")]
    first, second = [*lines[:2], b"", b""][:2]
    if _START.fullmatch(first):
        return True
    if any(line.startswith(b"{") for line in lines):  # a log and then JSON
        return False
    return bool(_KEY.fullmatch(first) and (_KEY.fullmatch(second.lstrip()) or second.startswith((b" ", b"\t"))))


def read_yaml(stream: BinaryIO, label: str) -> Iterator[Found]:
    """The documents of a YAML stream.

    Raises:
        SourceError: PyYAML is missing, or it is no YAML, has tags or aliases, or is too large or too deep.
    """
    data = stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise SourceError(f"{label}: is YAML of more than {MAX_BYTES >> 20} MiB; write it as JSON lines")
    try:
        import yaml
    except ImportError:
        raise SourceError(
            f"{label}: is YAML, which needs PyYAML; install it with: pip install 'zen-cli[yaml]'"
        ) from None
    try:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # that of libyaml is ten times as fast
        lines = _check(yaml, loader, data, label)
        values = list(yaml.load_all(data, Loader=loader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = label if mark is None else f"{label}:{mark.line + 1}"
        problem = getattr(error, "problem", None) or "it cannot be decoded"
        raise SourceError(f"{place}: not valid YAML, {problem}; check it with yq") from None
    except (ValueError, RecursionError) as error:  # a date that is none, a number of too many digits
        raise SourceError(f"{label}: not valid YAML, {error}; quote the value") from None
    for line, value in zip(lines, values, strict=True):
        try:
            yield Found(line, json_types(value))
        except ValueError as error:
            yield Found(line, SourceError(f"{label}:{line}: holds {error}; write strings and numbers"))


def _check(yaml: Any, loader: Any, data: bytes, label: str) -> list[int]:
    """The first line of each document of a stream that holds nothing but plain values."""
    lines: list[int] = []
    depth = 0
    for event in yaml.parse(data, Loader=loader):
        line = event.start_mark.line + 1
        if isinstance(event, yaml.DocumentStartEvent):
            lines.append(line)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise SourceError(f"{label}:{line}: has an anchor or an alias, which is not read; write the value out")
        if getattr(event, "tag", None):
            raise SourceError(f"{label}:{line}: has the tag {event.tag[:40]}, which is not read; write plain values")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_NESTING:
            raise SourceError(f"{label}:{line}: nested deeper than {MAX_NESTING} levels; a spec needs 3")
    return lines
