"""Tables of networks side by side, and of published networks of about the same cost."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

from ..report.comparison import ABSENT_STAGE, QUANTITIES, Compared, Quantity, differences
from ..report.layers import size_text
from ..target.latency import latency_ms
from .layout import Field, Line, Sheet, fit, lay_out, pack, wrap
from .numbers import write_column
from .terminal import print_lines, width_of

if TYPE_CHECKING:
    from ..metrics.records import ScoreRecord
    from ..networks.near import Near
    from ..report.stages import StageRow
    from ..target.model import Target

    Reference: TypeAlias = tuple[Near, ScoreRecord]


def print_comparison(
    rows: Sequence[Compared], convention: str, references: Sequence[Reference] = (), target: Target | None = None
) -> None:
    """Prints networks side by side on stdout: numbers, stages, what differs from the first, and published networks.

    `target`: for the latency of the published networks.
    """
    width = width_of(sys.stdout)
    print_lines(lay_out(numbers_sheet(rows, convention, width), width))
    print()
    print_lines(lay_out(comparison_stages(rows), width))
    print()
    print_lines(difference_lines(rows, width))
    if references:
        print()
        print_lines(lay_out(references_sheet(references, rows[0].label, target), width))


def references_sheet(references: Sequence[Reference], first: str, target: Target | None = None) -> Sheet:
    """One row a published network: its score, its cost, its latency on a target that predicts times, and the accuracy
    that is published for it, if there is one.
    """
    specs = [row.spec for row, _ in references]
    tops = ["" if row.top1 is None else f"{row.top1:.1f}" for row, _ in references]
    fields = [
        Field("network", [row.published.name for row, _ in references], right=False),
        Field("zen (nats)", write_column([record.zen.value for _, record in references], "nats")),
        Field("params", write_column([spec.cost.params for spec in specs], "count")),
        Field("MACs", write_column([spec.cost.macs for spec in specs], "count"), drop=4),
        Field("acts", write_column([spec.cost.activations for spec in specs], "count"), drop=2),
        Field("layers", write_column([spec.cost.layers for spec in specs], "integer"), drop=1),
    ]
    if target is not None:
        fields.append(Field("ms", write_column([latency_ms(target, spec) for spec in specs], "real")))
    captions = [f"published networks on images of {specs[0].resolution} x {specs[0].resolution}"]
    if any(tops):
        fields.append(Field("top-1 %", tops, drop=3))
        captions.append("top-1: on ImageNet, by training recipes that differ (zen score --list-networks names them)")
    return Sheet(fields, f"of about the MACs of {first}", captions=captions)


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
        yield from (Line(text, "bold") for text in pack([first.label, "→", row.label], width, " "))
        found = differences(first.network, row.network)
        for text in found or ["nothing: they are the same network"]:
            yield from (Line(f"  {line}") for line in wrap(text, width - 2))
