"""Faults at seeded moments; `ZEN_FAULTS=200 pytest tests/faults` is a campaign (see moments.py)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moments import Commands


@pytest.fixture(scope="session")
def commands() -> Iterator[Commands]:
    """Starts commands."""
    commands = Commands()
    yield commands
    commands.close()
