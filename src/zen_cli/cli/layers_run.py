"""`zen score --layers`: networks layer by layer, from files to stdout."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..errors import UsageError
from ..formats.base import Overrides
from ..net.network import Network
from ..report.documents import flat_rows, layers_document
from ..report.layers import LayerRow, layer_rows
from ..report.stages import StageRow, stage_rows
from .options import Format, emit, report
from .reading import read_sources

# What has an effect on a list of layers.
_USED = frozenset(
    {"sources", "convention", "resolution", "num_classes", "arg", "path", "fail_fast", "layers", "style", "quiet"}
)


def check_layers(given: Collection[str]) -> None:
    """Refuses options without effect.

    Raises:
        UsageError: one of the options that were given has none.
    """
    for name in given:
        if name not in _USED:
            raise UsageError(f"{name}: has no effect with layers, which are exact and closed forms; leave it out")


def run_layers(
    places: Sequence[str], overrides: Overrides, convention: str, style: Format, *, fail_fast: bool, quiet: bool
) -> int:
    """Writes the layers of the networks of files: a table, CSV with a row a layer, or a document for each network.

    Returns:
        The exit code: that of the worst error, or 0.

    Raises:
        ZenError: the first error, where that ends it.
    """
    code, networks = 0, list[Network]()
    for item in read_sources(places, overrides, quiet=quiet):
        if item.error is not None and fail_fast:
            raise item.error
        if item.error is not None:
            code = max(code, report(str(item.error), item.error.exit_code))
        elif item.network is not None:
            networks.append(item.network)
    write_layers(networks, convention, style)
    return code


def write_layers(networks: Sequence[Network], convention: str, style: Format) -> None:
    """Writes layers and stages of networks to stdout."""
    from .writing import write_listing

    found = []
    for network in networks:
        layers = layer_rows(network, convention)
        found.append((network, layers, stage_rows(network, layers)))
    if style == "csv":
        from ..formats.csv_rows import csv_row

        rows = [row for network, layers, _ in found for row in flat_rows(network, layers)]
        emit(b"".join(map(csv_row, [list(rows[0]), *(row.values() for row in rows)])) if rows else b"")
        return
    documents = [layers_document(*row) for row in found]
    write_listing(style, documents, lambda: _print(found, convention))


def _print(found: Sequence[tuple[Network, list[LayerRow], list[StageRow]]], convention: str) -> None:
    from ..ui.layers import print_layers

    for index, row in enumerate(found):
        if index:
            print()
        print_layers(*row, convention=convention)
