"""The classes and functions that the Python file of a network is made of: those that it needs, as general as it needs.

What is written here follows `ruff format` with lines of 120 characters, so that a generated file needs no formatting.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..net.ops import Block
from ..net.spec import ArchSpec

LINE = 120
UNIT_CLASSES = {"basic": "Basic", "bottleneck": "Bottleneck", "mbconv": "InvertedResidual"}
LAST_CONV = {"basic": "conv2", "bottleneck": "conv3", "mbconv": "conv3"}
_DOC = {
    "basic": "Two k x k convolutions with a shortcut around them; the last ReLU comes after the addition.",
    "bottleneck": "1x1, k x k and 1x1 convolution with a shortcut around them; the last ReLU comes after the addition.",
    "mbconv": "1x1 up, depthwise k x k, 1x1 down with a shortcut around them; the last ReLU comes after the addition.",
}


class Needs(NamedTuple):
    """Which pieces a network is made of, so that its file holds no others."""

    ops: tuple[str, ...]
    grouped: bool
    repeats: bool
    pairs: bool
    gates: dict[str, str]

    @property
    def residual(self) -> tuple[str, ...]:
        """The kinds of unit with a shortcut."""
        return tuple(op for op in self.ops if op != "conv")


def needs(spec: ArchSpec) -> Needs:
    """What the file of a network must hold. `gates` says of each op: "all" units have SE, "some", or "none"."""
    units = spec.units
    ops = tuple(op for op in ("conv", "basic", "bottleneck", "mbconv") if any(unit.op == op for unit in units))
    gates = {}
    for op in ops:
        have = [unit.squeeze > 0 for unit in units if unit.op == op]
        gates[op] = "all" if all(have) else "some" if any(have) else "none"
    blocks = [block for block in spec.blocks if block.op != "conv"]
    return Needs(
        ops,
        any(unit.op == "bottleneck" and unit.groups > 1 for unit in units),
        any(not is_paired(block) for block in blocks),
        any(is_paired(block) for block in blocks),
        gates,
    )


def is_paired(block: Block) -> bool:
    """Whether the units of a block alternate between two widths."""
    return block.depth > 1 and block.widths(0) != block.widths(1)


def classes(spec: ArchSpec) -> list[str]:
    """The source of each class and function that the network needs, in order."""
    need = needs(spec)
    pieces = [_conv_bn(need)]
    if any(kind != "none" for kind in need.gates.values()):
        pieces.append(_SE)
    if need.gates.get("conv", "none") != "none":
        pieces.append(_conv_se())
    pieces += [_residual(op, need) for op in need.residual]
    if need.repeats:
        pieces.append(_REPEAT)
    if need.pairs:
        pieces.append(_repeat_pairs(gated=need.gates["mbconv"] != "none"))
    return pieces


def init_lines(need: Needs) -> list[str]:
    """The body of `init_weights(self, zero_init_residual)`."""
    lines = [
        "        for module in self.modules():",
        "            if isinstance(module, nn.Conv2d):",
        "                fan_out = module.kernel_size[0] ** 2 * module.out_channels // module.groups",
        "                nn.init.normal_(module.weight, std=math.sqrt(2 / fan_out))",
        "            elif isinstance(module, nn.Linear):",
        "                nn.init.normal_(module.weight, std=0.01)",
        "                nn.init.zeros_(module.bias)",
    ]
    by_conv: dict[str, list[str]] = {}
    for op in need.residual:
        by_conv.setdefault(LAST_CONV[op], []).append(UNIT_CLASSES[op])
    for conv, names in by_conv.items():
        kind = names[0] if len(names) == 1 else " | ".join(names)
        lines += [
            f"            elif zero_init_residual and isinstance(module, {kind}):",
            f"                nn.init.zeros_(module.{conv}.bn.weight)",
        ]
    return lines


def call(head: str, arguments: Sequence[str], indent: int, tail: str = "") -> list[str]:
    """`head(arguments)tail` on one line, or split as the formatter splits it."""
    pad = " " * indent
    line = f"{pad}{head}({', '.join(arguments)}){tail}"
    if len(line) <= LINE:
        return [line]
    inner = f"{pad}    {', '.join(arguments)}"
    if len(inner) <= LINE:
        return [f"{pad}{head}(", inner, f"{pad}){tail}"]
    return [f"{pad}{head}(", *(f"{pad}    {argument}," for argument in arguments), f"{pad}){tail}"]


def _conv_bn(need: Needs) -> str:
    groups = need.grouped or "mbconv" in need.ops
    parameters = ["self", "in_width: int", "width: int", "kernel: int = 1", "stride: int = 1"]
    parameters += ["groups: int = 1"] if groups else []
    passed = "in_width, width, kernel, stride" + (", groups" if groups else "")
    kept = "kernel // 2, groups=groups, bias=False" if groups else "kernel // 2, bias=False"
    signature = "\n".join(call("def __init__", parameters, 4, " -> None:"))
    return f'''class ConvBN(nn.Sequential):
    """A convolution without bias and its batch normalisation."""

{signature}
        super().__init__()
        self.conv = nn.Conv2d(in_width, width, kernel, stride, {kept})
        self.bn = nn.BatchNorm2d(width)


class ConvBNReLU(ConvBN):
    """The same with a ReLU behind it."""

{signature}
        super().__init__({passed})
        self.relu = nn.ReLU(inplace=True)
'''


def _conv_se() -> str:
    parameters = ["self", "in_width: int", "width: int", "kernel: int = 1", "stride: int = 1", "*", "squeeze: int"]
    signature = "\n".join(call("def __init__", parameters, 4, " -> None:"))
    return f'''class ConvSE(ConvBNReLU):
    """A plain convolution with squeeze-and-excitation behind its ReLU."""

{signature}
        super().__init__(in_width, width, kernel, stride)
        self.se = SqueezeExcitation(width, squeeze)
'''


def _residual(op: str, need: Needs) -> str:
    gate = need.gates[op]
    parameters = ["self", "in_width: int", "width: int", "*", "mid_width: int", "kernel: int", "stride: int = 1"]
    grouped = op == "bottleneck" and need.grouped
    parameters += ["groups: int = 1"] if grouped else []
    parameters += {"all": ["squeeze: int"], "some": ["squeeze: int = 0"], "none": []}[gate]
    parameters.append("project: bool = False")
    lines = [f"class {UNIT_CLASSES[op]}(nn.Module):", f'    """{_DOC[op]}"""', ""]
    lines += call("def __init__", parameters, 4, " -> None:")
    lines.append("        super().__init__()")
    inner = {"bottleneck": ", groups" if grouped else "", "mbconv": ", groups=mid_width"}.get(op, "")
    if op == "basic":
        lines.append("        self.conv1 = ConvBNReLU(in_width, mid_width, kernel, stride)")
    else:
        lines.append("        self.conv1 = ConvBNReLU(in_width, mid_width)")
        lines.append(f"        self.conv2 = ConvBNReLU(mid_width, mid_width, kernel, stride{inner})")
    if gate == "all":
        lines.append("        self.se = SqueezeExcitation(mid_width, squeeze)")
    elif gate == "some":
        lines.append("        self.se = SqueezeExcitation(mid_width, squeeze) if squeeze else nn.Identity()")
    lines.append(f"        self.{LAST_CONV[op]} = ConvBN(mid_width, width{', kernel' if op == 'basic' else ''})")
    lines.append("        self.shortcut = ConvBN(in_width, width, stride=stride) if project else nn.Identity()")
    value = "self.conv1(x)" if op == "basic" else "self.conv2(self.conv1(x))"
    value = f"self.se({value})" if gate != "none" else value
    lines += [
        "",
        "    def forward(self, x: Tensor) -> Tensor:",
        f"        residual: Tensor = self.{LAST_CONV[op]}({value})",
        "        return torch.relu(residual + self.shortcut(x))",
    ]
    return "\n".join(lines) + "\n"


_SE = '''class SqueezeExcitation(nn.Module):
    """Scales each channel by a gate computed from the means of all channels."""

    def __init__(self, width: int, squeeze: int) -> None:
        super().__init__()
        self.reduce = ConvBNReLU(width, squeeze)
        self.expand = ConvBN(squeeze, width)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.expand(self.reduce(x.mean((2, 3), keepdim=True))))
'''


_REPEAT = '''def repeat(
    unit: type[nn.Module], in_width: int, width: int, *, depth: int, stride: int = 1, **options: int
) -> Iterator[nn.Module]:
    """`depth` units; the first has the stride, and a projection as its shortcut even where no shape changes."""
    yield unit(in_width, width, stride=stride, project=True, **options)
    for _ in range(depth - 1):
        yield unit(width, width, **options)
'''


def _repeat_pairs(*, gated: bool) -> str:
    options = "\n    squeeze: int = 0,\n    pair_squeeze: int = 0," if gated else ""
    gates = '    first, second = {"squeeze": pair_squeeze}, {"squeeze": squeeze}\n' if gated else ""
    first, second = (", **first", ", **second") if gated else ("", "")
    return f'''def repeat_pairs(
    unit: type[nn.Module],
    in_width: int,
    width: int,
    *,
    pair_width: int,
    pairs: int,
    mid_width: int,
    pair_mid_width: int,
    kernel: int,
    stride: int = 1,{options}
) -> Iterator[nn.Module]:
    """`pairs` pairs of units of two widths, the first of each `pair_width` wide; all shortcuts are projections."""
{gates}    for _ in range(pairs):
        yield unit(in_width, pair_width, mid_width=pair_mid_width, kernel=kernel, stride=stride, project=True{first})
        yield unit(pair_width, width, mid_width=mid_width, kernel=kernel, project=True{second})
        in_width, stride = width, 1
'''
