"""Target `json`: the spec itself, `zen-arch/1`."""

from __future__ import annotations

import orjson

from .source_network import Network


def write(network: Network) -> bytes:
    """The spec, indented."""
    return orjson.dumps(network.spec.to_dict(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
