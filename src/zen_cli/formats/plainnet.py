"""The published structure strings, read and written.

    SuperConvK{k}BNRELU(in,out,stride,depth)          depth plain convolutions
    SuperResK{k}K{k}(in,out,stride,mid,n)             n basic units
    SuperResK1K{k}K1(in,out,stride,mid,n)             2n bottleneck units
    SuperResIDWE{e}K{k}(in,out,stride,mid,n)          n pairs of inverted residuals, the first of a pair `mid` wide

Source: the text format of the Zen-NAS networks (arXiv 2102.01063).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ..errors import SpecError, nearest, shorten
from ..net.ops import OPS, Block
from ..net.spec import ArchSpec, parse_spec
from ..net.validation import MAX_ITEMS, show
from .base import Context, Format, Note, Reading, assumed_input

_NAME = re.compile(r"\s*([A-Za-z][A-Za-z0-9_]*)\s*\(")
_NUMBER = re.compile(r"[0-9]{1,12}")
_HINT = "write it like SuperResK3K3(64,128,2,64,2) and mind the brackets"
NEWLINE = "\n"
_JOINED = Note(
    "read lines as one network where a line takes the channels which the line before gives; "
    "put an empty line between two networks"
)


class StructureString(Format):
    """A structure string on one line or several."""

    title = "a structure string"

    def recognises(self, value: Any) -> bool:
        return isinstance(value, str) and _NAME.match(value) is not None

    def read(self, value: Any, context: Context) -> Reading:
        spec = parse_plainnet(value, context.where, name=context.name, **context.fields)
        joined = (_JOINED,) if NEWLINE in value else ()
        return Reading(spec, assumed_input(spec, context, self.title) + joined)

    def continues(self, lines: Sequence[str], line: str) -> bool:
        """Whether a line closes a bracket of the line before, or takes the channels which that gives.

        A line that takes as many channels as the first one does is another network, for images of the same kind.
        """
        if len(lines) > MAX_ITEMS:
            return False
        if lines[-1].rfind("(") > lines[-1].rfind(")"):
            return ")" in line.partition("(")[0]
        if not self.recognises(line):
            return False
        image, takes = (_channels(text.partition("(")[2])[0] for text in (lines[0], line))
        return takes == _channels("".join(lines[-2:]).rpartition("(")[2])[-1] != image


def parse_plainnet(text: str, where: str = "", **fields: Any) -> ArchSpec:
    """An `ArchSpec` from a structure string.

    Args:
        text: the string; names of blocks (`name|3,64,1,1`) and white space are skipped.
        where: what the message starts with.
        fields: `name`, `resolution`, `num_classes` of the spec; the string has none.

    Raises:
        SpecError: with the column (from 1) of the fault.
    """
    prefix = f"{where}: " if where else ""
    blocks: list[dict[str, Any]] = []
    places: list[int] = []
    in_channels = width = 0
    try:
        for call in _calls(text):
            block, in_width = _block(call)
            if not blocks:
                in_channels = in_width
            elif in_width != width:
                fault = f"{shorten(call.name)} takes {in_width} channels but the block before gives {width}"
                raise _FaultError(call.start, f"{fault}; make them equal")
            if len(blocks) == MAX_ITEMS:
                raise _FaultError(call.place, f"more than {MAX_ITEMS} blocks; use fewer")
            places.append(call.place)
            blocks.append(block)
            width = block["width"]
    except _FaultError as fault:
        raise SpecError(f"{prefix}{_at(text, fault.position)}: {fault}") from None
    if not blocks:
        raise SpecError(f"{prefix}an empty structure string; write it like SuperConvK3BNRELU(3,64,1,1)...")
    try:
        return parse_spec({"in_channels": in_channels, "blocks": blocks, **fields})
    except SpecError as error:
        index = re.match(r"blocks\[([0-9]+)\]", str(error))
        place = f"{_at(text, places[int(index[1])])}: " if index else ""
        raise SpecError(f"{prefix}{place}{error}") from None


def to_plainnet(spec: ArchSpec) -> str:
    """The structure string of a spec; `parse_plainnet` of it is the same network.

    Raises:
        SpecError: a block that the format cannot express, named.
    """
    if not spec.classifier._replace(num_classes=1).is_plain:
        raise SpecError("head: a structure string cannot express hidden layers and poolings; export to json instead")
    if spec.padding == "same":
        raise SpecError("padding: a structure string cannot express same; export to json instead")
    rows, in_width = [], spec.in_channels
    for index, block in enumerate(spec.blocks):
        try:
            if spec.genes[index].style is not None:
                raise ValueError("shortcuts, activations, gates or a pooling of one's own")
            if not block.is_residual and block.gene.group_width:
                raise ValueError("groups")
            if block.se is not None:
                raise ValueError("squeeze-and-excitation")
            name, own = block.to_structure()
        except ValueError as error:
            reason = f"a structure string cannot express {error}; export to json instead"
            raise SpecError(f"blocks[{index}]: {reason}") from None
        rows.append(f"{name}({','.join(map(str, (in_width, block.width, block.stride, *own)))})")
        in_width = block.width
    return "".join(rows)


class _FaultError(Exception):
    """What is wrong with a string, and where in it."""

    def __init__(self, position: int, text: str) -> None:
        super().__init__(text)
        self.position = position


class _Call(NamedTuple):
    """A block of a string: its name and where it is, what is in its brackets and where that starts."""

    name: str
    place: int
    body: str
    start: int


def _calls(text: str) -> Iterator[_Call]:
    """The blocks of a string in order, in time that is linear in its length."""
    position, end = 0, len(text.rstrip())
    while position < end:
        match = _NAME.match(text, position)
        start = match.end() if match else position
        close = text.find(")", start)
        if match is None or close < 0 or text.find("(", start, close) >= 0:
            rest = text[position:].lstrip()
            raise _FaultError(len(text) - len(rest), f"not a block; {_HINT}")
        name_end = text.find("|", start, close) + 1
        if name_end and text.find(",", start, name_end) < 0:
            start = name_end
        yield _Call(match[1], match.start(1), text[start:close], start)
        position = close + 1


def _block(call: _Call) -> tuple[dict[str, Any], int]:
    """A block as JSON types, and its channels in."""
    kind, name = _op(call)
    in_width, width, stride, *own = _numbers(call, kind)
    try:
        keys = kind.from_structure(name, width, tuple(own))
    except ValueError as error:
        raise _FaultError(call.place, f"{shorten(call.name)} {error}") from None
    return {"op": kind.name(), "width": width, "stride": stride, **keys}, in_width


def _op(call: _Call) -> tuple[type[Block], re.Match[str]]:
    """The op that a name is written for, and the match of its pattern."""
    for kind in OPS.values():
        match = kind.structure.fullmatch(call.name) if kind.structure is not None else None
        if match is not None:
            return kind, match
    known = [kind.structure_example for kind in OPS.values() if kind.structure is not None]
    raise _FaultError(call.place, f"unknown block {shorten(call.name)}; {nearest(call.name, known)}")


def _numbers(call: _Call, kind: type[Block]) -> tuple[int, ...]:
    fields = ("in", "out", "stride", *kind.structure_numbers)
    numbers, position = [], call.start
    for part in call.body.split(","):
        if not _NUMBER.fullmatch(part.strip()):
            raise _FaultError(position, f"{show(part.strip())} is not a whole number; write one")
        numbers.append(int(part))
        position += len(part) + 1
    if len(numbers) != len(fields):
        wanted = f"{len(fields)} numbers ({','.join(fields)})"
        raise _FaultError(call.start, f"{shorten(call.name)} takes {wanted}, not {len(numbers)}")
    return tuple(numbers)


def _channels(body: str) -> list[str]:
    """Channels in and out as written, of what follows the bracket of a block."""
    numbers = body.partition(")")[0].rpartition("|")[2].split(",", 2)[:2]
    return [number.strip() for number in numbers]


def _at(text: str, position: int) -> str:
    """Where in a string something is, for people: a column, and a line where there are several."""
    before = text[:position]
    line = f"line {before.count(NEWLINE) + 1}, " if NEWLINE in text else ""
    return f"{line}column {position - before.rfind(NEWLINE)}"
