"""The sums of a network's layers over its stages."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ..exporters.layout import lay_out
from ..net.network import Network
from ..net.notation import notation
from .layers import CLASSIFIER, OTHER, LayerRow, Shape, size_text


class StageRow(NamedTuple):
    """What a stage does and costs, for one image.

    Attributes:
        stage: the stem, a stage, the head, the classifier; the size of the map where there are no blocks, and `other`.
        blocks: in short notation, see `net.notation`.
        units: how many, or layers of the chain where there are no blocks; 0 for the classifier.
        out_shape: channels, height and width at its end.
        receptive_field: height and width at its end; None for the classifier.
        params, macs, bytes: sums over its layers, see `LayerRow`.
        live: the most that one of its layers needs, in bytes; None where that is not known.
        params_share, macs_share: of the network's, in 0 to 1.
        log_sigma: the sum of its layers' shares of the closed form, in nats; None where there is none.
    """

    stage: str
    blocks: str
    units: int
    out_shape: Shape | None
    receptive_field: tuple[int, int] | None
    params: int
    macs: int
    bytes: int
    live: int | None
    params_share: float
    macs_share: float
    log_sigma: float | None

    def to_dict(self) -> dict[str, Any]:
        """The row as JSON types."""
        return self._asdict()


def stage_rows(network: Network, layers: Sequence[LayerRow]) -> list[StageRow]:
    """The stages of a network in order; their sums are its exact cost.

    Args:
        network: any.
        layers: its `layer_rows`, or those `by_map`.
    """
    described, groups = _described(network), dict[str, list[LayerRow]]()
    for row in layers:
        groups.setdefault(row.stage, []).append(row)
    return [_stage_row(network, stage, own, described) for stage, own in groups.items()]


def by_map(layers: Sequence[LayerRow]) -> list[LayerRow]:
    """Layers with the size of their map as stage, so that networks with and without blocks can be compared."""
    return [
        row._replace(stage=OTHER if row.out_shape is None or row.kind == CLASSIFIER else size_text(row.out_shape[1:]))
        for row in layers
    ]


def _stage_row(
    network: Network, stage: str, own: Sequence[LayerRow], described: Mapping[str, tuple[str, int]]
) -> StageRow:
    seen = [row for row in own if row.kind == "conv"]
    shares = [row.log_sigma for row in seen if row.log_sigma is not None]
    blocks, units = described.get(stage, ("", len(seen)))
    return StageRow(
        stage=stage,
        blocks=blocks,
        units=units,
        out_shape=seen[-1].out_shape if seen else own[-1].out_shape,
        receptive_field=seen[-1].receptive_field if seen else None,
        params=sum(row.params for row in own),
        macs=sum(row.macs for row in own),
        bytes=sum(row.bytes for row in own),
        live=most_live(own),
        params_share=sum(row.params for row in own) / max(1, network.cost.params),
        macs_share=sum(row.macs for row in own) / max(1, network.cost.macs),
        log_sigma=math.fsum(shares) if shares and len(shares) == len(seen) else None,
    )


def most_live(rows: Iterable[LayerRow] | Iterable[StageRow]) -> int | None:
    """The most bytes that are live in one of the rows; None where that is not known of any."""
    return max((row.live for row in rows if row.live is not None), default=None)


def _described(network: Network) -> dict[str, tuple[str, int]]:
    """The blocks of each stage in short notation, and how many units they have."""
    if network.spec is None:
        return {}
    words = notation(network.spec).split()
    return {
        section.name: (" ".join(words[row.number] for row in section.blocks), len(section.units))
        for section in lay_out(network.spec).sections
    }
