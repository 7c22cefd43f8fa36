"""Tables of a network's layers and stages."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..net.network import label
from ..report.layers import size_text
from ..report.stages import most_live
from .layout import ABSENT, Field, Sheet, lay_out
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
    log_sigma = math.fsum(shares) if shares else None
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
        Field("log σ", write_column([*(row.log_sigma for row in stages), log_sigma], "nats"), drop=3),
        Field("blocks", [*(row.blocks for row in stages), ""], right=False, drop=8, wraps=True),
    ]
    exact = f"exact: {total.params:,} parameters, {total.macs:,} MACs, {total.layers} layers in the chain"
    return Sheet(
        fields, f"{label(network)}: stages", captions=[exact, *_CAPTIONS, f"log σ in the {convention} convention"]
    )


def _square(size: tuple[int, int] | None) -> str:
    if size is None:
        return ABSENT
    return str(size[0]) if size[0] == size[1] else size_text(size)
