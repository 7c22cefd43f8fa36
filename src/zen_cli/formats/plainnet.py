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
from ..net.blocks import BasicBlock, Block, BottleneckBlock, ConvBlock, MBConvBlock
from ..net.spec import ArchSpec, parse_spec
from ..net.validation import show

_BLOCK = re.compile(r"\s*([A-Za-z]\w*)\s*\(\s*(?:[^|(),]*\|)?([^()]*)\)\s*")
_NAMES = {
    "conv": re.compile(r"SuperConvK(\d{1,4})BNRELU"),
    "bottleneck": re.compile(r"SuperResK1K(\d{1,4})K1"),
    "basic": re.compile(r"SuperResK(\d{1,4})K(\d{1,4})"),
    "mbconv": re.compile(r"SuperResIDWE(\d{1,4})K(\d{1,4})"),
}
_EXAMPLES = ("SuperConvK3BNRELU", "SuperResK3K3", "SuperResK1K3K1", "SuperResIDWE4K7")


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
        column, name = match.start(1) + 1, match[1]
        numbers = _numbers(match, prefix)
        if not blocks:
            in_channels = numbers[0]
        elif numbers[0] != width:
            raise SpecError(
                f"{prefix}column {match.start(2) + 1}: {_short(name)} takes {numbers[0]} channels "
                f"but the block before gives {width}; make them equal"
            )
        columns.append(column)
        blocks.append(_block(name, numbers, f"{prefix}column {column}"))
        width, position = numbers[1], match.end()
    if not blocks:
        raise SpecError(f"{prefix}an empty structure string; write it like SuperConvK3BNRELU(3,64,1,1)...")
    try:
        return parse_spec({"in_channels": in_channels, "blocks": blocks, **fields})
    except SpecError as error:
        block = re.match(r"blocks\[(\d+)\]", str(error))
        place = f"column {columns[int(block[1])]}: " if block else ""
        raise SpecError(f"{prefix}{place}{error}") from None


def to_plainnet(spec: ArchSpec) -> str:
    """The structure string of a spec; `parse_plainnet` of it is the same network.

    Raises:
        SpecError: a block that the format cannot express, named.
    """
    rows, in_width = [], spec.in_channels
    for index, block in enumerate(spec.blocks):
        rows.append(_write(block, in_width, f"blocks[{index}]"))
        in_width = block.width
    return "".join(rows)


def _numbers(match: re.Match[str], prefix: str) -> tuple[int, ...]:
    count = 4 if match[1].startswith("SuperConv") else 5
    parts = match[2].split(",")
    column = match.start(2) + 1
    for part in parts:
        if not re.fullmatch(r"\s*\d{1,12}\s*", part):
            raise SpecError(f"{prefix}column {column}: {show(part.strip())} is not a whole number; write one")
        column += len(part) + 1
    if len(parts) != count:
        fields = "in,out,stride,depth" if count == 4 else "in,out,stride,mid,depth"
        where = f"{prefix}column {match.start(2) + 1}"
        raise SpecError(f"{where}: {_short(match[1])} takes {count} numbers ({fields}), not {len(parts)}")
    return tuple(int(part) for part in parts)


def _block(name: str, numbers: tuple[int, ...], where: str) -> dict[str, Any]:
    for op, pattern in _NAMES.items():
        match = pattern.fullmatch(name)
        if match is None:
            continue
        common = {"op": op, "width": numbers[1], "stride": numbers[2]}
        if op == "conv":
            return {**common, "kernel": int(match[1]), "depth": numbers[3]}
        mid, depth = numbers[3:]
        if op == "mbconv":
            pair = {} if mid == numbers[1] else {"pair_width": mid}
            return {**common, "kernel": int(match[2]), "expansion": int(match[1]), "depth": 2 * depth, **pair}
        if op == "basic" and match[1] != match[2]:
            raise SpecError(f"{where}: {_short(name)} has two kernels; use the same one twice, like SuperResK3K3")
        return {**common, "kernel": int(match[1]), "mid_width": mid, "depth": depth * (2 if op == "bottleneck" else 1)}
    raise SpecError(f"{where}: unknown block {_short(name)}; {nearest(name[:80], _EXAMPLES)}")


def _short(name: str) -> str:
    return name if len(name) <= 40 else name[:37] + "..."


def _write(block: Block, in_width: int, where: str) -> str:
    def fail(reason: str) -> SpecError:
        return SpecError(f"{where}: a structure string cannot express {reason}; export to json instead")

    if block.se is not None:
        raise fail("squeeze-and-excitation")
    head = f"({in_width},{block.width},{block.stride}"
    if isinstance(block, ConvBlock):
        return f"SuperConvK{block.kernel}BNRELU{head},{block.depth})"
    if isinstance(block, BasicBlock):
        return f"SuperResK{block.kernel}K{block.kernel}{head},{block.mid_width},{block.depth})"
    if block.depth % 2:
        raise fail(f"an odd number of {block.op} units ({block.depth})")
    if isinstance(block, BottleneckBlock):
        if block.widths(0)[2] != 1:
            raise fail("groups")
        return f"SuperResK1K{block.kernel}K1{head},{block.mid_width},{block.depth // 2})"
    if isinstance(block, MBConvBlock) and block.expansion is None:
        raise fail("an inverted residual with mid_width in place of expansion")
    pair_width = block.pair_width or block.width
    return f"SuperResIDWE{block.expansion}K{block.kernel}{head},{pair_width},{block.depth // 2})"
