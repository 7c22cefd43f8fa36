"""Tables of records, layers and proxies. Data is written elsewhere; these are for people."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..metrics.columns import COLUMNS, Column, proxy_columns
from ..metrics.records import Breakdown, ScoreRecord
from ..net.layers import Pair, side_key
from ..networks import Published
from ..units import format_count
from .bars import bar
from .layout import Field, Sheet, lay_out
from .numbers import write_column, write_with_error
from .scores import captions, is_verified, score_fields
from .terminal import print_lines, width_of

if TYPE_CHECKING:
    from ..metrics import Metric

BAR = 24
WIDE = 100

# The costs in a table of records, and when each is left out for lack of width: the highest number first.
_COSTS = {"params": 1, "macs": 2, "activations": 5, "layers": 3, "sublayers": 6}
_DROP_ID, _DROP_GAP = 4, 1


def print_records(records: Sequence[ScoreRecord], columns: Sequence[Column] | None = None) -> None:
    """Prints records as tables on stdout: the layers of each that has them, then one row per record."""
    width = width_of(sys.stdout)
    for record in records:
        if record.breakdown is not None:
            print_lines(lay_out(breakdown_sheet(record, record.breakdown, width), width))
            print()
    if records:
        print_lines(lay_out(score_sheet(records, columns), width))


def print_proxies(proxies: Sequence[Metric]) -> None:
    """Prints a table of proxies on stdout."""
    print_lines(lay_out(proxies_sheet(proxies), width_of(sys.stdout)))


def print_networks(networks: Sequence[Published]) -> None:
    """Prints a table of published networks on stdout."""
    print_lines(lay_out(networks_sheet(networks), width_of(sys.stdout)))


def score_sheet(records: Sequence[ScoreRecord], columns: Sequence[Column] | None = None) -> Sheet:
    """One row per record: its scores, each estimator in a column of its own, its cost and its proxies.

    Args:
        records: at least one; those that a search has not verified come last and get a section of their own.
        columns: what to show instead, none of it left out where the width is short.
    """
    if columns is not None:
        return Sheet([column_field(column, records) for column in columns], captions=captions(records))
    proxies = {name: row.direction for record in records for name, row in (record.proxies or {}).items()}
    fields = [Field(COLUMNS["name"].title, [record.name or record.id for record in records], right=False)]
    fields += score_fields(records)
    fronts = [row.search for row in records if row.search is not None and row.search.front is not None]
    if any(row.gap is not None for row in fronts):
        fields.append(column_field(COLUMNS["gap"], records, drop=_DROP_GAP))
    kept = {name for row in fronts for name in row.front or ()}
    fields += [column_field(COLUMNS[name], records, drop=drop * (name not in kept)) for name, drop in _COSTS.items()]
    for column, error in proxy_columns(proxies.items()):
        fields += _proxy_fields(records, column, error)
    fields.append(column_field(COLUMNS["id"], records, drop=_DROP_ID))
    verified = [is_verified(record) for record in records]
    originals = [record.search is not None and record.search.role is not None for record in records]
    found = [value for value, original in zip(verified, originals, strict=True) if not original]
    first = found.index(False) if any(found) and not all(found) else 0
    sections = {first: "not verified"} if first else {}
    sections |= {index: "the original" for index, original in enumerate(originals) if original and index}
    return Sheet(fields, captions=captions(records), sections=sections)


def column_field(column: Column, records: Sequence[ScoreRecord], *, drop: int = 0) -> Field:
    """A column of a table of records."""
    values = [column.of(record) for record in records]
    is_number = column.kind not in ("text", "words")
    return Field(column.title, write_column(values, column.kind), is_number, drop, column.kind == "words")


def proxies_sheet(proxies: Sequence[Metric]) -> Sheet:
    """One row per proxy: which way is better, whether it has a closed form to search by, what it is and its source."""
    return Sheet(
        [
            Field("proxy", [row.name for row in proxies], right=False),
            Field("better", [row.direction for row in proxies], right=False, drop=2),
            Field("closed form", ["yes" if row.closed_form is not None else "" for row in proxies], False, drop=3),
            Field("what it is", [row.description for row in proxies], right=False, wraps=True),
            Field("source", [row.source for row in proxies], right=False, drop=1, wraps=True),
        ]
    )


def networks_sheet(networks: Sequence[Published]) -> Sheet:
    """One row per network: its cost at its resolution, the accuracy that is published, and where."""
    accuracies = [row.accuracy for row in networks]
    return Sheet(
        [
            Field("network", [row.name for row in networks], right=False),
            Field("params", [format_count(row.spec.cost.params) for row in networks]),
            Field("MACs", [format_count(row.spec.cost.macs) for row in networks]),
            Field("side", [side_key(row.spec.resolution) for row in networks], drop=2),
            Field("top-1 %", ["" if row is None else f"{row.top1:.1f}" for row in accuracies]),
            Field("of", ["" if row is None else row.source for row in accuracies], right=False, drop=1, wraps=True),
            Field("paper", [row.paper for row in networks], right=False, drop=3, wraps=True),
        ]
    )


def breakdown_sheet(record: ScoreRecord, breakdown: Breakdown, width: int = 120) -> Sheet:
    """One row per layer: log sigma with a bar, the running total, and 1 - c up to where Delta saturates."""
    rows = breakdown.layers
    low = min(0.0, *(row.log_sigma for row in rows))
    high = max(row.log_sigma for row in rows)
    size = BAR if width >= WIDE else BAR // 3
    bars = [bar((row.log_sigma - low) / max(high - low, 1e-12), size) for row in rows]
    kernels = [
        _times(row.kernel)
        + (f"/{_side(row.stride)}" if row.stride != 1 else "")
        + (f" g{row.groups}" if row.groups > 1 else "")
        for row in rows
    ]
    total = rows[-1].total + breakdown.log_delta
    fields = [
        Field("layer", [*(str(row.layer) for row in rows), ""]),
        Field("conv", [*kernels, "Δ"]),
        Field("in", [*(str(row.in_width) for row in rows), ""], drop=4),
        Field("out", [*(str(row.out_width) for row in rows), ""], drop=3),
        Field("side", [*(_side(row.out_side) for row in rows), ""], drop=5),
        Field("log σ", [f"{value:.3f}" for value in (*(row.log_sigma for row in rows), breakdown.log_delta)]),
        Field("", [*bars, ""], right=False, drop=2),
        Field("total", [f"{value:.2f}" for value in (*(row.total for row in rows), total)]),
        Field("1 - c", [*write_column([row.decorrelation for row in rows], "nats"), ""], drop=1),
    ]
    if any(row.module for row in rows):
        fields.append(Field("module", [*(row.module or "" for row in rows), ""], right=False, drop=6))
    if breakdown.saturation_layer is not None:
        marks = ["<<" if row.layer == breakdown.saturation_layer else "" for row in rows]
        fields.append(Field("", [*marks, ""], right=False))
    title = f"{record.name or record.id}: closed form, layer by layer"
    return Sheet(fields, title, captions=[_breakdown_caption(breakdown)])


def _times(pair: int | Pair) -> str:
    """A kernel or stride: `3x3`, `1x7`."""
    height, width = (pair, pair) if isinstance(pair, int) else pair
    return f"{height}x{width}"


def _side(pair: int | Pair) -> str:
    """A side, or height and width where they differ."""
    return str(pair) if isinstance(pair, int) else _times(pair)


def _proxy_fields(records: Sequence[ScoreRecord], column: Column, error: Column) -> list[Field]:
    """A proxy, and its standard error where it has one."""
    values, errors = write_with_error(
        [column.of(record) for record in records], [error.of(record) for record in records], column.kind
    )
    return [Field(column.title, values), *([] if errors is None else [Field(error.title, errors)])]


def _breakdown_caption(breakdown: Breakdown) -> str:
    if breakdown.saturation_layer is None:
        return "Δ does not saturate: it measures a gradient through all layers."
    return (
        f"Δ saturates at layer {breakdown.saturation_layer} (<<): after it the correlation c of the clean and the "
        "perturbed copy is below one half, and the gains σ alone make the score."
    )
