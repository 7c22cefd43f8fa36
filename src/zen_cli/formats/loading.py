"""The networks of one file or name, for Python callers."""

from __future__ import annotations

import os

from ..errors import SourceError
from ..net.network import Network
from .reading import read


def load(path: str | os.PathLike[str]) -> Network:
    """The one architecture of a file, or of a name such as `timm:resnet50`.

    Raises:
        SourceError: no such file, nothing in it, or more than one architecture.
        SpecError: what it holds is not an architecture.
        TraceError: the model cannot be read as a network.
    """
    items = list(read([os.fspath(path)]))
    for item in items:
        if item.error is not None:
            raise item.error
    if len(items) != 1 or items[0].network is None:
        raise SourceError(f"{path}: holds {len(items)} architectures; use zen_cli.load_all to read several")
    return items[0].network


def load_all(path: str | os.PathLike[str]) -> list[Network]:
    """All architectures of a file, in order.

    Raises:
        SourceError: the file cannot be read.
        SpecError: one of them is not an architecture.
    """
    networks = []
    for item in read([os.fspath(path)]):
        if item.error is not None:
            raise item.error
        if item.network is not None:
            networks.append(item.network)
    return networks
