"""`zen score --list-networks`: the published networks that have a name."""

from __future__ import annotations

from .options import check_format
from .writing import write_listing


def list_networks(style: str | None) -> None:
    """Writes them in a format."""
    from ..networks import networks
    from ..ui.tables import print_networks

    rows = networks()
    documents = [
        {
            "name": row.name,
            "aliases": list(row.aliases),
            "params": row.spec.cost.params,
            "macs": row.spec.cost.macs,
            "resolution": row.spec.resolution,
            "top1": None if row.accuracy is None else row.accuracy.top1,
            "source": None if row.accuracy is None else row.accuracy.source,
            "recipe": None if row.accuracy is None else row.accuracy.recipe,
            "paper": row.paper,
        }
        for row in rows
    ]
    write_listing(check_format(style), documents, lambda: print_networks(rows))
