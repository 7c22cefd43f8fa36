"""Python source that `torch` and `timm` files share: the docstring, and the network stage by stage."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from ..net.ops import Unit
from ..net.spec import ArchSpec
from .about import facts, title, tool
from .layout import Layout, Part, Placed, lay_out
from .pyclasses import LINE, UNIT_CLASSES, call, is_paired

ZERO_INIT_DOC = (
    "        zero_init_residual: whether a residual unit starts as its shortcut alone, the scale of its last batch",
    "            normalisation being zero, which trains deep networks better.",
)


def docstring(spec: ArchSpec, record: object, closing: Iterable[str]) -> str:
    """The head of a file: what the network is, costs, scores, where it comes from, and its stages."""
    rows = facts(spec, record if isinstance(record, dict) else None)
    lines = [f'"""{title(spec)}: an image classifier, exported by {tool()}.', ""]
    label = max(len(row.label) for row in rows) + 2
    for row in rows:
        lines += textwrap.wrap(
            row.text, LINE - 1, initial_indent=f"    {row.label:<{label}}", subsequent_indent=" " * (4 + label)
        )
    lines += ["", *(f"    {row}" for row in stage_table(spec)), ""]
    for paragraph in closing:
        lines += [*textwrap.wrap(paragraph, LINE - 1), ""]
    return "\n".join([*lines[:-1], '"""'])


def stage_table(spec: ArchSpec) -> list[str]:
    """The parts of a network as an aligned table."""
    rows = [("part", "stride", "map", "width", "units")]
    for part in lay_out(spec).parts:
        counted: dict[str, int] = {}
        for unit in part.units:
            gate = "+se" if unit.squeeze else ""
            key = f"{unit.op}{unit.kernel}x{unit.kernel}{gate}"
            counted[key] = counted.get(key, 0) + 1
        made = ", ".join(f"{count} {key}" for key, count in counted.items())
        rows.append((part.name, str(part.reduction), f"{part.side} x {part.side}", str(part.width), made))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(size) for cell, size in zip(row[1:4], widths[1:], strict=True))]
        )
        + f"  {row[4]}"
        for row in rows
    ]


def stage_lines(spec: ArchSpec, indent: int = 8) -> list[str]:
    """The statements that build the stem, the stages and the head."""
    lines = []
    for part in lay_out(spec).parts:
        lines += _part_lines(part, indent)
    return lines


def feature_lines(layout: Layout) -> list[str]:
    """The body of a function that returns the maps of all scales, from `x`."""
    if not layout.stages:
        return ["        return [self.stem(x)]"]
    lines = []
    if layout.stem is not None:
        lines.append("        x = self.stem(x)")
    lines.append("        features = [x]" if layout.features[0] is layout.stem else "        features = []")
    names = ", ".join(f"self.{part.name}" for part in layout.stages)
    lines += loop(f"({names},)" if len(layout.stages) == 1 else f"({names})", layout)
    return [*lines, "            x = stage(x)", "            features.append(x)", "        return features"]


def loop(names: str, layout: Layout) -> list[str]:
    """`for stage in (...):`, one name a line where it is too long."""
    line = f"        for stage in {names}:"
    if len(line) <= LINE:
        return [line]
    rows = ["            " + ", ".join(f"self.{part.name}" for part in layout.stages)]
    if len(rows[0]) > LINE:
        rows = [f"            self.{part.name}," for part in layout.stages]
    return ["        for stage in (", *rows, "        ):"]


def _part_lines(part: Part, indent: int) -> list[str]:
    pad, comment = " " * indent, f"  # {part.side} x {part.side}"
    first = part.units[0]
    opening = "in_channels" if part.blocks[0].number == 0 else str(first.in_width)
    if part.is_bare:
        (line,) = call(f"self.{part.name} = {_conv_class(first)}", _conv_arguments(first, opening), indent)
        return [line + comment]
    lines = [f"{pad}self.{part.name} = nn.Sequential({comment}"]
    for placed in part.blocks:
        lines += _block_lines(placed, indent + 4, opening)
        opening = str(placed.block.width)
    return [*lines, f"{pad})"]


def _block_lines(placed: Placed, indent: int, in_width: str) -> list[str]:
    block, units = placed.block, placed.units
    if block.op == "conv":
        lines = call(_conv_class(units[0]), _conv_arguments(units[0], in_width), indent, ",")
        if len(units) > 1:
            (text,) = call(_conv_class(units[1]), _conv_arguments(units[1], str(units[1].in_width)), 0)
            line = f"{' ' * indent}*({text} for _ in range({len(units) - 1})),"
            lines.append(line)
        return lines
    name = UNIT_CLASSES[block.op]
    paired = is_paired(block)
    first, last = units[0], units[-1]
    arguments = [name, in_width, str(block.width)]
    if paired:
        arguments += [f"pair_width={first.width}", f"pairs={block.depth // 2}", f"mid_width={last.mid_width}"]
        arguments.append(f"pair_mid_width={first.mid_width}")
    else:
        arguments += [f"depth={block.depth}", f"mid_width={first.mid_width}"]
    arguments.append(f"kernel={block.kernel}")
    if block.stride > 1:
        arguments.append(f"stride={block.stride}")
    if block.op == "bottleneck" and first.groups > 1:
        arguments.append(f"groups={first.groups}")
    if last.squeeze:
        arguments.append(f"squeeze={last.squeeze}")
        if paired:
            arguments.append(f"pair_squeeze={first.squeeze}")
    return call("*repeat_pairs" if paired else "*repeat", arguments, indent, ",")


def _conv_class(unit: Unit) -> str:
    return "ConvSE" if unit.squeeze else "ConvBNReLU"


def _conv_arguments(unit: Unit, in_width: str) -> list[str]:
    arguments = [in_width, str(unit.width), f"kernel={unit.kernel}"]
    if unit.stride > 1:
        arguments.append(f"stride={unit.stride}")
    if unit.squeeze:
        arguments.append(f"squeeze={unit.squeeze}")
    return arguments
