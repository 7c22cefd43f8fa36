"""The published structure strings, read and written.

    SuperConvK{k}BNRELU(in,out,stride,depth)          depth plain convolutions
    SuperResK{k}K{k}(in,out,stride,mid,n)             n basic units
    SuperResK1K{k}K1(in,out,stride,mid,n)             2n bottleneck units
    SuperResIDWE{e}K{k}(in,out,stride,mid,n)          n pairs of inverted residuals, the first of a pair `mid` wide

Source: the text format of the Zen-NAS networks (arXiv 2102.01063).
"""

from __future__ import annotations

import re
from typing import Any

from ..errors import SpecError, nearest
from ..net.ops import OPS, Block
from ..net.spec import ArchSpec, parse_spec
from ..net.validation import show

_BLOCK = re.compile(r"\s*([A-Za-z]\w*)\s*\(\s*(?:[^|(),]*\|)?([^()]*)\)\s*")


def is_plainnet(text: str) -> bool:
    """Whether a text looks like a structure string rather than like JSON."""
    return bool(re.match(r"\s*[A-Za-z]\w*\s*\(", text))


def parse_plainnet(text: str, where: str = "", **fields: Any) -> ArchSpec:
    """An `ArchSpec` from a structure string.

    Args:
        text: the string; names of blocks (`name|3,64,1,1`) are passed over.
        where: what the message starts with.
        fields: `name`, `resolution`, `num_classes` of the spec; the string has none.

    Raises:
        SpecError: with the column (from 1) of the fault.
    """
    prefix = f"{where}: " if where else ""
    blocks: list[dict[str, Any]] = []
    columns: list[int] = []
    in_channels, position, width = 3, 0, 0
    end = len(text.rstrip())
    while position < end:
        match = _BLOCK.match(text, position)
        if match is None:
            raise SpecError(
                f"{prefix}column {position + 1}: not a block; write it like SuperResK3K3(64,128,2,64,2) "
                f"and mind the brackets"
            )
        block, in_width = _block(match, prefix)
        if not blocks:
            in_channels = in_width
        elif in_width != width:
            raise SpecError(
                f"{prefix}column {match.start(2) + 1}: {_short(match[1])} takes {in_width} channels "
                f"but the block before gives {width}; make them equal"
            )
        columns.append(match.start(1) + 1)
        blocks.append(block)
        width, position = block["width"], match.end()
    if not blocks:
        raise SpecError(f"{prefix}an empty structure string; write it like SuperConvK3BNRELU(3,64,1,1)...")
    try:
        return parse_spec({"in_channels": in_channels, "blocks": blocks, **fields})
    except SpecError as error:
        index = re.match(r"blocks\[(\d+)\]", str(error))
        place = f"column {columns[int(index[1])]}: " if index else ""
        raise SpecError(f"{prefix}{place}{error}") from None


def to_plainnet(spec: ArchSpec) -> str:
    """The structure string of a spec; `parse_plainnet` of it is the same network.

    Raises:
        SpecError: a block that the format cannot express, named.
    """
    rows, in_width = [], spec.in_channels
    for index, block in enumerate(spec.blocks):
        try:
            if block.se is not None:
                raise ValueError("squeeze-and-excitation")
            name, own = block.to_structure()
        except ValueError as error:
            reason = f"a structure string cannot express {error}; export to json instead"
            raise SpecError(f"blocks[{index}]: {reason}") from None
        rows.append(f"{name}({','.join(map(str, (in_width, block.width, block.stride, *own)))})")
        in_width = block.width
    return "".join(rows)


def _op(name: str, where: str) -> tuple[type[Block], re.Match[str]]:
    """The op that a name is written for, and the match of its pattern."""
    for kind in OPS.values():
        match = kind.structure.fullmatch(name) if kind.structure is not None else None
        if match is not None:
            return kind, match
    known = [kind.structure_example for kind in OPS.values() if kind.structure is not None]
    raise SpecError(f"{where}: unknown block {_short(name)}; {nearest(name[:80], known)}")


def _block(match: re.Match[str], prefix: str) -> tuple[dict[str, Any], int]:
    """A block as JSON types, and its channels in."""
    where = f"{prefix}column {match.start(1) + 1}"
    kind, name = _op(match[1], where)
    in_width, width, stride, *own = _numbers(match, kind, prefix)
    try:
        keys = kind.from_structure(name, width, tuple(own))
    except ValueError as error:
        raise SpecError(f"{where}: {_short(match[1])} {error}") from None
    return {"op": kind.name(), "width": width, "stride": stride, **keys}, in_width


def _numbers(match: re.Match[str], kind: type[Block], prefix: str) -> tuple[int, ...]:
    fields = ("in", "out", "stride", *kind.structure_numbers)
    parts = match[2].split(",")
    column = match.start(2) + 1
    for part in parts:
        if not re.fullmatch(r"\s*\d{1,12}\s*", part):
            raise SpecError(f"{prefix}column {column}: {show(part.strip())} is not a whole number; write one")
        column += len(part) + 1
    if len(parts) != len(fields):
        where = f"{prefix}column {match.start(2) + 1}"
        wanted = f"{len(fields)} numbers ({','.join(fields)})"
        raise SpecError(f"{where}: {_short(match[1])} takes {wanted}, not {len(parts)}")
    return tuple(int(part) for part in parts)


def _short(name: str) -> str:
    return name if len(name) <= 40 else name[:37] + "..."
