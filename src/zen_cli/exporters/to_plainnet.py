"""Target `plainnet`: the structure string that published tools read."""

from __future__ import annotations

from ..errors import SpecError
from ..formats.plainnet import to_plainnet
from .source_network import Network


def write(network: Network) -> bytes:
    """The string on one line.

    Raises:
        SpecError: a block that the format cannot express.
    """
    try:
        return to_plainnet(network.spec).encode() + b"\n"
    except SpecError as error:
        raise SpecError(f"{network.where}: {error}") from None
