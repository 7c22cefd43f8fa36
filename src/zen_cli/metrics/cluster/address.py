"""How a user names a cluster. Importing this needs neither torch nor Ray."""

from __future__ import annotations

import re
from importlib.util import find_spec

from ...errors import UsageError, shorten

ADDRESS = re.compile(r"ray(://([\w.-]+|\[[0-9a-fA-F:]+\]):[0-9]{1,5})?")
EXAMPLES = "ray, or ray://HOST:PORT for a cluster elsewhere"


def check_workers(text: str) -> None:
    """Refuses what does not name a cluster, before anything is imported.

    Raises:
        UsageError: not such a text, or Ray is not installed.
    """
    if not ADDRESS.fullmatch(text):
        raise UsageError(f"workers: {shorten(text)!r} names no cluster; use {EXAMPLES}")
    if find_spec("ray") is None:
        raise UsageError("workers: Ray is not installed; pip install 'zen-cli[ray]'")
