"""Tables of a network's layers, its stages, and of networks side by side."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ..net.network import label
from ..report.comparison import ABSENT_STAGE, QUANTITIES, Compared, Quantity, differences
from ..report.layers import size_text
from ..report.stages import most_live
from .layout import ABSENT, Field, Line, Sheet, fit, lay_out, wrap
from .numbers import write_column
from .terminal import print_lines, width_of

if TYPE_CHECKING:
    from ..net.network import Network
    from ..report.layers import LayerRow
    from ..report.stages import StageRow

_CAPTIONS = (
    "bytes: input, parameters and output in float32; live: bytes in use while a layer runs, its weights left out",
    "field: the receptive field of one output pixel, along the chain",
    "log σ: the layer's share of the closed form, in nats; shortcuts, squeezes and the classifier have none",
)


def print_layers(network: Network, layers: Sequence[LayerRow], stages: Sequence[StageRow], convention: str) -> None:
    """Prints the layers of a network and the sums of its stages on stdout."""
    width = width_of(sys.stdout)
    print_lines(lay_out(layers_sheet(network, layers), width))
    print()
    print_lines(lay_out(stages_sheet(network, stages, convention), width))


def layers_sheet(network: Network, layers: Sequence[LayerRow]) -> Sheet:
    """One row a layer, a section for each stage."""
    total_macs, total_params = max(1, network.cost.macs), max(1, network.cost.params)
    sections, before = {}, ""
    for index, row in enumerate(layers):
        if row.stage != before:
            sections[index] = before = row.stage
    fields = [
        Field("layer", [row.layer for row in layers], right=False),
        Field("conv", [row.conv for row in layers], right=False),
        Field("in", [size_text(row.in_shape) for row in layers], drop=5),
        Field("out", [size_text(row.out_shape) for row in layers], drop=2),
        Field("params", write_column([row.params for row in layers], "count")),
        Field("%", [f"{row.params / total_params:.1%}" for row in layers], drop=7),
        Field("MACs", write_column([row.macs for row in layers], "count")),
        Field("%", [f"{row.macs / total_macs:.1%}" for row in layers], drop=3),
        Field("bytes", write_column([row.bytes for row in layers], "count"), drop=6),
        Field("live", write_column([row.live for row in layers], "count"), drop=8),
        Field("field", [_square(row.receptive_field) for row in layers], drop=4),
        Field("log σ", write_column([row.log_sigma for row in layers], "nats"), drop=1),
    ]
    return Sheet(fields, f"{label(network)}: layers", sections=sections)


def stages_sheet(network: Network, stages: Sequence[StageRow], convention: str) -> Sheet:
    """One row a stage, and one for the whole network."""
    total = network.cost
    shares = [row.log_sigma for row in stages if row.log_sigma is not None]
    fields = [
        Field("stage", [*(row.stage for row in stages), "total"], right=False),
        Field("units", [*(str(row.units) for row in stages), str(sum(row.units for row in stages))], drop=5),
        Field("out", [*(size_text(row.out_shape) for row in stages), ""], drop=2),
        Field("params", write_column([*(row.params for row in stages), total.params], "count")),
        Field("%", [f"{row.params_share:.1%}" for row in stages] + ["100%"], drop=6),
        Field("MACs", write_column([*(row.macs for row in stages), total.macs], "count")),
        Field("%", [f"{row.macs_share:.1%}" for row in stages] + ["100%"], drop=1),
        Field(
            "bytes", write_column([*(row.bytes for row in stages), sum(row.bytes for row in stages)], "count"), drop=7
        ),
        Field("live", write_column([*(row.live for row in stages), most_live(stages)], "count"), drop=9),
        Field("field", [*(_square(row.receptive_field) for row in stages), ""], drop=4),
        Field(
            "log σ", write_column([*(row.log_sigma for row in stages), sum(shares) if shares else None], "nats"), drop=3
        ),
        Field("blocks", [*(row.blocks for row in stages), ""], right=False, drop=8, wraps=True),
    ]
    exact = f"exact: {total.params:,} parameters, {total.macs:,} MACs, {total.layers} layers in the chain"
    return Sheet(
        fields, f"{label(network)}: stages", captions=[exact, *_CAPTIONS, f"log σ in the {convention} convention"]
    )


def print_comparison(rows: Sequence[Compared], convention: str) -> None:
    """Prints networks side by side on stdout: numbers, stages, and what differs from the first."""
    width = width_of(sys.stdout)
    print_lines(lay_out(numbers_sheet(rows, convention, width), width))
    print()
    print_lines(lay_out(comparison_stages(rows), width))
    print()
    print_lines(difference_lines(rows, width))


def numbers_sheet(rows: Sequence[Compared], convention: str, width: int = 120) -> Sheet:
    """A row for each number that a network has, and a column for each network, with the change from the first network.

    Where the columns do not fit, a row for each network.
    """
    shown = [quantity for quantity in QUANTITIES if any(row.numbers[quantity.name] is not None for row in rows)]
    cells = [_compared_cells(quantity, rows) for quantity in shown]
    names = [row.label for row in rows]
    fields = [Field("", [quantity.title for quantity in shown], right=False)]
    fields += [Field(name, [cell[index] for cell in cells]) for index, name in enumerate(names)]
    if fit(fields, width)[0] is None:
        fields = [Field("network", names, right=False)]
        fields += [Field(quantity.title, cell) for quantity, cell in zip(shown, cells, strict=True)]
    return Sheet(fields, captions=[f"{convention} convention; in brackets: against {names[0]}"])


def _compared_cells(quantity: Quantity, rows: Sequence[Compared]) -> list[str]:
    values = [row.numbers[quantity.name] for row in rows]
    texts, first = write_column(values, quantity.kind), values[0]
    cells = [texts[0]]
    for text, value in zip(texts[1:], values[1:], strict=True):
        if first is None or value is None or quantity.name == "zen_std_error":
            cells.append(text)
        elif value == first:
            cells.append(f"{text} (same)")
        elif quantity.kind == "nats":
            cells.append(f"{text} ({value - first:+.2f})")
        else:
            cells.append(f"{text} ({value / first - 1:+.1%})" if first else text)
    return cells


def comparison_stages(rows: Sequence[Compared]) -> Sheet:
    """One row a stage of any network: its map, its units, its share of the MACs and its blocks in each."""
    names = list(dict.fromkeys(stage.stage for row in rows for stage in row.stages))
    names.sort(key=lambda name: {"stem": 0, "head": 2, "classifier": 3, "other": 4}.get(name, 1))
    fields = [Field("stage", names, right=False)]
    for row in rows:
        own = {stage.stage: stage for stage in row.stages}
        cells = [_stage_text(own[name]) if name in own else ABSENT_STAGE for name in names]
        fields.append(Field(row.label, cells, right=False, wraps=True))
    return Sheet(fields, "stages: output, units, share of the MACs, blocks")


def _stage_text(stage: StageRow) -> str:
    count = (
        f"{stage.units} {'unit' if stage.blocks else 'layer'}{'s' if stage.units > 1 else ''}" if stage.units else ""
    )
    return ", ".join(
        filter(None, [size_text(stage.out_shape), count, f"{stage.macs_share:.1%} {stage.blocks}".strip()])
    )


def difference_lines(rows: Sequence[Compared], width: int) -> Iterator[Line]:
    """What differs between the first network and each other one."""
    first = rows[0]
    for row in rows[1:]:
        yield Line(f"{first.label} → {row.label}", "bold")
        found = differences(first.network, row.network)
        for text in found or ["nothing: they are the same network"]:
            yield from (Line(f"  {line}") for line in wrap(text, width - 2))


def _square(size: tuple[int, int] | None) -> str:
    if size is None:
        return ABSENT
    return str(size[0]) if size[0] == size[1] else size_text(size)
