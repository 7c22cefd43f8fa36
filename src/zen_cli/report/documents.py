"""Networks with their layers and stages as documents that `zen` reads back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..net.network import Network
from ..net.traced import chain_rows
from .layers import LayerRow, size_text
from .stages import StageRow

SCHEMA = "zen-layers/1"


def network_part(network: Network) -> dict[str, Any]:
    """What a document says of the network itself: identity, exact cost, and the network."""
    part: dict[str, Any] = {"id": network.id, "name": network.name, "cost": network.cost._asdict()}
    if network.spec is not None:
        return {**part, "arch": network.spec.to_dict()}
    return {**part, "source": network.source, "chain": chain_rows(network.chain)}


def layers_document(network: Network, layers: Sequence[LayerRow], stages: Sequence[StageRow]) -> dict[str, Any]:
    """A network with its layers and stages, as JSON types."""
    rows = {"stages": [row.to_dict() for row in stages], "layers": [row.to_dict() for row in layers]}
    return {"schema": SCHEMA, **network_part(network), **rows}


def flat_rows(network: Network, rows: Sequence[LayerRow] | Sequence[StageRow]) -> Iterator[dict[str, Any]]:
    """The rows as those of a CSV file: the network first, shapes as `64x56x56`."""
    for row in rows:
        values = {key: size_text(value) if isinstance(value, tuple) else value for key, value in row._asdict().items()}
        yield {"network": network.name or network.id, "id": network.id, **values}
